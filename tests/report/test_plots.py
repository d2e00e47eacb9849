"""Plots: their numbers by hand, their words, and that they are complete, harmless SVG."""

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.report.scans import observed_of

from masktune.evaluation import Predictions, wilson
from masktune.report.page.numbers import interval
from masktune.report.page.plots import (
    by_area,
    by_group,
    confusion,
    confusion_counts,
    mean_maps,
    place_of_peak,
    plots_of,
    short,
    transplants,
)

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


def test_mean_maps_are_the_means_over_what_is_called_each_class():
    plot = mean_maps(observed_of(40))
    # 20 are called cat, with the peak at row 1, column 1, and 20 dog, with it at row 4, column 4.
    assert [row[:3] for row in plot.rows] == [
        ("all images", "40", "top left corner"),
        ("cat", "20", "top left corner"),
        ("dog", "20", "centre"),
    ]
    assert [row[3] for row in plot.rows[1:]] == ["1.000", "1.000"]
    assert "cat: highest at the top left corner; dog: highest at the centre." in plot.alt


def test_empty_maps_are_left_out_of_the_mean():
    observed = observed_of(40)
    empty = np.arange(40) % 2 == 0
    observed = replace(
        observed, empty=empty, low=np.where(empty[:, None, None], 0, observed.low).astype(np.float16)
    )
    assert mean_maps(observed).rows[0][:2] == ("all images", "20")
    assert {row[3] for row in mean_maps(observed).rows[1:]} == {"1.000"}
    assert mean_maps(replace(observed, empty=np.ones(40, dtype=bool))) is None


def test_of_many_classes_the_most_frequent_are_drawn_and_all_are_in_the_table():
    classes = tuple(f"class {at}" for at in range(25))
    plot = mean_maps(observed_of(50, classes))
    assert len(plot.rows) == 21  # Of all, and of the 20 classes that are given
    assert len([text for text in texts(plot.light) if text.endswith("images")]) >= 12
    assert "The table has 9 more classes." in plot.caption


def test_bars_are_accuracy_and_flips_with_their_intervals():
    plot = by_area(observed_of(40))
    # 8 of 40 are wrong; hiding turns every second: 4 of the wrong become right, 16 of the right wrong.
    rates = {(row[0], row[1]): row[2:] for row in plot.rows}
    whole = wilson(32, 40)
    assert rates["accuracy", "as they are"] == ("0.800", interval(whole.low, whole.high), "40")
    assert rates["accuracy", "salient hidden"][0] == "0.500"
    assert rates["accuracy", "random hidden"][0] == "0.800"
    assert rates["share of answers that change", "salient hidden"][0] == "0.500"
    assert rates["share of answers that change", "least salient hidden"][0] == "0.000"
    assert "accuracy, salient hidden: 50 %" in plot.alt
    assert "80 %" in texts(plot.light)


def test_of_a_net_with_its_own_classes_nothing_is_said_of_right_and_wrong():
    observed = observed_of(40)
    own = replace(observed, same_classes=False, data_labels=observed.predictions.labels)
    assert {row[0] for row in by_area(own).rows} == {"share of answers that change"}
    assert confusion(own) is None


def test_the_confusion_matrix_counts():
    counts = confusion_counts(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    plot = confusion(observed_of(40))
    assert plot.rows == (("cat", "16", "4"), ("dog", "4", "16"))
    assert plot.head == ("true class", "called cat", "called dog")
    assert "32 of 40 images" in plot.alt
    assert "Most often cat is called dog: 4 times." in plot.alt


@pytest.mark.parametrize(("classes", "drawn"), [(20, True), (21, False)])
def test_a_confusion_matrix_has_at_most_20_classes(classes, drawn):
    names = tuple(f"c{at}" for at in range(classes))
    assert (confusion(observed_of(60, names)) is not None) == drawn


def test_spots_are_outlined_on_the_mean_map_of_their_class():
    plot = transplants(observed_of(40))
    name, place, gain, _, loss, _, turned = plot.rows[0]
    assert (name, place, gain, loss, turned) == ("cat", "top left corner", "0.400", "0.200", "50 %")
    assert plot.light.count("#4ee1ff") == 1
    assert transplants(observed_of(40, transplants=())) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '$x^2$ & "q"', "a\x00b\nc", "שלום", "猫" * 300]
)
def test_names_are_text_in_a_plot(name):
    for plot in plots_of(observed_of(20, (name, "dog"))):
        for svg in (plot.light, plot.dark):
            tags = {one.tag.removeprefix(SVG) for one in ET.fromstring(svg).iter()}
            assert "script" not in tags
            if plot.id != "by-area":
                assert short(name) in texts(svg)


def test_short_names_are_one_line_of_22_letters():
    assert short("a\n b\tc\x00d") == "a b c d"
    assert short("x" * 22) == "x" * 22
    assert short("x" * 23) == "x" * 21 + "…"
    assert short("猫" * 12) == "猫" * 10 + "…"  # A letter of East Asia is two wide.


def test_the_place_of_a_peak():
    mean = np.zeros((3, 3))
    assert place_of_peak(mean) == "–"
    mean[2, 0] = 1
    assert place_of_peak(mean) == "bottom left corner"
    mean[1, 1] = 2
    assert place_of_peak(mean) == "centre"


def test_plots_have_two_themes_words_and_the_same_bytes_again():
    first, second = plots_of(observed_of(20)), plots_of(observed_of(20))
    assert [plot.id for plot in first] == ["mean-maps", "by-area", "transplants", "confusion"]
    assert first == second
    for plot in first:
        assert plot.light != plot.dark
        assert plot.alt
        assert plot.caption
        assert all(len(row) == len(plot.head) for row in plot.rows)


def test_rates_over_subjects_have_their_intervals():
    observed = observed_of(40)
    before = observed.predictions
    subjects = np.array([f"p{at // 8}" for at in range(40)])
    grouped = replace(observed, predictions=replace(before, subjects=subjects))
    assert isinstance(grouped.predictions, Predictions)
    assert by_area(grouped).rows[0][2] == by_area(observed).rows[0][2]
    assert by_area(grouped).rows[0][3] != by_area(observed).rows[0][3]


def test_matplotlib_is_imported_only_to_draw():
    loaded = "'matplotlib' in sys.modules or 'jinja2' in sys.modules"
    code = f"import sys, masktune.report.page.plots; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_groups_come_worst_first_with_their_intervals():
    observed = observed_of(40)
    assert by_group(observed) is None  # None are known.
    groups = np.where(np.arange(40) % 4 == 0, "site <b>", "elsewhere")
    logits = observed.predictions.logits.copy()
    logits[:12:4] = logits[:12:4, ::-1]  # Three of the ten images of the site.
    correct = observed.predictions.correct.copy()
    correct[:12:4] ^= True
    known = replace(observed, predictions=replace(observed.predictions, logits=logits, groups=groups))
    plot = by_group(known)
    rates = {
        name: wilson(int(correct[groups == name].sum()), int((groups == name).sum())) for name in set(groups)
    }
    worst = min(rates, key=lambda name: rates[name].value)
    assert plot.rows[0][0] == worst
    assert plot.rows[0][1:] == (
        f"{rates[worst].value:.3f}",
        interval(rates[worst].low, rates[worst].high),
        str(rates[worst].n),
    )
    assert len(plot.rows) == 2
    assert by_group(replace(known, same_classes=False, data_labels=observed.labels)) is None


def test_many_groups_are_drawn_a_dozen_at_most():
    observed = observed_of(60)
    groups = np.array([f"site {at % 15}" for at in range(60)])
    plot = by_group(replace(observed, predictions=replace(observed.predictions, groups=groups)))
    assert len(plot.rows) == 15
    assert "The table has 3 more groups." in plot.caption
    assert sum(text.startswith("site ") for text in texts(plot.light)) == 12

"""The scatter: a dot a seed, names that do not lie on each other, colours that everybody can tell apart."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.report.benches import SEEDS, cell, every_method, failed, line, standings_of

from masktune.bench import METHODS
from masktune.report.bench.scatter import (
    _look,
    dots_of,
    draw_scatter,
    scatter_plot,
    spread,
    write_scatter,
)
from masktune.report.bench.table import table_of
from masktune.report.page.drawing import DARK, LIGHT
from masktune.report.page.paper import SERIES


def drawn(one):
    """Where the figure has dots, by method's order, and its names."""
    (axis,) = draw_scatter(dots_of(one), LIGHT).axes
    places = [made.get_offsets().tolist() for made in axis.collections]
    return places[::2], [text.get_text() for text in axis.texts if text.get_text()]


def test_every_seed_is_a_dot_at_its_numbers():
    one = standings_of(
        replace(line("erm"), worst=replace(line("erm").worst, cell=cell(0.1, 0.2, 0.3))),
        failed("jtt"),
        line("masktune", 0.5, 0.9),
    )
    places, names = drawn(one)
    assert names == ["erm", "masktune"]
    assert places[0] == [pytest.approx(place) for place in ([0.896, 0.1], [0.9, 0.2], [0.904, 0.3])]
    assert places[1] == [pytest.approx(place) for place in ([0.896, 0.48], [0.9, 0.5], [0.904, 0.52])]


def test_the_plot_says_its_numbers_in_words_and_as_a_table():
    plot = scatter_plot(table_of(standings_of(line("erm", 0.4))), "1")
    assert plot.alt == "Scatter. erm: average 89.6 to 90.4 %, worst group 38.0 to 42.0 %."
    assert plot.rows == (
        ("erm", "0", "89.6 %", "38.0 %"),
        ("erm", "1", "90.0 %", "40.0 %"),
        ("erm", "2", "90.4 %", "42.0 %"),
    )
    assert plot.light != plot.dark


def test_a_seed_that_failed_is_no_dot_and_keeps_the_others_seeds():
    rows = scatter_plot(table_of(every_method()), "1").rows
    assert [row[1] for row in rows if row[0] == "jtt"] == ["0", "2"]
    assert len(rows) == 21 * len(SEEDS) + 2 - 3 + 3  # All but jtt and suby thrice, jtt twice.


def test_without_groups_there_is_no_plot(tmp_path):
    one = standings_of(replace(line("erm"), worst=None))
    assert scatter_plot(table_of(one), "1") is None
    assert not write_scatter(one, tmp_path / "scatter")
    assert not list(tmp_path.iterdir())


def test_files_are_a_picture_on_white_and_a_pdf_with_letters(tmp_path):
    assert write_scatter(every_method(), tmp_path / "scatter-my.data")
    assert {path.name for path in tmp_path.iterdir()} == {"scatter-my.data.svg", "scatter-my.data.pdf"}
    svg = (tmp_path / "scatter-my.data.svg").read_text()
    assert "fill: #ffffff" in svg
    assert "least_salient_mask</text>" in svg
    assert b"/FontFile2" in (tmp_path / "scatter-my.data.pdf").read_bytes()


def test_names_keep_apart_and_in_order():
    assert spread([0.2, 0.21, 0.9], 0.1) == pytest.approx([0.2, 0.3, 0.9])
    assert spread([0.95, 0.99, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])
    assert spread([0.5], 0.1) == [0.5]
    crowded = spread([0.5] * 10, 0.1)
    assert all(after - before > 0.0999 for before, after in pairwise(crowded))
    assert spread([], 0.1) == []


def luminance(colour):
    """WCAG's."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("theme", "ground"), [(LIGHT, "#ffffff"), (DARK, "#181d25")])
def test_every_colour_stands_out_from_its_ground(theme, ground):
    for colour in SERIES[theme]:
        low, high = sorted((luminance(colour), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 1.4.11.


def test_no_two_methods_look_alike():
    looks = {(look["color"], look["marker"]) for name in METHODS for look in [_look(name, 0, LIGHT)]}
    looks |= {(look["color"], look["marker"]) for at in (18, 19) for look in [_look("own", at, LIGHT)]}
    assert len(looks) == len(METHODS) + 2

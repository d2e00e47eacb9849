"""The page of a trial as text: its numbers are the record's, and what must not be told is not in it."""

import base64
import hashlib
import json
import re
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from tests.report.test_page import Read
from tests.report.trials import (
    REASONS,
    SECRETS,
    WORDS,
    judged_of,
    secret_trial,
    trial_of,
)

from masktune.evaluation import Measure
from masktune.masking import MeanPlusStd
from masktune.report.page import Kind, render_trial
from masktune.report.page.numbers import (
    change_in_words,
    duration,
    percent,
    percent_between,
    points,
    points_between,
    rate_in_words,
)
from masktune.report.page.trial_plots import limits, plots_of
from masktune.report.page.trial_veil import veiled
from masktune.report.page.trial_words import NOT_JUDGED, VERDICTS, worst_of
from masktune.trial.judging import ArmScore


@cache
def usual():
    return render_trial(trial_of())


def words_of(html):
    return re.sub(r"\s+", " ", Read(html).shown)


def section(html, name):
    """The words of one section."""
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    return words_of(found[0])


@pytest.mark.parametrize("why", REASONS)
def test_each_verdict_stands_on_top_with_its_reason_and_what_to_do(why):
    html = render_trial(trial_of(why))
    first = Read(html).of("section")[0]["id"]
    told = section(html, first)
    reason = REASONS[why]
    assert first == "verdict"
    title = NOT_JUDGED if why == "cannot_be_known" else VERDICTS[WORDS.get(why, "no_evidence")]
    assert f"Verdict {title} {reason[0].upper()}{reason[1:]}. " in told
    assert ("What to do. Use the tuned model" in told) == (why == "gain")
    assert ("What to do. Keep the old model" in told) == (why != "gain")


def test_the_words_of_verdicts():
    assert VERDICTS["harmful"] == "Harmful: keep the old model"
    styles = {
        why: re.search(r'class="outcome (\w+)"', render_trial(trial_of(why)))[1]
        for why in ("gain", "no_effect", "cannot_be_known", "worse")
    }
    assert styles == {
        "gain": "passed",
        "no_effect": "not_applicable",
        "cannot_be_known": "hint",
        "worse": "problem",
    }


def test_unknown_weights_are_said_once_as_a_warning():
    trialled = trial_of("cannot_be_known")
    unknown = replace(trialled, seen=trialled.verdict.reason)
    told = section(render_trial(unknown), "verdict")
    assert told.count("not known which of these images") == 1
    assert "judged images; nothing can be concluded from them" in told
    assert section(render_trial(unknown), "scores").startswith(" What a verdict would go by")
    assert "on the 800 images of split train." in section(render_trial(trialled), "verdict")


def test_the_numbers_of_each_arm_are_the_records():
    trialled, told = trial_of(), section(usual(), "arms")
    for arm in trialled.arms:
        for split in ("validation", "test"):
            for metric in ("accuracy", "worst_class_accuracy", "worst_group_accuracy"):
                one = next(found for found in arm.measures[split] if found.metric == metric)
                told_of_it = f"{percent(one.value, 1)} {percent_between(one.low, one.high)}, n {one.n}"
                assert told_of_it in told
    # 20 of 200 are wrong with the old model, 11 with MaskTune: 90.0 and 94.5 %.
    assert "old model, untouched 90.0 % 85.1 to 93.4, n 200" in told
    assert "MaskTune 94.5 % 90.4 to 96.9, n 200" in told
    assert "one more ordinary epoch" in told
    assert "random masks of equal area" in told
    assert "the least salient area hidden" in told
    assert "No arm saw them" in told


def test_the_glance_has_before_and_after():
    told = section(usual(), "verdict")
    assert "on the 200 judged images" in told
    assert "All images old model 90.0 % → tuned 94.5 % 85.1 to 93.4, then 90.4 to 96.9; n 200" in told
    assert "Worst true group old model 50.0 % → tuned 80.0 %" in told


def test_scores_have_gains_over_the_best_control_and_over_the_old_model():
    told = section(usual(), "scores")
    # MaskTune 0.8, the least salient area 0.65, the old model 0.5.
    row = (
        "80.0 % 74.0 to 85.0, n 200 (least 100) dog +15.0 +8.0 to +21.0 over the least salient area hidden "
        "0.024"
    )
    assert told.count(f"{row} +30.0 +23.0 to +36.0") == 8
    assert usual().count('class="sure passed"') == 8
    assert "17 judged images seem to have a place that speaks for another class" in told
    assert "right of these are old model, untouched 3, one more ordinary epoch 4, random masks" in told
    assert "With each class given as often as it is true." in told


def test_every_score_of_every_arm_is_in_the_plots_table():
    (plot,) = plots_of(trial_of())
    assert len(plot.rows) == 8 * 5
    assert plot.rows[0] == ("Place swapped", "old model, untouched", "50.0 %", "44.0 to 55.0", "dog")
    assert plot.rows[-1] == ("Worst class, equal shares", "MaskTune", "80.0 %", "74.0 to 85.0", "dog")
    assert "Place swapped: old model, untouched 50 %" in plot.alt
    assert plot.light.count("MaskTune") == plot.dark.count("MaskTune") == 3  # Once a row of panels.
    assert "#2456a6" in plot.light
    assert "#8ab4f8" in plot.dark


def test_axes_hold_all_intervals_and_are_never_too_narrow():
    wide = {"untouched": ArmScore(0.5, 0.2, 0.6, "", 9), "masktune": ArmScore(0.9, 0.8, 1.0, "", 9)}
    assert limits(wide) == pytest.approx((0.152, 1.02))
    narrow = {"masktune": ArmScore(0.5, 0.49, 0.51, "", 9)}
    assert limits(narrow) == pytest.approx((0.45, 0.55))
    assert limits({"masktune": ArmScore(float("nan"), float("nan"), float("inf"), "", 9)}) == (-0.02, 1.02)


def test_what_got_worse_stands_beside_what_got_better_and_sure_ones_come_first():
    html = usual()
    told = section(html, "changes")
    worse, better = told[told.index(" What got worse 2") :].split(" What got better 7 ")
    # Of the 120 images of the north the old model has 20 wrong, MaskTune 6: 83.3, then 95.0 %.
    assert better.startswith("column site = north +11.7 83.3 %, then 95.0 %; points +5.8 to +17.5; n 120, p ")
    assert "column site = south −6.2 100.0 %, then 93.8 %" in worse
    assert (
        "10 parts of the judged images were compared (2 classes, 4 true groups, 2 values of columns" in told
    )
    assert "1 did not change" in told
    assert worse.count("may be chance") == 2
    # Among two classes and two values of a column less is by chance than among all ten parts.
    assert better.count("may be chance") == 5
    assert html.count('class="sure"') == 2


def test_many_parts_are_folded_away():
    some = trial_of().changes[-1]
    changes = tuple(replace(some, name=f"site = {at}", difference=-0.1, p_value=0.5) for at in range(30))
    html = render_trial(trial_of(changes=changes))
    assert "18 more, each may be chance" in words_of(html)
    assert html.count("site = ") == 30
    assert "No part got better." in words_of(html)


def test_what_images_could_show_how_they_were_divided_and_the_rates():
    html = usual()
    trialled = trial_of()
    assert f"cat 100 {100 * trialled.effects[0].gain:.1f}" in section(html, "effects")
    assert "200 images are judged on; the smallest class, cat, has 100. With so many" in section(
        html, "effects"
    )
    division = section(html, "division")
    assert "tuned on 360 360 720" in division
    assert "judged on 100 100 200" in division
    assert "12 of the 212 images of validation were trained on and are left out." in division
    rate = section(html, "rate")
    assert "0.003 the loss was no longer a number" in rate
    assert "0.001 92.5 % 1.2 1.5 chosen" in rate
    assert "0.0003 93.8 % 0.0 1.0" in rate


def test_a_rate_that_was_given_has_no_table():
    trialled = trial_of()
    html = render_trial(replace(trialled, rate=replace(trialled.rate, rate=2e-4, tried=())))
    assert "It was given: 0.0002, the same for all arms." in section(html, "rate")


def test_subjects_are_told_where_they_are_known():
    subjects = np.array([f"p{at // 4}" for at in range(200)])
    html = render_trial(trial_of(subjects=subjects))
    assert "The judged images show 50 subjects; none of them is tuned on." in section(html, "division")
    assert "subject by subject" in section(html, "scores")
    assert "Subjects" in section(html, "effects")
    assert "Subjects" not in section(usual(), "effects")


def test_images_that_changed_come_first():
    html = usual()
    titles = re.findall(r'<h3 class="group">([^<]*) <span class="count">(\d+)</span>', html)
    assert titles == [
        ("Right now, wrong before", "14"),
        ("Wrong now, right before", "5"),
        ("Wrong both times", "6"),
        ("Right both times", "175"),
    ]
    data = json.loads(Read(html).script(0))
    assert len(data["pairs"]) == 8 == html.count('class="card pair')
    trialled = trial_of()
    gained = next(one for one in trialled.shown if one.kind == "gained")
    first = [base64.b64decode(one["values"]) for one in data["pairs"][0]]
    assert first == [gained.low_before.astype("<f2").tobytes(), gained.low_after.astype("<f2").tobytes()]
    assert html.count("data:image/jpeg") == 8  # The second of each two is the script's.
    assert "Image of cat, called dog by the old model and cat by the tuned one" in html


def test_a_few_images_of_each_kind_stand_open_and_the_rest_is_folded_away():
    gained = trial_of().shown[0]
    right = next(one for one in trial_of().shown if one.kind == "right")
    html = render_trial(trial_of(shown=(gained,) * 10 + (right,) * 10 + trial_of().shown))
    folded = re.findall(r'<details class="numbers"><summary>(\d+) more.*?</details>', html, re.DOTALL)
    cards = [one.count('class="card pair"') for one in re.findall(r"<details.*?</details>", html, re.DOTALL)]
    assert folded == ["6", "9"]  # Of 12 that were gained 6 are shown, of 12 that are right 3.
    assert [count for count in cards if count] == [6, 9]
    assert html.count('class="card pair"') == 28


def test_the_script_cuts_the_maps_as_the_trial_does():
    data = json.loads(Read(usual()).script(0))
    assert data["cut"] == {"kind": "sigmas", "own": 2.0, "fields": asdict(MeanPlusStd(2.0))}
    assert "Line around what is hidden" in words_of(usual())
    own = render_trial(trial_of(threshold=lambda maps: maps > 0.5))
    assert json.loads(Read(own).script(0))["cut"] is None
    assert "Line around" not in words_of(own)


def test_a_worst_number_names_its_class_or_group_in_each_arm():
    trialled = trial_of()
    old, new = trialled.arms[0], trialled.arms[-1]
    # 10 of 100 cats and of 100 dogs are wrong before; of equal ones the first. Then 8 cats and 3 dogs.
    names = [worst_of(trialled, arm, "worst_class_accuracy") for arm in (old, new)]
    assert names == ["cat", "cat"]
    # Every fifth image is on water: 10 of 20 cats and of 20 dogs there are wrong before.
    assert worst_of(trialled, old, "worst_group_accuracy") == "cat on water"
    assert worst_of(trialled, new, "accuracy") == ""
    told = section(usual(), "arms")
    assert "old model, untouched 90.0 % 85.1 to 93.4, n 200 90.0 % 82.6 to 94.5, n 100 cat 50.0 %" in told
    assert "n 20 cat on water" in told


def test_the_worst_group_of_each_arm_stands_in_one_row_of_all_numbers():
    trialled = trial_of(test=False)
    other = Measure("worst_group_accuracy", 0.4, 20, 0.2, 0.6, "dog on grass")
    arms = [
        replace(
            arm,
            measures={
                "validation": tuple(
                    other if one.metric == other.metric and arm.name == "masktune" else one
                    for one in arm.measures["validation"]
                )
            },
        )
        for arm in trialled.arms
    ]
    told = section(render_trial(replace(trialled, arms=tuple(arms))), "arms")
    assert told.count("worst group accuracy") == 1
    assert "0.400 0.200 to 0.600, n 20 dog on grass" in told


def test_without_pictures_there_is_none_and_the_maps_stay():
    html = render_trial(trial_of(), images=False)
    assert "data:image/jpeg" not in html
    assert html.count('class="card pair') == 8
    assert Kind(images=False).sentence in html


def test_a_trial_that_shows_nothing_has_no_section_of_it():
    html = render_trial(trial_of(shown=()))
    assert 'id="images"' not in html
    assert json.loads(Read(html).script(0))["pairs"] == []


def test_without_groups_none_are_spoken_of():
    told = words_of(render_trial(trial_of(groups=False)))
    assert "true group" not in told
    assert "No arm saw them" not in told


def test_an_arm_that_was_stopped_says_why():
    html = render_trial(trial_of("worse", stopped={"random_mask": "'cat' was 50 % of its answers"}))
    told = section(html, "arms")
    assert "random masks of equal area: tuning was given up, since 'cat' was 50 % of its answers." in told
    assert told.count("stopped: the old model’s numbers") == 2  # On both splits.
    collapsed = section(render_trial(trial_of("collapsed", stopped={"masktune": "it broke"})), "verdict")
    assert "old model 90.0 %" not in collapsed  # Nothing was tuned that could be shown.


def test_masktune_alone_is_held_against_the_old_model():
    html = render_trial(trial_of("cannot_be_known", arms=("untouched", "masktune")))
    assert "No control was run" in section(html, "arms")
    told = section(html, "scores")
    assert "Points over the old model" in told
    assert "best control" not in told
    assert told.count("n 200 (least 100) dog +30.0 +23.0 to +36.0 0.024") == 8


def test_a_trial_without_masktune_has_arms_and_no_more():
    html = render_trial(trial_of("cannot_be_known", arms=("untouched", "continue_erm")))
    assert [one["id"] for one in Read(html).of("section")] == [
        "verdict",
        "arms",
        "effects",
        "division",
        "rate",
    ]


def test_many_classes_and_interval_ends_that_are_none():
    classes = tuple(f"class {at}" for at in range(10))
    one = judged_of("hardest_tenth", ("untouched", "masktune"))
    odd = {**one.arms, "masktune": replace(one.arms["masktune"], high=float("nan"))}
    verdict = replace(trial_of().verdict, scores=(replace(one, arms=odd),))
    told = section(render_trial(trial_of(classes=classes, verdict=verdict)), "scores")
    assert "80.0 % –, n 200" in told


def test_headings_go_down_by_one_step_and_pictures_have_words():
    page = Read(usual())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(image["alt"] for image in page.of("img"))


def test_nothing_is_asked_of_anybody_and_only_the_pages_own_script_runs():
    html = usual()
    page = Read(html)
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster")
    ]
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    style = next(text for tag, text in page.texts if tag == "style")
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (page.script(-1), style)
    ]
    assert page.of("meta")[1]["content"] == (
        f"default-src 'none'; img-src data:; script-src 'sha256-{digests[0]}'; "
        f"style-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )
    assert not [
        name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"
    ]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "\"'><b onclick='x'>", "</script><!--", "{{7*7}}", "שלום", "$x^2$"]
)
def test_a_strangers_text_is_text_everywhere(name):
    trialled = trial_of(
        "worse",
        classes=(name, "dog"),
        ids=[f"{name}{at}" for at in range(200)],
        sites=(name, "south"),
        stopped={"random_mask": name},
        name=name,
        about={name: name, "maps": name},
        settings={name: name, "seed": 0},
        seen=name,
        notes=(name,),
        licences=(name,),
    )
    verdict = replace(trialled.verdict, reason=name, notes=(name,))
    html = render_trial(replace(trialled, verdict=verdict), command=name, made=name, versions={name: name})
    page = Read(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Read(usual()).tags} | {"noscript"}
    assert len(page.of("script")) == 2
    assert page.of("b") == []
    assert page.shown.count(name) > 40
    assert "</" not in page.script(0)


def test_without_names_images_columns_groups_and_subjects_have_numbers():
    html = render_trial(
        secret_trial(), images=False, pseudonymous=True, command="masktune tune /home/mueller/pets"
    )
    assert [secret for secret in SECRETS if secret.lower() in html.lower()] == []
    plain = render_trial(secret_trial(), images=False, command="masktune tune /home/mueller/pets")
    unseen = [secret for secret in SECRETS if secret not in plain]
    assert unseen == ["split train"]  # That sentence is the usual trial's.
    told = words_of(html)
    assert Kind(images=False, names=False).sentence in told
    assert "column site, value 1 +11.7" in told
    assert "true group no. 2" in told
    assert "[left out] at [left out] is [left out], top left." in told
    assert (
        "the weights were trained on 12 of the 200 images, as a file says; 3 of its 15 names"
        in told.replace("The weights", "the weights")
    )
    assert "a data set" in told


def test_without_names_the_machine_is_told_and_the_folder_of_the_data_is_not():
    trialled = secret_trial()
    about = {**trialled.about, "hardware": "a CPU", "data": "mueller/pets.csv"}
    html = render_trial(replace(trialled, about=about), images=False, pseudonymous=True)
    assert "hardware a CPU" in words_of(html)
    assert "pets.csv" not in html


def test_numbers_of_images_follow_their_sorted_ids():
    shown = veiled(secret_trial()).shown
    ids = sorted(one.id for one in secret_trial().shown)
    assert [one.id for one in shown] == [f"image {int(one[-7:-4]) + 1:04}" for one in ids]


def test_of_settings_without_names_only_what_names_no_file_is_told():
    settings = {
        "seed": 3,
        "optimizer": "adam",
        "trained_on": "/home/m/x.txt",
        "model": "x.py",
        "frozen": None,
    }
    assert dict(veiled(trial_of(settings=settings)).settings) == {
        "seed": 3,
        "optimizer": "adam",
        "trained_on": "[left out]",
        "model": "[left out]",
        "frozen": None,
    }


def test_a_value_with_an_equals_sign_in_it_is_left_out_whole():
    trialled = trial_of(sites=("a = b", "c"))
    names = {one.name for one in veiled(trialled).changes if one.kind == "column"}
    assert names == {"site, value 1", "site, value 2"}


def test_shares_points_and_their_intervals_as_text():
    assert percent(0.9444, 1) == "94.4 %"
    assert percent(None) == percent(float("nan")) == points(None) == points(float("nan")) == "–"
    assert percent_between(0.1, 0.25) == "10.0 to 25.0"
    assert points_between(-0.005, 0.055) == "−0.5 to +5.5"
    assert percent_between(None, 0.1) == points_between(0.1, float("nan")) == "–"
    assert rate_in_words(0.8, 0.741, 0.85) == "80.0 % (74.1 to 85.0)"
    assert change_in_words(0.025, -0.005, 0.055) == "+2.5 points (−0.5 to +5.5)"


def test_scores_are_marked_where_they_are_better_or_worse_than_all_other_arms():
    one = judged_of("swapped", ("untouched", "continue_erm", "random_mask", "masktune"))
    worse = replace(one, gains=tuple(replace(gain, value=-0.2) for gain in one.gains))
    first, *rest = one.gains
    mixed = replace(one, gains=(first, replace(rest[0], value=-0.2), *rest[1:]))
    not_over_the_old = replace(one, gains=(replace(first, value=-0.2), *rest))
    by_chance = replace(one, corrected=0.06)
    for judged, style in (
        (one, "sure passed"),
        (worse, "sure problem"),
        (mixed, ""),
        (not_over_the_old, ""),
        (by_chance, ""),
    ):
        verdict = replace(trial_of().verdict, scores=(judged,))
        assert f'<tr class="{style}"><th scope="row"><strong>' in render_trial(trial_of(verdict=verdict))


def test_sensitivity_and_specificity_stand_in_front_where_there_is_an_operating_point():
    more = (Measure("sensitivity", 0.75, 100, 0.65, 0.83), Measure("specificity", 0.95, 100, 0.88, 0.98))
    trialled = trial_of(test=False)
    arms = [
        replace(arm, measures={"validation": (*arm.measures["validation"], *more)}) for arm in trialled.arms
    ]
    plain = render_trial(replace(trialled, arms=tuple(arms)))
    assert "Sensitivity" not in section(plain, "verdict")
    cut = tuple(replace(arm, threshold=0.12) for arm in arms)
    html = render_trial(replace(trialled, arms=cut))
    assert "Sensitivity (dog) old model 75.0 % → tuned 75.0 % 65.0 to 83.0" in section(html, "verdict")
    assert "Specificity (cat)" in section(html, "arms")
    told = section(html, "arms")
    assert "dog is said where its probability is at least 0.12 (old model, untouched), 0.12 (one more" in told
    assert "0.12 (MaskTune), else cat; fixed for each arm on the judged images." in told
    assert "sensitivity (dog)" in told
    assert "auprc" not in told


def test_durations_as_text():
    assert [duration(one) for one in (0.0, 4.25, 30.0, 90.0, 1500.0, 7200.0)] == [
        "0 s",
        "4.2 s",
        "30 s",
        "1.5 min",
        "25 min",
        "2.0 h",
    ]

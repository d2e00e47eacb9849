"""Two scans image by image."""

import math
from dataclasses import replace

import numpy as np
import pytest

from findings.observations import observed
from masktune.errors import InputError
from masktune.findings.compared import Difference
from masktune.findings.comparing import compare_scans
from masktune.findings.finding import Finding
from masktune.findings.shown import Scanned

N = 40


def scanned(wrong, *, findings=(), sha256="a", labels=None, ids=None, **settings):
    """A scan of two classes where these positions are classified wrong."""
    labels = np.arange(N) % 2 if labels is None else labels
    said = np.where(np.isin(np.arange(N), wrong), 1 - labels, labels)
    logits = 4.0 * np.eye(2)[said]
    seen = observed(labels, logits, classes=("cat", "dog"), ids=ids)
    return Scanned(
        name="pets", findings=tuple(findings), observed=seen, shown=(), settings=settings, sha256=sha256
    )


def finding(code="MT002", verdict="problem", **about):
    return Finding(code=code, title="?", verdict=verdict, reason="because", advice="do", about=about)


def by_name(compared):
    return {change.name: change for change in compared.changes}


def test_what_got_better_and_worse_by_hand():
    """Ten cats wrong before, one dog wrong after."""
    cats = list(range(0, 20, 2))
    compared = compare_scans(scanned(cats), scanned([1]))
    change = by_name(compared)
    assert (change["accuracy"].before, change["accuracy"].after) == (0.75, 0.975)
    # 10 gained, 1 lost: exact McNemar 2 * (1 + 11) / 2^11; four changes, Holm.
    assert change["accuracy of cat"].p_value == pytest.approx(4 * 2 / 2**10)
    assert change["accuracy"].p_value == pytest.approx(3 * 2 * 12 / 2**11)
    assert change["accuracy of cat"].verdict == change["accuracy"].verdict == "better"
    assert change["accuracy of dog"].verdict == "no evidence"
    assert compared.moved_ids("gained") == tuple(f"{i:05d}.png" for i in cats)
    assert compared.moved_ids("lost") == ("00001.png",)
    lost, first = compared.moved[:2]  # What was lost comes first.
    assert (lost.id, lost.label, lost.before, lost.after) == ("00001.png", "dog", "dog", "cat")
    assert (first.id, first.label, first.before, first.after) == ("00000.png", "cat", "dog", "cat")
    assert lost.sure_before == lost.sure_after == pytest.approx(1 / (1 + math.exp(-4)))
    back = by_name(compare_scans(scanned([1]), scanned(cats)))
    assert back["accuracy"].verdict == "worse"


def test_every_difference_is_named():
    before = scanned([], batch_size=32, seed=0)
    after = scanned([], sha256="b", batch_size=16, seed=0)
    records = (
        {"weights_sha256": "w1", "versions": {"torch": "1"}, "settings": {"split": "test", "seed": 0}},
        {"weights_sha256": "w2", "versions": {"torch": "2"}, "settings": {"split": "train", "seed": 0}},
    )
    differences = compare_scans(before, after, records).differences
    assert tuple(one.sentence for one in differences) == (
        "sha256 of all was a, is b",
        "weights_sha256 was w1, is w2",
        "batch_size was 32, is 16",
        "split was test, is train",
        "torch was 1, is 2",
    )
    parts = ["data", "weights", "settings", "settings", "version"]
    assert [one.part for one in differences] == parts


def test_how_maps_were_made_differs_too_and_long_values_are_cut():
    before, after = scanned([]), scanned([])
    seen = replace(after.observed, about={**after.observed.about, "maps": "m" * 99})
    (one,) = compare_scans(before, replace(after, observed=seen)).differences
    assert (one.part, one.name, one.after) == ("settings", "maps", "m" * 57 + "...")


def test_a_value_that_may_not_be_told():
    assert Difference("settings", "model", "[left out]", "[left out]").sentence == "model is another"


def test_findings_that_went_and_came():
    before = scanned([], findings=[finding(place="corner"), finding("MT005", "hint")])
    after = scanned([], findings=[finding("MT005", "hint"), finding("MT008", "problem", column="size")])
    compared = compare_scans(before, after)
    (went,), (came,) = compared.turned("went"), compared.turned("came")
    assert (went.sentence, went.was, went.now) == ("MT002 (problem): because", "problem", "not asked")
    assert (came.sentence, came.was, came.now) == ("MT008 (problem): because", "not asked", "problem")
    assert compared.turned("changed") == ()


def test_other_verdicts_and_what_the_other_run_said():
    before = scanned(
        [],
        findings=[
            finding("MT001", "hint", place="corner"),
            finding("MT002", "passed"),
            finding("MT003", "problem", place="border"),
            finding("MT004", "passed"),
        ],
    )
    after = scanned(
        [],
        findings=[
            finding("MT001", "problem", place="corner"),
            finding("MT002", "hint"),
            finding("MT003", "problem", place="middle"),
            finding("MT004", "not_applicable"),
        ],
    )
    turns = [(one.kind, one.finding.code, one.was, one.now) for one in compare_scans(before, after).turns]
    assert turns == [
        ("came", "MT002", "passed", "hint"),
        ("came", "MT003", "not of this", "problem"),
        ("went", "MT003", "problem", "not of this"),
        ("changed", "MT001", "hint", "problem"),
        ("changed", "MT004", "passed", "not_applicable"),
    ]
    changed = compare_scans(before, after).turned("changed")[0]
    assert changed.sentence == "MT001 was hint, is problem: because"
    assert changed.other == before.findings[0]


def test_both_runs_are_held_against_the_new_labels():
    """The old run was right on every image, but three are labelled otherwise now."""
    labels = np.arange(N) % 2
    labels[:3] = 1 - labels[:3]
    compared = compare_scans(scanned([]), scanned([], labels=labels))
    assert compared.relabelled == 3
    accuracy = by_name(compared)["accuracy"]
    assert (accuracy.before, accuracy.after) == (37 / 40, 1)
    assert compared.moved_ids("gained") == ("00000.png", "00001.png", "00002.png")


def test_nothing_is_right_or_wrong_where_a_net_has_classes_of_its_own():
    """Ten images are called otherwise, but one of the nets speaks of other classes."""
    after = scanned(list(range(10)))
    after = replace(after, observed=replace(after.observed, same_classes=False))
    compared = compare_scans(scanned([]), after)
    assert [change.name for change in compared.changes] == ["flip rate, salient area hidden"]
    assert {one.kind for one in compared.moved} == {"other"}
    assert len(compared.moved) == 10


def test_paired_by_id_whatever_the_order_and_only_what_both_have():
    before = scanned([0])
    ids = [f"{i:05d}.png" for i in range(5, N + 5)]
    after = scanned([], labels=np.arange(5, N + 5) % 2, ids=ids)
    compared = compare_scans(before, after)
    assert (compared.n, compared.only_before, compared.only_after) == (N - 5, 5, 5)
    assert by_name(compared)["accuracy"].before == 1
    turned = replace(before, observed=_turned(before.observed))
    assert compare_scans(before, turned).differences == ()
    assert compare_scans(before, turned).changes[0].before == compare_scans(before, turned).changes[0].after


def _turned(seen):
    return observed(
        seen.labels[::-1],
        seen.predictions.logits[::-1],
        classes=seen.data_classes,
        ids=seen.ids[::-1].tolist(),
    )


def test_nothing_in_common():
    with pytest.raises(InputError, match="expected two runs with images in common, paired by id; they have"):
        compare_scans(scanned([]), scanned([], ids=[f"other {i}" for i in range(N)]))


def told_as(scan, **columns):
    """The same scan with other splits, subjects or groups; None takes them away."""
    arrays = {name: None if words is None else np.array(words) for name, words in columns.items()}
    predictions = replace(scan.observed.predictions, **arrays)
    return replace(scan, observed=replace(scan.observed, predictions=predictions))


def differing(before, after):
    return [(one.part, one.sentence) for one in compare_scans(before, after).differences]


def test_other_splits_are_counted_and_those_that_came_or_went_are_named():
    """Of 40 images 30 were in train and 10 in test; 5 of test are in train now, 4 of train in validation."""
    old = ["train"] * 30 + ["test"] * 10
    new = ["validation"] * 4 + ["train"] * 31 + ["test"] * 5
    before, after = told_as(scanned([]), splits=old), told_as(scanned([]), splits=new)
    assert differing(before, after) == [
        ("split", "split 'validation' was absent, is 4 images"),
        ("split", "split of 5 images was test, is train"),
        ("split", "split of 4 images was train, is validation"),
    ]
    assert differing(after, after) == []
    assert differing(told_as(after, splits=["train"] * 40), told_as(scanned([]), splits=None)) == [
        ("split", "split 'train' was 40 images, is absent")
    ]


def test_splits_are_those_of_the_same_image_whatever_the_order():
    before = told_as(scanned([]), splits=["train"] * 39 + ["test"])
    after = replace(before, observed=_turned(before.observed))
    after = told_as(after, splits=["test"] + ["train"] * 39)
    assert differing(before, after) == []


def test_a_new_subject_column_and_other_subjects_are_told():
    alone, pairs = scanned([]), told_as(scanned([]), subjects=[f"p{at // 2}" for at in range(N)])
    assert differing(alone, pairs) == [("split", "number of subjects was not given, is 20")]
    others = [f"p{at // 2}" for at in range(N - 1)] + ["somebody else"]
    assert differing(pairs, told_as(alone, subjects=others)) == [("split", "subject of 1 image is another")]


def test_other_groups_are_told_without_their_names():
    old = told_as(scanned([]), groups=["site a"] * N)
    new = told_as(scanned([]), groups=["site a"] * 33 + ["site b"] * 7)
    assert differing(old, new) == [("split", "group of 7 images is another")]
    assert differing(old, scanned([])) == [("split", "number of groups was 1, is not given")]


def test_intervals_are_over_the_subjects_of_the_new_run_or_else_the_old_one():
    """Both images of ten subjects were gained: over images McNemar's 2 / 2^20, over subjects 2 / 2^10."""
    pairs = [f"p{at // 2}" for at in range(N)]
    wrong, right = scanned(list(range(20))), scanned([])
    accuracy = {
        name: by_name(compare_scans(before, after))["accuracy"].p_value
        for name, before, after in (
            ("none", wrong, right),
            ("new", wrong, told_as(right, subjects=pairs)),
            ("old", told_as(wrong, subjects=pairs), right),
            ("both", told_as(wrong, subjects=[f"{at}" for at in range(N)]), told_as(right, subjects=pairs)),
        )
    }
    assert accuracy["none"] == pytest.approx(4 * 2 / 2**20)
    # Holm's factor is 4 for the least of four, and all of cat, dog and accuracy are as small.
    assert accuracy["new"] == accuracy["old"] == accuracy["both"] == pytest.approx(4 * 2 / 2**10)


def test_classes_that_came_and_went_and_classes_in_another_order():
    """Twenty dogs are called wolves now; the images and what the nets mean by them are paired by name."""
    before = scanned([0])
    after = replace(before, observed=replace(before.observed, data_classes=("cat", "wolf")))
    compared = compare_scans(before, after)
    assert [(one.part, one.sentence) for one in compared.differences] == [
        ("data", "class 'dog' was 20 images, is absent"),
        ("data", "class 'wolf' was absent, is 20 images"),
    ]
    assert compared.relabelled == 20
    assert [one.before for one in compared.changes if one.name == "accuracy of wolf"] == [0]
    seen = before.observed
    mirrored = observed(1 - seen.labels, seen.predictions.logits[:, ::-1], classes=("dog", "cat"))
    compared = compare_scans(before, replace(before, observed=mirrored))
    assert (compared.relabelled, compared.moved, compared.differences) == (0, (), ())
    assert {change.before - change.after for change in compared.changes} == {0}


def test_no_class_in_common():
    other = scanned([])
    other = replace(other, observed=replace(other.observed, data_classes=("chat", "chien")))
    with pytest.raises(
        InputError, match="expected two runs with classes in common, got cat, dog and chat, chien"
    ):
        compare_scans(scanned([]), other)


def test_a_finding_whose_range_moved_is_the_same_finding():
    """A bin's end moved by one image: neither came nor went."""
    before = scanned([], findings=[finding("MT008", "hint", column="brightness", value="0.10 to 0.31")])
    after = scanned([], findings=[finding("MT008", "hint", column="brightness", value="0.10 to 0.32")])
    (turn,) = compare_scans(before, after).turns
    assert (turn.kind, turn.was, turn.now) == ("changed", "hint", "hint")
    assert turn.sentence == "MT008 (hint) is of '0.10 to 0.32' instead of '0.10 to 0.31': because"
    assert (turn.finding, turn.other) == (after.findings[0], before.findings[0])
    untold = replace(turn, finding=finding("MT008", "hint"), other=finding("MT008", "hint"))
    assert untold.sentence == "MT008 (hint) is of another value: because"


@pytest.mark.parametrize("name", ["class", "column", "place", "split", "other split"])
def test_a_finding_about_something_else_is_another(name):
    before = scanned([], findings=[finding("MT013", **{name: "one"})])
    after = scanned([], findings=[finding("MT013", **{name: "another"})])
    assert [turn.kind for turn in compare_scans(before, after).turns] == ["came", "went"]


def test_of_several_values_of_a_column_the_same_ones_are_paired():
    values = {"a": "problem", "b": "problem", "c": "hint"}
    sites = {
        value: finding("MT011", verdict, column="site", value=value) for value, verdict in values.items()
    }
    before = scanned([], findings=[sites["a"], sites["c"]])
    after = scanned([], findings=[sites["b"], replace(sites["c"], verdict="problem"), sites["a"]])
    turns = [
        (one.kind, one.finding.about["value"], one.was, one.now) for one in compare_scans(before, after).turns
    ]
    assert turns == [("came", "b", "not of this", "problem"), ("changed", "c", "hint", "problem")]

import numpy as np
import pytest

from masktune.evaluation import Predictions
from masktune.evaluation.weighted import LabelledSample, labelled_group_accuracy
from masktune.findings.review_answers import Groups
from masktune.trial.reviewed import measure_reviewed, reviewed_in_words


def said(ids, right):
    """Predictions on images of class 0, of which some are right."""
    right = np.asarray(right)
    logits = np.where(right[:, None], [1.0, 0.0], [0.0, 1.0]).astype(np.float32)
    return Predictions(logits=logits, labels=np.zeros(len(right), np.int64), ids=np.array(ids))


def reviewed(ids, groups, strata, sizes):
    sample = LabelledSample(np.array(ids), np.array(groups), np.array(strata), sizes)
    return Groups("a mark", sample, len(ids))


# Ten images are like a, of which two were labelled, and four like b, of which two were: weights 5 and 2.
FOUR = reviewed(
    ["a0", "a1", "b0", "b1"],
    ["cat, a mark", "cat, no a mark", "cat, a mark", "cat, a mark"],
    ["a", "a", "b", "b"],
    {"a": 10, "b": 4},
)


def test_each_labelled_image_counts_for_those_that_it_stands_for():
    found = measure_reviewed(said(["b1", "a0", "a1", "b0", "c"], [True, False, True, True, False]), FOUR)
    by_group = {one.group: one for one in found if one.metric == "group_accuracy"}
    # a0 is wrong with weight 5, b0 and b1 right with weight 2 each.
    assert by_group["cat, a mark"].value == pytest.approx(4 / 9)
    assert by_group["cat, no a mark"].value == 1
    assert (found[0].metric, found[0].group, found[0].n) == ("worst_group_accuracy", "cat, a mark", 3)
    assert found[0].value == pytest.approx(4 / 9)
    assert found[0].low < 4 / 9 < found[0].high


def test_images_that_are_not_judged_on_are_in_no_group():
    # b0 is not judged: what is left with a mark are a0, wrong, and b1, right.
    found = measure_reviewed(said(["a0", "a1", "b1"], [False, True, True]), FOUR)
    by_group = {one.group: one for one in found if one.metric == "group_accuracy"}
    assert sorted(by_group) == ["cat, a mark", "cat, no a mark"]
    assert by_group["cat, a mark"].value == pytest.approx(2 / 7)
    assert by_group["cat, a mark"].n == 2


def test_where_all_are_judged_the_numbers_are_those_of_the_whole_sample():
    right = np.array([True, False, True, False])
    found = measure_reviewed(said(FOUR.sample.ids, right), FOUR)
    whole = labelled_group_accuracy(right, FOUR.sample)
    assert {one.group: (one.value, one.low, one.high) for one in found[1:]} == {
        name: (rate.value, rate.low, rate.high) for name, rate in whole.items()
    }


def test_without_a_labelled_image_nothing_is_said():
    assert measure_reviewed(said(["c", "d"], [True, True]), FOUR) == ()
    assert reviewed_in_words(FOUR, (), ()) == (
        "none of the judged images was labelled for a mark, so its groups say nothing here"
    )


def test_in_words_both_worst_groups_stand_with_their_numbers():
    old, new = (
        measure_reviewed(said(FOUR.sample.ids, right), FOUR) for right in ([0, 1, 1, 1], [1, 0, 1, 1])
    )
    sentence = reviewed_in_words(FOUR, old, new)
    assert sentence.startswith(
        "by a person's labels of a mark the old model's worst group is 'cat, a mark', right on 44.4 % ("
    )
    assert "the tuned one's 'cat, no a mark', right on 0.0 % (" in sentence
    assert "3 labelled)" in sentence
    assert sentence.endswith("1 labelled)")

import numpy as np
import pytest

from masktune.trial import scores
from masktune.trial.judging import judged
from masktune.trial.scores import MEANINGS, SCORES, scores_of

from .planted import logits_of, said_of

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
# The untouched classifier gives image 7 the probability 0.01, all other of its wrong ones 0.1.
SURE = [0.9] * 7 + [0.99]
PLAIN = {
    "untouched": logits_of([0, 0, 0, 1, 1, 1, 0, 0], sure=SURE),
    "masktune": logits_of([0, 0, 0, 0, 1, 1, 1, 0], sure=0.7),
}
CHANGED = {
    "untouched": {
        "salient": logits_of([0, 0, 1, 1, 0, 1, 0, 0]),
        "other_class": logits_of([0, 1, 1, 1, 1, 0, 0, 0]),
        "own_other_class": logits_of([0, 1, 1, 1, 1, 0, 0, 0]),
    },
    "masktune": {
        "salient": logits_of([0, 0, 0, 0, 1, 1, 1, 1]),
        "other_class": logits_of([0, 0, 1, 0, 1, 1, 1, 0]),
        "own_other_class": logits_of([1, 0, 0, 0, 1, 1, 1, 1]),
    },
}


def found(said):
    return {(one.name, one.equal_shares): one for one in scores_of(said)}


def by_hand(name, equal_shares=False):
    return found(said_of(LABELS, PLAIN, CHANGED))[name, equal_shares]


def worst(score):
    """The worst cell of each arm, and its value."""
    one = judged([score], np.arange(len(score.cells)))[0]
    return {arm: (of.value, of.cell) for arm, of in one.arms.items()}


def test_swapped_counts_what_is_right_with_both_swaps_in_the_worst_class():
    score = by_hand("swapped")
    assert score.values["untouched"].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]
    # Image 0 is wrong when its own place is swapped, 2 and 7 with that of the untouched classifier.
    assert score.values["masktune"].tolist() == [0, 1, 0, 1, 1, 1, 1, 0]
    assert worst(score) == {"untouched": (0.25, "a"), "masktune": (0.5, "a")}


def test_worst_class_is_accuracy_by_class():
    assert worst(by_hand("worst_class")) == {"untouched": (0.5, "b"), "masktune": (0.75, "b")}


def test_salient_hidden_is_accuracy_by_class_without_the_place():
    score = by_hand("salient_hidden")
    assert score.values["untouched"].tolist() == [1, 1, 0, 0, 0, 1, 0, 0]
    assert worst(score) == {"untouched": (0.25, "b"), "masktune": (1.0, "a")}


def test_steady_is_the_share_of_answers_that_stay():
    score = by_hand("steady")
    assert score.values["untouched"].tolist() == [1, 1, 0, 1, 0, 1, 1, 1]
    assert worst(score) == {"untouched": (6 / 8, "all"), "masktune": (7 / 8, "all")}


def test_hardest_tenth_is_what_the_untouched_classifier_says_worst_of():
    score = by_hand("hardest_tenth")
    assert score.cells.tolist() == [-1] * 7 + [0]  # 0.8 images are one.
    assert score.values["untouched"][7] == pytest.approx(0.01, abs=1e-6)
    assert score.values["masktune"][7] == pytest.approx(0.3, abs=1e-6)
    assert judged([score], np.arange(8))[0].n == 1


def test_the_hardest_tenth_of_twenty_images_are_the_two_with_the_least_probability():
    sure = np.linspace(0.6, 0.79, 20)
    said = said_of([0, 1] * 10, {"untouched": logits_of([0, 1] * 10, sure=sure)})
    assert np.flatnonzero(found(said)["hardest_tenth", False].cells == 0).tolist() == [0, 1]


def test_groups_are_inferred_from_where_the_untouched_classifier_changes_its_answer(monkeypatch):
    monkeypatch.setattr(scores, "LEAST", 1)
    score = by_hand("inferred_groups")
    # It changes its answer in the images 2 and 4 alone.
    assert score.cells.tolist() == [1, 1, 0, 1, 2, 3, 3, 3]
    assert score.names[2:] == ("b, where it changes its answer", "b, where it keeps its answer")
    # Untouched: a changes 1/1, keeps 2/3; b changes 1/1, keeps 1/3. MaskTune: b keeps 2/3.
    assert worst(score) == {"untouched": (1 / 3, score.names[3]), "masktune": (2 / 3, score.names[3])}


def test_inferred_groups_of_fewer_than_ten_images_are_left_out():
    # Of 10 + 9 images of class a the first ten change, of class b all keep.
    labels = [0] * 19 + [1] * 12
    untouched = logits_of(labels)
    hidden = logits_of([1] * 10 + [0] * 9 + [1] * 12)
    said = said_of(labels, {"untouched": untouched}, {"untouched": {"salient": hidden}})
    assert found(said)["inferred_groups", False].cells.tolist() == [0] * 10 + [-1] * 9 + [3] * 12


def test_without_any_inferred_group_of_ten_images_all_are_one():
    score = by_hand("inferred_groups")
    assert score.cells.tolist() == [0] * 8
    assert worst(score) == {"untouched": (5 / 8, "all"), "masktune": (7 / 8, "all")}


def shifted(*differences):
    """Logits of two classes with these differences."""
    return np.array([[0, value] for value in differences], dtype=np.float32)


def test_at_equal_shares_each_class_is_given_as_often_as_it_is_true():
    # One of four is of class b, so the largest difference alone is given b.
    plain = {"untouched": shifted(-1, 1, 2, 3)}
    changed = {"untouched": {"other_class": shifted(3, 1, 0, 2), "own_other_class": shifted(-3, -2, -1, 0)}}
    made = found(said_of([0, 0, 0, 1], plain, changed))
    assert made["worst_class", False].values["untouched"].tolist() == [1, 0, 0, 1]
    assert made["worst_class", True].values["untouched"].tolist() == [1, 1, 1, 1]
    assert made["swapped", False].values["untouched"].tolist() == [0, 0, 1, 0]
    # By one swap image 0 is given b instead of image 3; by the other all are right.
    assert made["swapped", True].values["untouched"].tolist() == [0, 1, 1, 0]


def test_three_classes():
    labels, k = [0, 1, 2, 0, 1, 2], 3
    plain = {"untouched": logits_of([0, 1, 2, 0, 1, 0], k)}
    changed = {
        "untouched": {
            "other_class": logits_of([0, 1, 2, 1, 1, 2], k),
            "own_other_class": logits_of([0, 2, 2, 0, 0, 2], k),
            "salient": logits_of([0, 0, 0, 0, 1, 1], k),
        }
    }
    made = found(said_of(labels, plain, changed, classes="abc"))
    assert made["swapped", False].values["untouched"].tolist() == [1, 0, 1, 0, 0, 1]
    assert made["swapped", False].names == ("a", "b", "c")
    assert made["steady", False].values["untouched"].tolist() == [1, 0, 0, 1, 1, 0]


def test_three_classes_at_equal_shares_forget_a_constant_of_each():
    plain = {
        "untouched": np.eye(3, dtype=np.float32) + np.float32([0, 0, 5]),
        "masktune": np.eye(3, dtype=np.float32) + np.float32([7, 0, 5]),
    }
    made = found(said_of([0, 1, 2], plain, classes="abc"))
    assert made["worst_class", False].values["untouched"].tolist() == [0, 0, 1]
    assert made["worst_class", False].values["masktune"].tolist() == [1, 0, 0]
    for arm in plain:
        assert made["worst_class", True].values[arm].tolist() == [1, 1, 1]
        assert made["swapped", True].values[arm].tolist() == [1, 1, 1]


def test_every_score_is_made_and_has_a_meaning():
    said = said_of(LABELS, PLAIN, CHANGED)
    equal = [("swapped", True), ("worst_class", True)]
    assert [(one.name, one.equal_shares) for one in scores_of(said)] == [
        *((name, False) for name in SCORES),
        *equal,
    ]
    assert set(MEANINGS) == set(SCORES)

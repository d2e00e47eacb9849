import numpy as np
from tests.evaluation.fakes import predictions

from masktune.trial.arms import Arm
from masktune.trial.hiding import Areas, Donors
from masktune.trial.said import Said

from .planted import logits_of, said_of

NOWHERE = object.__new__(Areas)  # Without maps, which are not read here.


def said(**columns):
    arms = {
        name: Arm(name, predictions(correct, **columns), {"salient": logits_of([1, 1, 1])}, NOWHERE)
        for name, correct in (("untouched", [1, 0, 0]), ("masktune", [1, 1, 0]))
    }
    return Said.of(arms, Donors(other_class=np.array([0, 1, 2]), same_class=np.array([1, 2, 0])))


def test_what_the_arms_of_a_trial_said_is_put_together():
    found = said(names=("cat", "dog"))
    assert found.arms == ("untouched", "masktune")
    assert (len(found), found.classes) == (3, ("cat", "dog"))
    assert found.donors.same_class.tolist() == [1, 2, 0]
    assert found.predictions("masktune").correct.tolist() == [True, True, False]
    assert found.predictions("masktune").classes == ("cat", "dog")
    assert found.predictions("masktune", "salient").predicted.tolist() == [1, 1, 1]


def test_classes_without_names_are_numbered():
    assert said().classes == ("0", "1")


def test_units_are_subjects_and_without_them_images():
    assert said().units.tolist() == [0, 1, 2]
    with_subjects = said(subjects=["y", "x", "y"])
    assert with_subjects.units.tolist() == [1, 0, 1]
    assert with_subjects.predictions("untouched").subjects.tolist() == ["y", "x", "y"]


def test_where_a_class_has_fewer_donors_than_images_the_donors_are_drawn():
    # Six of class 0 have the two of class 1 as donors, who have one of class 0 each.
    donors = {"other_class": [6, 7, 6, 7, 6, 7, 0, 3]}
    found = said_of([0] * 6 + [1] * 2, {"untouched": logits_of([0] * 8)}, **donors)
    assert found.swap_units.tolist() == [6, 7, 6, 7, 6, 7, 6, 7]
    assert found.units.tolist() == list(range(8))
    # Where the six are of one subject, there are fewer of these than of donors.
    found = said_of(
        [0] * 6 + [1] * 2, {"untouched": logits_of([0] * 8)}, subjects=["x"] * 6 + ["y", "z"], **donors
    )
    assert found.swap_units.tolist() == [0] * 6 + [0, 0]


def test_any_logits_of_the_same_images_become_predictions():
    found = said_of([0, 1], {"untouched": logits_of([0, 0])}, subjects=["x", "y"])
    made = found.as_predictions(logits_of([1, 0]))
    assert made.predicted.tolist() == [1, 0]
    assert (made.labels.tolist(), made.subjects.tolist()) == ([0, 1], ["x", "y"])

import numpy as np
import pytest

from masktune.evaluation import Predictions
from masktune.trial.guard import collapsed

CLASSES = ("cat", "dog")


def said(labels, predicted, margin=1.0, classes=CLASSES):
    """Answers that are `margin` logits ahead."""
    labels, predicted = np.array(labels, np.int64), np.array(predicted, np.int64)
    logits = margin * np.eye(len(classes or CLASSES), dtype=np.float32)[predicted]
    return Predictions(logits, labels, np.array([f"{i}" for i in range(len(labels))]), classes)


HALVES = np.arange(100) % 2
"""Fifty cats, fifty dogs."""


def wrong_on(count, margin=1.0):
    """Wrong on the first so many, as many cats as dogs; fifty of a hundred answers are still "cat"."""
    return said(HALVES, np.where(np.arange(100) < count, 1 - HALVES, HALVES), margin)


def dogs_at_most(count):
    """Says dog to the first so many dogs and cat to all else."""
    return said(HALVES, HALVES * (np.cumsum(HALVES) <= count))


def test_a_net_that_changed_nothing_is_left_alone():
    assert collapsed(wrong_on(0), wrong_on(0)) is None
    assert collapsed(wrong_on(40), wrong_on(0)) is None


def test_a_class_that_hardly_occurs_any_more():
    assert collapsed(wrong_on(0), dogs_at_most(9)) == "'dog' was 50 % of its answers and is 9 % now"
    # A fifth of what it was is enough; that accuracy fell from 100 to 60 % is another matter.
    assert collapsed(wrong_on(0), dogs_at_most(10)) == (
        "it lost 40 points of accuracy on training images that were held back"
    )


def test_classes_without_names_go_by_their_number():
    first, second = said(HALVES, HALVES, classes=None), said(HALVES, 0 * HALVES, classes=None)
    assert collapsed(first, second) == "'1' was 50 % of its answers and is 0 % now"


@pytest.mark.parametrize(("rare", "reason"), [(1, None), (2, "'dog' was 2 % of its answers and is 0 % now")])
def test_a_class_below_two_percent_may_vanish(rare, reason):
    labels = (np.arange(100) < rare).astype(np.int64)
    assert collapsed(said(labels, labels), said(labels, 0 * labels)) == reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(20, None), (22, "it lost 22 points of accuracy on training images that were held back")],
)
def test_more_than_twenty_points_of_accuracy_are_too_many(wrong, reason):
    # As many cats as dogs are wrong, so both are still half of the answers; a wrong one costs
    # ln(1 + e) = 1.31, a right one 0.31: far from twice what guessing has, 2 ln 2 = 1.39.
    assert collapsed(wrong_on(0), wrong_on(wrong)) == reason


@pytest.mark.parametrize(
    ("margin", "reason"),
    [
        (10, None),
        (
            20,
            (
                "its loss on training images that were held back is 2.00; guessing by the classes' shares "
                "has 0.69"
            ),
        ),
    ],
)
def test_sure_of_what_is_wrong(margin, reason):
    # A tenth is wrong by that many logits, the rest cost nothing: a loss of 1 or 2; allowed is 2 ln 2 = 1.39.
    assert collapsed(wrong_on(0), wrong_on(10, margin)) == reason


def test_a_loss_is_held_against_the_loss_before():
    # A tenth wrong by 20 logits, 2.00 as above: not twice the 1.20 that the untouched net has with 12.
    assert collapsed(wrong_on(10, margin=12), wrong_on(10, margin=20)) is None
    assert collapsed(wrong_on(10, margin=9), wrong_on(10, margin=20)).startswith("its loss")


def test_of_one_class_alone_nothing_is_guessed():
    # Held back were cats only; a loss that rises from 0.13 to 0.31 is no wreck.
    cats = np.zeros(6, np.int64)
    assert collapsed(said(cats, cats, margin=2), said(cats, cats, margin=1)) is None


def test_an_infinitely_wrong_answer_has_a_finite_loss():
    # Probabilities count from 1e-12: a tenth of 27.63.
    reason = collapsed(wrong_on(0), wrong_on(10, margin=1e30))
    assert reason.startswith("its loss on training images that were held back is 2.76;")

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


@pytest.mark.parametrize(("rare", "reason"), [(7, None), (8, "'dog' was 8 % of its answers and is 0 % now")])
def test_a_class_of_few_images_may_vanish_by_chance(rare, reason):
    # All of eight right answers lost: 1 / 2**8 is below half of 1 %, and 1 / 2**7 is not.
    labels = (np.arange(100) < rare).astype(np.int64)
    assert collapsed(said(labels, labels), said(labels, 0 * labels)) == reason


def test_a_class_that_was_given_wrongly_may_vanish():
    # Of twelve crosses eight were called circles; now eleven are right.
    crosses = np.zeros(12, dtype=np.int64)
    before, after = (np.arange(12) < wrong for wrong in (8, 1))
    assert collapsed(said(crosses, before), said(crosses, after)) is None


def test_of_few_images_a_large_loss_may_be_chance():
    # Four of ten: 1 / 2**4. Seven of ten: 1 / 2**7, below 1 %.
    cats = np.zeros(10, dtype=np.int64)
    mixed = np.arange(10) % 2
    assert collapsed(said(mixed, mixed), said(mixed, np.where(np.arange(10) < 4, 1 - mixed, mixed))) is None
    assert collapsed(said(cats, cats), said(cats, np.arange(10) < 7)).startswith("it lost 70 points")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(20, None), (22, "it lost 22 points of accuracy on training images that were held back")],
)
def test_more_than_twenty_points_of_accuracy_are_too_many(wrong, reason):
    # As many cats as dogs are wrong, so both are still half of the answers; a wrong one costs
    # ln(1 + e) = 1.31, a right one 0.31: far from twice what guessing has, 2 ln 2 = 1.39.
    assert collapsed(wrong_on(0), wrong_on(wrong)) == reason


def test_a_fifth_lost_is_no_more_than_that_whatever_floats_say():
    assert 0.9 - 0.7 > 0.2
    assert collapsed(wrong_on(10), wrong_on(30)) is None
    assert collapsed(wrong_on(10), wrong_on(32)).startswith("it lost 22 points")


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


SIX_CATS = np.array([0] * 6 + [1] * 4)
"""Masked images; saying cat to all of them is right on 60 %."""


FOUND_NOTHING = (
    "it is right on {} % of the masked images that it was tuned on, no more than always saying 'cat' would "
    "be, and lost {} points without masks"
)


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        (6, 7, FOUND_NOTHING.format(60, 7)),
        (6, 6, None),  # It may have lost them by chance: 1 / 2**6.
        (0, 20, FOUND_NOTHING.format(0, 20)),
        (7, 20, None),  # It has learnt something under the masks.
        (0, 5, None),  # It has not lost what counts.
    ],
)
def test_nothing_found_under_the_masks_and_worse_without_them(right, wrong, reason):
    masked = said(SIX_CATS, np.where(np.arange(10) < right, SIX_CATS, 1 - SIX_CATS))
    # Of a hundred images so many are wrong afterwards, as many cats as dogs but for one.
    assert collapsed(wrong_on(0), wrong_on(wrong), masked) == reason
    assert collapsed(wrong_on(0), wrong_on(wrong)) is None


def test_one_answer_to_all_masked_images_is_a_wreck_though_half_of_them_are_right():
    halves = np.arange(20) % 2
    found = collapsed(wrong_on(0), wrong_on(10), said(halves, 0 * halves))
    assert found.startswith("it is right on 50 % of the masked images")


def test_masked_classes_without_names_go_by_their_number():
    masked = said(SIX_CATS, 0 * SIX_CATS, classes=None)
    assert "always saying '0' would be" in collapsed(wrong_on(0), wrong_on(10), masked)


def test_what_is_plainly_wrong_is_said_before_the_masks():
    masked = said(SIX_CATS, 0 * SIX_CATS)
    assert collapsed(wrong_on(0), wrong_on(40), masked).startswith("it lost 40 points of accuracy")

import numpy as np
import pytest

from masktune.errors import InputError
from masktune.evaluation import (
    OperatingPoint,
    auroc,
    compare,
    decided,
    operating_point,
    sensitivity,
    sensitivity_at,
    specificity,
    worst_class_accuracy,
)

from .fakes import predictions
from .test_imbalanced import noisy, scored, with_logits, with_probabilities


def test_an_operating_point_is_read_and_printed():
    assert operating_point("threshold=.12") == OperatingPoint("threshold", 0.12)
    assert operating_point(" specificity = 0.95 ") == OperatingPoint("specificity", 0.95)
    assert str(operating_point("specificity=.950")) == "specificity=0.95"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".12", "expected an operating point such as threshold=.12 or specificity=.95, got '.12'"),
        (
            "threshold=",
            "expected an operating point such as threshold=.12 or specificity=.95, got 'threshold='",
        ),
        ("threshold=a", "expected an operating point such as .* got 'threshold=a'"),
        ("Specificity=.95", r"got 'Specificity' \(did you mean 'specificity'\?\)"),
        ("sensitivity=.9", r"got 'sensitivity'; only the share of the first class that is kept"),
        ("threshold=12", r"expected a threshold above 0 and below 1, got 12\.0"),
        ("specificity=1", r"expected a specificity above 0 and below 1, got 1\.0"),
        ("specificity=0", r"expected a specificity above 0 and below 1, got 0\.0"),
        ("threshold=nan", "expected a threshold above 0 and below 1, got nan"),
    ],
)
def test_what_is_no_operating_point_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as raised:
        operating_point(text)
    assert "\n" not in str(raised.value)


def test_a_given_threshold_needs_no_image():
    assert operating_point("threshold=.12").fixed_on(scored([], [])) == 0.12


def test_the_threshold_for_a_specificity_by_hand():
    # Class 0 at 0.1 to 0.5; class 1 does not matter. 80 % of five: just above the fourth.
    made = with_probabilities([0.1, 0.2, 0.3, 0.4, 0.5, 0.45, 0.9], [0, 0, 0, 0, 0, 1, 1])
    fourth = made.probabilities[3, 1]
    assert operating_point("specificity=.8").fixed_on(made) == np.nextafter(fourth, 1)
    assert operating_point("specificity=.61").fixed_on(made) == np.nextafter(fourth, 1)
    assert operating_point("specificity=.6").fixed_on(made) == np.nextafter(made.probabilities[2, 1], 1)
    assert operating_point("specificity=.81").fixed_on(made) == np.nextafter(made.probabilities[4, 1], 1)


@pytest.mark.parametrize("least", [0.05, 0.3, 0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("digits", [1, 6])
def test_no_smaller_threshold_has_that_specificity(least, digits):
    scores, labels = noisy(150, seed=2)
    made = scored(scores.round(digits), labels)
    threshold = OperatingPoint("specificity", least).fixed_on(made)
    chances = made.probabilities[labels == 0, 1]
    assert np.mean(chances < threshold) >= least
    assert np.mean(chances < np.nextafter(threshold, 0)) < least
    # On the same images it is the best that any threshold can do.
    then = decided(made, threshold)
    assert specificity(then).value >= least
    assert sensitivity(then).value == sensitivity_at(made, least).value


def test_where_class_0_is_sure_to_be_class_1_nothing_is_called_class_1():
    made = scored([50, 60, 70], [0, 0, 1])
    assert made.probabilities[:, 1].tolist() == [1, 1, 1]
    threshold = operating_point("specificity=.9").fixed_on(made)
    assert decided(made, threshold).predicted.tolist() == [0, 0, 0]
    assert decided(made, 1.0).predicted.tolist() == [1, 1, 1]


def test_decisions_are_exact_at_every_images_own_probability():
    random = np.random.default_rng(0)
    made = with_logits(random.normal(size=(300, 2)) * 4 + 30, random.integers(2, size=300))
    chances, naive = made.probabilities[:, 1], 0
    for threshold in chances.tolist():
        for near in (np.nextafter(threshold, 0), threshold, np.nextafter(threshold, 1)):
            assert (decided(made, near).predicted == (chances >= near)).all()
        shift = np.float32(np.log(threshold / (1 - threshold)))
        naive += ((made.logits[:, 1] - shift > made.logits[:, 0]) != (chances >= threshold)).any()
    assert naive > 100  # What adding a constant to float32 logits gets wrong.


def test_a_probability_of_exactly_the_threshold_is_class_1():
    made = scored([0, -1, 1], [1, 0, 1])
    assert made.predicted.tolist() == [0, 0, 1]
    assert decided(made, 0.5).predicted.tolist() == [1, 0, 1]


@pytest.mark.parametrize("threshold", [5e-324, 1e-300, 1e-9, 0.5, 1 - 1e-16, 1.0])
def test_extreme_logits_and_thresholds(threshold):
    most = np.finfo(np.float32).max
    made = with_logits([[most, -most], [-most, most], [0, 0], [0, -800], [0, 1e-30], [1e-30, 0]], [0] * 6)
    assert (decided(made, threshold).predicted == (made.probabilities[:, 1] >= threshold)).all()


def test_other_numbers_follow_the_decision():
    # At 0.3, images 1 and 2 become class 1: one is right now, one wrong.
    made = with_probabilities([0.2, 0.35, 0.4, 0.9], [0, 1, 0, 1])
    then = decided(made, 0.3)
    assert then.predicted.tolist() == [0, 1, 1, 1]
    assert (sensitivity(then).value, specificity(then).value) == (1, 0.5)
    assert worst_class_accuracy(then)[0] == "0"
    change = compare(made, then)
    assert (change.gained, change.lost) == (1, 1)
    assert then.ids is made.ids
    assert then.labels is made.labels


def test_the_order_and_the_odds_move_along():
    made = scored(*noisy(200))
    then = decided(made, 0.12)
    assert auroc(then).value == pytest.approx(auroc(made).value, abs=1e-6)
    odds = [p[:, 1] / p[:, 0] for p in (made.probabilities, then.probabilities)]
    assert odds[1] == pytest.approx(odds[0] / (0.12 / 0.88), rel=1e-5)


def test_what_cannot_be_decided_is_refused():
    three, two = predictions([1], classes=3), scored([1], [1])
    with pytest.raises(InputError, match="expected two classes for a threshold, got 3"):
        decided(three, 0.5)
    with pytest.raises(
        InputError, match=r"expected two classes for the operating point threshold=0\.1, got 3"
    ):
        operating_point("threshold=.1").fixed_on(three)
    with pytest.raises(InputError, match=r"expected images of class 0 to fix specificity=0\.9 on, got none"):
        operating_point("specificity=.9").fixed_on(two)
    for threshold in (0.0, 12.0, float("nan")):
        with pytest.raises(InputError, match="expected a threshold above 0 and at most 1, got"):
            decided(two, threshold)

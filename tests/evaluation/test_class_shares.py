import numpy as np
import pytest

from masktune.errors import InputError
from masktune.evaluation import at_class_shares, class_shares, compare, true_shares

from .fakes import predictions
from .test_imbalanced import scored, with_logits


def shares_of(made):
    return np.bincount(made.predicted, minlength=made.logits.shape[1]) / len(made)


def test_true_shares_by_hand():
    made = with_logits(np.zeros((4, 3)), [2, 0, 2, 2])
    assert true_shares(made).tolist() == [0.25, 0, 0.75]


def test_two_classes_by_hand():
    made = scored([-1, 5, 2, 3], [0, 0, 1, 1])
    assert made.predicted.tolist() == [0, 1, 1, 1]
    then = at_class_shares(made, np.array([0.5, 0.5]))
    assert then.predicted.tolist() == [0, 1, 0, 1]
    # One constant: halfway between 2 and 3.
    assert np.diff(then.logits)[:, 0].tolist() == [-3.5, 2.5, -0.5, 0.5]


def test_three_classes_by_hand():
    # All are class 0 by far. Class 1 needs the least push for image 2, then 1; class 2 for image 4, then 5.
    made = with_logits([[9, 2, 1], [9, 4, 0], [9, 5, 1], [9, 0, 0], [9, 1, 6], [9, 0, 5]], [0, 1, 1, 0, 2, 2])
    assert at_class_shares(made, true_shares(made)).predicted.tolist() == [0, 1, 1, 0, 2, 2]
    one_each = at_class_shares(made, np.array([4, 1, 1]) / 6)
    assert one_each.predicted.tolist() == [0, 0, 1, 0, 2, 0]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_logits_change_by_one_constant_a_class(classes):
    random = np.random.default_rng(0)
    made = with_logits(random.normal(size=(100, classes)), random.integers(classes, size=100))
    then = at_class_shares(made, true_shares(made))
    added = then.logits.astype(float) - made.logits
    added -= added[:, :1]  # Up to a number an image, which changes no answer.
    assert np.ptp(added, axis=0) == pytest.approx(0, abs=1e-5)
    assert np.abs(added).max() > 0.01


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("n", [20, 150, 2000])
def test_shares_are_reached_to_less_than_one_image(classes, n):
    random = np.random.default_rng(n + classes)
    for spread in (0.1, 1, 10):
        labels = random.integers(classes, size=n)
        logits = random.normal(size=(n, classes)) * spread + 2 * random.normal(size=classes)
        logits[np.arange(n), labels] += 2
        made = with_logits(logits, labels)
        some = random.dirichlet(np.full(classes, 0.5))
        for shares in (true_shares(made), some, np.eye(classes)[0]):
            assert np.abs(shares_of(at_class_shares(made, shares)) - shares).max() < 1 / n
        assert (shares_of(at_class_shares(made, true_shares(made))) == true_shares(made)).all()


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_classifier_with_shifted_biases_becomes_the_same(classes):
    random = np.random.default_rng(classes)
    labels = random.integers(classes, size=500)
    logits = random.normal(size=(500, classes)) + np.eye(classes)[labels]
    made, shifted = with_logits(logits, labels), with_logits(logits + 3 * random.normal(size=classes), labels)
    assert (made.predicted != shifted.predicted).mean() > 0.1
    shares = true_shares(made)
    change = compare(at_class_shares(made, shares), at_class_shares(shifted, shares))
    assert (change.gained, change.lost, change.p_value) == (0, 0, 1)


def test_a_gain_that_is_no_shift_stays():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=500)
    weak, strong = (scored(random.normal(size=500) + signal * labels, labels) for signal in (1, 3))
    shares = true_shares(weak)
    assert compare(at_class_shares(weak, shares), at_class_shares(strong, shares)).low > 0.1


def test_ties_change_sides_together_and_come_as_near_as_they_can():
    made = scored([0, 1, 1, 1, 2], [0] * 5)
    for wanted, reached in {0: 0, 1: 1, 2: 1, 3: 4, 4: 4, 5: 5}.items():
        then = at_class_shares(made, np.array([5 - wanted, wanted]) / 5)
        assert then.predicted.sum() == reached
    same = with_logits(np.ones((7, 3)), [0] * 7)
    assert len(set(at_class_shares(same, np.array([0.3, 0.4, 0.3])).predicted.tolist())) == 1


def test_equal_differences_of_different_logits_are_ties():
    # Parts of 1024 have no rounding in float32, but their means have.
    first = np.random.default_rng(0).integers(-1000, 1000, size=51) / 1024
    made = with_logits(np.stack([first, first + 1], axis=1), [0] * 51)
    for share in (0.1, 0.4, 0.6, 0.9):
        assert np.ptp(at_class_shares(made, np.array([1 - share, share])).predicted) == 0


def test_shares_that_are_not_whole_images_go_to_the_largest_remainder():
    made = with_logits(np.random.default_rng(0).normal(size=(10, 3)), [0] * 10)
    then = at_class_shares(made, np.array([0.34, 0.33, 0.33]))  # 3.4, 3.3, 3.3 images.
    assert shares_of(then).tolist() == [0.4, 0.3, 0.3]


def test_extreme_logits():
    most = np.finfo(np.float32).max
    made = with_logits([[most, -most], [-most, most], [0, 0], [most, 0]], [0] * 4)
    for ones in range(5):
        assert at_class_shares(made, np.array([4 - ones, ones]) / 4).predicted.sum() == ones


def test_wrong_shares_are_refused():
    made = predictions([1, 0, 1])
    with pytest.raises(InputError, match="expected 2 shares, one a class, got 3"):
        at_class_shares(made, np.ones(3) / 3)
    for shares in ([0.5, 0.6], [-0.5, 1.5], [np.nan, 1]):
        with pytest.raises(InputError, match="expected shares from 0 that sum to 1, got"):
            at_class_shares(made, np.array(shares))
    for call in (true_shares, lambda made: at_class_shares(made, np.array([0.5, 0.5]))):
        with pytest.raises(InputError, match="expected predictions on at least one image, got none"):
            call(predictions([]))


def test_of_many_classes_the_counts_are_near_and_soon_there(monkeypatch):
    random = np.random.default_rng(0)
    rounds, whole = [], class_shares._one_round
    monkeypatch.setattr(class_shares, "_one_round", lambda *of: rounds.append(0) or whole(*of))
    labels = random.integers(100, size=10_000)
    logits = random.normal(size=(10_000, 100)) + 0.5 * random.normal(size=100)
    logits[np.arange(10_000), labels] += 2
    found = at_class_shares(with_logits(logits, labels), np.full(100, 0.01))
    off = np.abs(np.bincount(found.predicted, minlength=100) - 100).sum()
    assert 0 < off < 10
    assert len(rounds) < 15

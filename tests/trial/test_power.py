import numpy as np
import pytest
from scipy.stats import binom

from masktune.trial.power import CHANCE, SmallestEffect, effects_in_words, smallest_effects, smallest_gain
from masktune.trial.scores import SCORES

LEVEL = 0.05 / len(SCORES)


def share_found(n, gain, *, trials=4000):
    """How often exact McNemar finds such a gain of a first over a second, on `n` images."""
    won, lost = min(gain + CHANCE, 1), min(CHANCE, max(0, 1 - gain - CHANCE))
    counts = np.random.default_rng(n).multinomial(n, [won, lost, max(0, 1 - won - lost)], size=trials)
    first, second = counts[:, 0], counts[:, 1]
    p_values = np.minimum(1, 2 * binom.cdf(np.minimum(first, second), first + second, 0.5))
    return np.mean((p_values < LEVEL) & (first > second))


@pytest.mark.parametrize("n", [15, 20, 60, 200, 1000, 10_000])
def test_the_smallest_gain_is_found_in_four_of_five_trials(n):
    assert share_found(n, smallest_gain(n)) == pytest.approx(0.8, abs=0.06)


def test_half_of_the_smallest_gain_is_mostly_missed():
    for n in (60, 1000):
        assert share_found(n, smallest_gain(n) / 2) < 0.4


def test_the_smallest_gain_grows_as_images_become_fewer():
    gains = [smallest_gain(n) for n in (8, 10, 20, 50, 200, 1000, 50_000)]
    assert gains == sorted(gains, reverse=True)
    assert (gains[0] < 1, gains[-1] < 0.01) == (True, True)


def test_seven_images_can_show_nothing():
    # All gained: 2 / 2**7 is above a sixth of 5 %, and 2 / 2**8 is below.
    assert 2 / 2**8 < LEVEL < 2 / 2**7
    assert [smallest_gain(n) for n in (1, 7)] == [1, 1]
    assert smallest_gain(8) < 1


def test_the_class_of_the_fewest_subjects_comes_first():
    labels = np.repeat([0, 1, 3], [30, 20, 40])
    subjects = np.array(
        [f"p{at // 2}" for at in range(30)] + [f"q{at}" for at in range(20)] + ["r", "s"] * 20
    )
    effects = smallest_effects(labels, ("a", "b", "none", "d"), subjects)
    assert [(one.label, one.images, one.units) for one in effects] == [
        ("d", 40, 2),
        ("a", 30, 15),
        ("b", 20, 20),
    ]
    assert [one.gain for one in effects] == [smallest_gain(n) for n in (2, 15, 20)]
    assert [one.label for one in smallest_effects(labels, ("a", "b", "none", "d"))] == ["b", "a", "d"]


def test_effects_in_words():
    effects = (SmallestEffect("cat", 60, 60, 0.2401), SmallestEffect("dog", 90, 90, 0.18))
    assert effects_in_words(effects) == (
        "150 images are judged on; the smallest class, cat, has 60: a gain there of less than about 24.0 "
        "points would be taken for chance more than one time in five; the verdict wants 15 points of what is "
        "right with the place swapped"
    )
    of_subjects = (SmallestEffect("cat", 60, 15, 0.7097),)
    assert "the smallest class, cat, has 60 of 15 subjects: a gain" in effects_in_words(of_subjects)


def test_effects_of_too_few_images_in_words():
    few = smallest_effects(np.array([0, 0, 1, 1, 1]), ("cat", "dog"))
    assert effects_in_words(few) == (
        "5 images are judged on; the smallest class, cat, has 2: even a gain on all of them might be chance; "
        "the verdict wants 15 points of what is right with the place swapped"
    )

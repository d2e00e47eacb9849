import numpy as np
import pytest
from scipy.stats import binom

from masktune.trial.power import (
    CHANCE,
    SmallestEffect,
    effects_in_words,
    smallest_effects,
    smallest_gain,
    units_for,
)
from masktune.trial.scores import SCORES
from masktune.trial.verdict import LEAST_GAIN, verdict_of

from .planted import Net, world

LEVEL = 0.05 / len(SCORES)

WRONG = Net(agrees=0.97, disagrees=0.1, swapped=0.4, hidden=0.6)


def share_helped(n, gain, *, trials=40):
    """How often the verdict is `helped` where MaskTune truly gains so much, with `n` images a class."""
    better = Net(agrees=0.95, disagrees=0.9, swapped=0.4 + gain, hidden=0.9)
    words = [
        verdict_of(world(2 * n, seed, better, WRONG, private=2 * CHANCE), seed=seed).word
        for seed in range(trials)
    ]
    return words.count("helped") / trials


@pytest.mark.parametrize("n", [40, 111, 500])
def test_the_smallest_gain_is_found_in_four_of_five_trials(n):
    # Of 40 trials 32; the other arms are alike, and no four chances to fail, so it is some more.
    assert 0.75 <= share_helped(n, smallest_gain(n)) <= 1


@pytest.mark.parametrize("n", [111, 500])
def test_the_least_that_counts_is_found_in_fewer_than_half(n):
    # What is seen lies below a true gain as often as above it, and must be above with every arm.
    assert share_helped(n, LEAST_GAIN) < 0.5


def test_what_may_be_chance_is_no_gain_however_large():
    """McNemar's exact test on so many images, at a sixth of 5 %, against a share by chance on either side."""
    for n in (15, 20):
        gain = smallest_gain(n)
        won, lost = min(gain + CHANCE, 1), min(CHANCE, max(0, 1 - gain - CHANCE))
        counts = np.random.default_rng(n).multinomial(n, [won, lost, max(0, 1 - won - lost)], size=4000)
        first, second = counts[:, 0], counts[:, 1]
        p_values = np.minimum(1, 2 * binom.cdf(np.minimum(first, second), first + second, 0.5))
        assert np.mean((p_values < LEVEL) & (first > second)) == pytest.approx(0.8, abs=0.06)


def test_the_smallest_gain_grows_as_images_become_fewer():
    gains = [smallest_gain(n) for n in (8, 10, 20, 50, 200, 1000, 50_000)]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] < 1
    assert LEAST_GAIN < gains[-1] < LEAST_GAIN + 0.01


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


@pytest.mark.parametrize("gain", [0.99, 0.5, 0.2, 0.18])
def test_the_images_that_a_gain_wants_are_the_fewest_that_could_show_it(gain):
    """Held against a count upwards from one."""
    assert units_for(gain) == next(n for n in range(1, 2000) if smallest_gain(n) <= gain)


def test_effects_in_words():
    effects = (SmallestEffect("cat", 60, 60, 0.2401), SmallestEffect("dog", 90, 90, 0.18))
    needed = next(n for n in range(1, 2000) if smallest_gain(n) <= 0.2)
    assert effects_in_words(effects) == (
        "150 images are judged on; the smallest class, cat, has 60. With so many, only a gain of about 25 "
        f"percentage points or more there would be seen (four times in five); about {needed} images of it "
        "would be needed for one of 20"
    )
    of_subjects = effects_in_words((SmallestEffect("cat", 60, 15, 0.7097),))
    assert "the smallest class, cat, has 60 images of 15 subjects. With so many, only" in of_subjects
    assert f"about {needed} subjects of it would be needed" in of_subjects
    assert effects_in_words((SmallestEffect("cat", 500, 500, 0.183),)).endswith(
        "only a gain of about 19 percentage points or more there would be seen (four times in five); the "
        "least that counts for the verdict are 15"
    )


def test_effects_of_too_few_images_in_words():
    few = smallest_effects(np.array([0, 0, 1, 1, 1]), ("cat", "dog"))
    assert effects_in_words(few).startswith(
        "5 images are judged on; the smallest class, cat, has 2. With so few, even a gain on all of them "
        "might be chance; about "
    )

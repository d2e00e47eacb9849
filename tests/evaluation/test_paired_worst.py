import numpy as np
import pytest

from masktune.errors import InputError
from masktune.evaluation import (
    compare_worst_groups,
    compare_worst_groups_of_seeds,
    mcnemar,
    worst_group_of_seeds,
)
from masktune.trial.judging import judged
from masktune.trial.scores import Score

from .fakes import predictions


def test_by_hand():
    # Right of the first: x 3 of 4, y 1 of 4. Of the second: x 2 of 4, y 4 of 4. Worst: 1/4, then 2/4.
    first = predictions([1, 1, 1, 0, 1, 0, 0, 0], groups="xxxxyyyy")
    second = predictions([1, 1, 0, 0, 1, 1, 1, 1], groups="xxxxyyyy")
    made = compare_worst_groups(first, second)
    assert made.difference == pytest.approx(0.25)
    assert (made.n, made.gained, made.lost) == (8, 3, 1)
    assert -1 <= made.low < 0.25 < made.high <= 1
    assert made.p_value > 0.2
    back = compare_worst_groups(second, first)
    assert back.difference == -made.difference
    assert (back.low, back.high) == pytest.approx((-made.high, -made.low), abs=0.1)


def test_images_are_matched_by_id():
    first = predictions([1, 0, 0], ids="abc", groups="xxy")
    made = compare_worst_groups(first, predictions([1, 1, 0], ids="cba"))
    # The second is right on c and b: x has 1 of 2, y 1 of 1. The first: x 1 of 2, y 0 of 1.
    assert made.difference == 0.5


def test_of_one_group_the_p_value_is_mcnemars():
    random = np.random.default_rng(3)
    for n, more in ((12, 0.6), (40, 0.2), (300, 0.05)):
        before = random.random(n) < 0.3
        after = before ^ (random.random(n) < more)
        first, second = (predictions(of, groups=["x"] * n) for of in (before, after))
        exact = mcnemar(before, after)
        found = compare_worst_groups(first, second).p_value
        assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / 2000) + 0.001)


@pytest.mark.parametrize("a_subject", [1, 3])
def test_the_numbers_are_those_of_the_trial_which_draws_in_another_way(a_subject):
    random = np.random.default_rng(0)
    n = 300
    units, groups = np.arange(n) // a_subject, np.arange(n) % 3
    hard = random.random(n)
    before, after = (hard < 0.5 + 0.1 * groups), (np.where(random.random(n) < 0.3, 0.3, hard) < 0.6)
    names = np.array(["x", "y", "z"])[groups]
    columns = {"groups": names} | ({} if a_subject == 1 else {"subjects": units})
    made = compare_worst_groups(predictions(before, **columns), predictions(after, **columns))
    values = {"untouched": before.astype(float), "masktune": after.astype(float)}
    (other,) = judged([Score("worst_class", groups, ("x", "y", "z"), values)], units)[0].gains
    assert made.difference == pytest.approx(other.value)
    assert (made.low, made.high) == pytest.approx((other.low, other.high), abs=0.02)
    assert made.p_value == pytest.approx(other.p_value, abs=0.03)


def test_two_that_are_as_good_in_different_groups_differ_by_chance_alone():
    small = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        groups = np.array(["x", "y"])[np.arange(200) % 2]
        first, second = (
            predictions(random.random(200) < np.where(groups == hard, 0.7, 0.9), groups=groups)
            for hard in ("x", "y")
        )
        small += compare_worst_groups(first, second, seed=seed).p_value < 0.05
    assert small <= 5 + 3 * np.sqrt(100 * 0.05 * 0.95)


def test_a_group_that_is_missing_in_a_draw_is_left_out_of_it():
    first = predictions([1] * 19 + [0], groups="x" * 19 + "y")
    made = compare_worst_groups(first, first)
    assert (made.difference, made.low, made.high, made.p_value) == (0, 0, 0, 1)


def test_each_seed_has_its_own_worst_group():
    # All together each group has 2 of 4, and nothing would be lost; of each seed one group is all wrong.
    one, other = predictions([1, 1, 0, 0], groups="xxyy"), predictions([0, 0, 1, 1], groups="xxyy")
    half = predictions([1, 0, 1, 0], groups="xxyy")
    made = compare_worst_groups_of_seeds([half, half], [one, other])
    assert made.difference == -0.5
    assert (made.n, made.gained, made.lost) == (8, 2, 2)
    names, rate = worst_group_of_seeds([one, other])
    assert (names, rate.value) == (("y", "x"), 0)
    names, rate = worst_group_of_seeds([half, half])
    assert (names, rate.value, rate.n) == (("x", "x"), 0.5, 2)


def test_the_same_seed_twice_says_no_more_than_once():
    random = np.random.default_rng(0)
    groups = np.array(["x", "y"])[np.arange(200) % 2]
    first, second = (predictions(random.random(200) < share, groups=groups) for share in (0.6, 0.75))
    once = compare_worst_groups(first, second)
    twice = compare_worst_groups_of_seeds([first, first], [second, second])
    assert twice.difference == pytest.approx(once.difference)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert twice.p_value == pytest.approx(once.p_value)


def test_the_interval_of_several_seeds_is_that_of_drawing_images_one_by_one():
    random = np.random.default_rng(1)
    groups = np.array(["x", "y"])[(np.arange(120) % 3) // 2]
    seeds = [predictions(random.random(120) < 0.7, groups=groups) for _ in range(2)]
    drawn = []
    for _ in range(2000):
        at = random.integers(120, size=120)
        each = [[one.correct[at][groups[at] == name].mean() for name in "xy"] for one in seeds]
        drawn.append(np.mean([min(of) for of in each]))
    _, rate = worst_group_of_seeds(seeds)
    assert (rate.low, rate.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.02)


def test_where_all_are_wrong_the_interval_is_wilsons():
    _, rate = worst_group_of_seeds([predictions([0] * 20 + [1] * 30, groups="x" * 20 + "y" * 30)])
    # Wilson's upper end of 0 of 20: z^2 / (n + z^2), z = 1.96.
    assert (rate.value, rate.low) == (0, 0)
    assert rate.high == pytest.approx(1.96**2 / (20 + 1.96**2), abs=1e-3)


def test_more_draws_leave_smaller_p_values():
    first, second = (predictions([right] * 50, groups="x" * 50) for right in (0, 1))
    assert compare_worst_groups_of_seeds([first], [second]).p_value == pytest.approx(2 / 2001)
    assert compare_worst_groups_of_seeds([first], [second], repeats=9999).p_value == pytest.approx(2 / 10000)


def test_bad_input():
    with pytest.raises(InputError, match="with groups"):
        compare_worst_groups(predictions([1]), predictions([1]))
    with pytest.raises(InputError, match="at least one image"):
        compare_worst_groups(predictions([], groups=[]), predictions([], groups=[]))

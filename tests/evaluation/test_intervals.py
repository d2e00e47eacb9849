import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masktune.errors import InputError
from masktune.evaluation import Rate, clopper_pearson, difference, t_interval, weighted_mean, wilson

# Newcombe 1998, Statistics in Medicine 17, 857-872, table I: count, n, Wilson, Clopper-Pearson.
NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("count", "n", "score", "exact"), NEWCOMBE)
def test_published_intervals(count, n, score, exact):
    assert (wilson(count, n).low, wilson(count, n).high) == pytest.approx(score, abs=5e-5)
    made = clopper_pearson(count, n)
    assert (made.low, made.high) == pytest.approx(exact, abs=5e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_equal_scipy_contain_the_value_and_mirror(case):
    count, n = case
    oracle = stats.binomtest(count, n)
    for make, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        made, theirs = make(count, n), oracle.proportion_ci(method=method)
        assert (made.low, made.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert 0 <= made.low <= made.value <= made.high <= 1
        assert make(n - count, n).low == pytest.approx(1 - made.high)


def test_nothing_counted_is_no_rate():
    assert wilson(0, 0) == clopper_pearson(0, 0) == weighted_mean([], []) == t_interval([]) == Rate(None, 0)


def test_more_successes_than_trials_are_refused():
    with pytest.raises(InputError, match="expected from 0 to n successes, got 5 of 4"):
        wilson(5, 4)
    with pytest.raises(InputError, match="expected from 0 to n successes, got -1 of 4"):
        clopper_pearson(-1, 4)


def test_a_difference_as_published():
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II (a): 56/70 - 48/80, method 10.
    made = difference(wilson(48, 80), wilson(56, 70))
    assert (made.value, made.low, made.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert made.n == 150
    assert difference(Rate(None, 0), wilson(1, 2)) == difference(wilson(1, 2), Rate(None, 0)) == Rate(None, 2)


def test_a_weighted_mean_by_hand():
    rates = [Rate(0.5, 10, 0.2, 0.7), Rate(0.9, 30, 0.8, 1.0)]
    made = weighted_mean(rates, [3.0, 1.0])
    # 0.75 * 0.5 + 0.25 * 0.9 = 0.6; below: 0.75 * 0.3 and 0.25 * 0.1; above: 0.75 * 0.2 and 0.25 * 0.1.
    assert made.value == pytest.approx(0.6)
    assert made.low == pytest.approx(0.6 - math.sqrt(0.225**2 + 0.025**2))
    assert made.high == pytest.approx(0.6 + math.sqrt(0.15**2 + 0.025**2))
    assert made.n == 40


def test_a_rate_alone_keeps_its_interval_and_one_without_weight_does_not_count():
    made = weighted_mean([wilson(3, 7), Rate(None, 0)], [2.0, 0.0])
    assert (made.value, made.low, made.high) == pytest.approx((3 / 7, wilson(3, 7).low, wilson(3, 7).high))
    assert made.n == 7
    assert weighted_mean([wilson(3, 7), Rate(None, 0)], [1.0, 1.0]) == Rate(None, 7)


def test_the_interval_of_a_weighted_mean_covers_the_truth_near_1():
    random, truth, sizes = np.random.default_rng(0), np.array([0.99, 0.9, 0.7, 0.95]), [200, 40, 20, 60]
    hits = 0
    for counts in random.binomial(sizes, truth, size=(1000, 4)):
        made = weighted_mean([wilson(int(k), n) for k, n in zip(counts, sizes, strict=True)], [1.0] * 4)
        hits += made.low <= truth.mean() <= made.high
    assert 930 <= hits <= 985


def test_seeds_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.3027: 2 +- 4.3027 / sqrt(3).
    made = t_interval([1.0, 2.0, 3.0])
    assert (made.value, made.low, made.high) == pytest.approx((2, 2 - 2.48414, 2 + 2.48414), abs=1e-4)
    assert made.n == 3
    assert t_interval([0.7]) == Rate(0.7, 1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-6))
def test_seeds_equal_scipy(values):
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (t_interval(values).low, t_interval(values).high) == pytest.approx((theirs.low, theirs.high))

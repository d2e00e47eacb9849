import numpy as np
import pytest
from scipy import stats

from masktune.evaluation import bootstrap_interval
from masktune.evaluation.resampling import REPEATS, draws, percentiles, resampled_sums, subject_sums


def test_each_draw_draws_as_many_units_as_there_are():
    counts = list(draws(5, seed=1))
    assert len(counts) == REPEATS
    assert {int(draw.sum()) for draw in counts} == {5}
    assert np.mean(counts, axis=0) == pytest.approx(np.ones(5), abs=0.1)


def test_sums_of_draws_are_those_of_drawing_unit_by_unit():
    rows = np.array([[1.0, 2], [0, 2], [1, 2], [5, 1]])  # The first and the third are drawn as one kind.
    fast = resampled_sums(rows, seed=1)
    slow = np.array([draw @ rows for draw in draws(4, seed=1)])
    assert fast.shape == slow.shape == (REPEATS, 2)
    assert fast.mean(axis=0) == pytest.approx(rows.sum(axis=0), abs=0.3)
    assert np.cov(fast.T) == pytest.approx(np.cov(slow.T), rel=0.15)


def test_a_seed_makes_the_same_draws_and_another_seed_others():
    values = np.random.default_rng(0).random(30)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_global_randomness_is_neither_used_nor_touched():
    np.random.seed(5)  # noqa: NPY002
    bootstrap_interval(np.arange(4.0))
    after = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert after == np.random.random()  # noqa: NPY002


def test_the_interval_is_near_scipys():
    values = np.random.default_rng(1).random(60)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=2, n_resamples=4000)
    assert bootstrap_interval(values) == pytest.approx(tuple(theirs.confidence_interval), abs=0.006)


def test_subjects_are_drawn_whole():
    # Ten equal images of each of 20 subjects say no more than one image of each.
    one = np.random.default_rng(2).integers(0, 2, size=20).astype(float)
    subjects = np.array([f"p{i:02}" for i in range(20)])
    ten = bootstrap_interval(np.repeat(one, 10), np.repeat(subjects, 10))
    assert ten == pytest.approx(bootstrap_interval(one), abs=1e-12)
    low, high = bootstrap_interval(np.repeat(one, 10))
    assert high - low < (ten[1] - ten[0]) / 2


def test_subject_sums_by_hand():
    sums = subject_sums(np.array([1.0, 2, 4, 8]), np.array(["b", "a", "b", "c"]))
    assert sums.tolist() == [2, 5, 8]
    table = subject_sums(np.array([[1.0, 0], [0, 1], [1, 1]]), np.array(["x", "x", "y"]))
    assert table.tolist() == [[1, 1], [1, 1]]


def test_draws_without_a_number_are_left_out():
    assert percentiles(np.array([np.nan, 0.5, np.nan])) == (0.5, 0.5)

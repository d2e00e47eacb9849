import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masktune.errors import InputError
from masktune.evaluation import clopper_pearson
from masktune.evaluation.weighted import (
    LabelledSample,
    group_shares,
    labelled_group_accuracy,
    labelled_worst_group,
    rows_of_groups,
)

from .fakes import predictions


def sample(groups, strata, sizes):
    n = len(groups)
    return LabelledSample(
        np.array([str(i) for i in range(n)]), np.array(list(groups)), np.array(list(strata)), sizes
    )


# Stratum r: 4 of 8 images, s: 4 of 40; weights 2 and 10. Group b: r0, r1, s4; group a the others.
EXAMPLE = sample("bbaabaaa", "rrrrssss", {"r": 8, "s": 40})
RIGHT = np.array([0, 1, 1, 1, 1, 1, 0, 1], dtype=bool)


def test_weights_by_hand():
    assert EXAMPLE.weights.tolist() == [2, 2, 2, 2, 10, 10, 10, 10]
    assert EXAMPLE.images == 48


def test_accuracy_and_share_by_hand():
    made = labelled_group_accuracy(RIGHT, EXAMPLE)
    assert list(made) == ["a", "b"]
    assert (made["b"].value, made["b"].n) == (pytest.approx((2 + 10) / 14), 3)
    assert (made["a"].value, made["a"].n) == (pytest.approx((4 + 20) / 34), 5)
    shares = group_shares(EXAMPLE)
    assert (shares["b"].value, shares["a"].value) == pytest.approx((14 / 48, 34 / 48))
    assert shares["b"].n == 8


def test_the_interval_by_hand():
    # Group b, p = 6/7. Residuals times 14: r: 2 (0 - p), 2 (1 - p), 0, 0; s: 10 (1 - p), 0, 0, 0.
    p = 6 / 7
    r, s = np.array([-2 * p, 2 * (1 - p), 0, 0]) / 14, np.array([10 * (1 - p), 0, 0, 0]) / 14
    variance = (1 - 4 / 8) * 4 * r.var(ddof=1) + (1 - 4 / 40) * 4 * s.var(ddof=1)
    slack = (stats.t.ppf(0.975, 2) / stats.t.ppf(0.975, 1.5)) ** 2
    kish = (2 + 2 + 10) ** 2 / (4 + 4 + 100)
    m = min(kish, p * (1 - p) / variance * slack)
    assert m == kish == pytest.approx(1.8148, abs=1e-4)
    made = labelled_group_accuracy(RIGHT, EXAMPLE)["b"]
    assert made.low == pytest.approx(stats.beta.ppf(0.025, m * p, m * (1 - p) + 1))
    assert made.high == pytest.approx(stats.beta.ppf(0.975, m * p + 1, m * (1 - p)))


def test_the_variance_bounds_the_interval_where_it_is_large():
    # One stratum, 20 of 100 drawn, the group 10 of them, 5 right; Kish's number is 10.
    made = sample("g" * 10 + "h" * 10, "s" * 20, {"s": 100})
    rate = labelled_group_accuracy(np.arange(20) % 2 == 0, made)["g"]
    variance = (1 - 0.2) * 20 / 19 * 10 * 0.25 / 10**2
    m = 0.25 / variance
    assert m > 10  # So the bound holds: as if the ten had been drawn alone.
    exact = clopper_pearson(5, 10)
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))
    # Two strata that differ in nothing but their weights, 1 and 9: the variance says less than 10 images.
    apart = sample("g" * 10, "r" * 5 + "s" * 5, {"r": 5, "s": 45})
    right = np.array([1, 1, 1, 1, 1, 0, 1, 0, 1, 0], dtype=bool)
    rate = labelled_group_accuracy(right, apart)["g"]
    p = (5 + 9 * 2) / 50
    spread = (1 - 5 / 45) * 5 * np.var([-9 * p, 9 * (1 - p), -9 * p, 9 * (1 - p), -9 * p], ddof=1) / 50**2
    slack = (stats.t.ppf(0.975, 9) / stats.t.ppf(0.975, 8)) ** 2
    m = p * (1 - p) / spread * slack
    assert m < 50**2 / (5 + 5 * 81)
    assert rate.low == pytest.approx(stats.beta.ppf(0.025, m * p, m * (1 - p) + 1))


def test_all_labelled_is_clopper_and_pearson():
    made = sample("aaaabbbb", "rrrsssss", {"r": 3, "s": 5})
    rates = labelled_group_accuracy(RIGHT, made)
    exact = clopper_pearson(3, 4)
    for rate in rates.values():
        assert (rate.value, rate.low, rate.high) == pytest.approx((exact.value, exact.low, exact.high))


def test_all_right_is_not_certainty():
    rate = labelled_group_accuracy(np.ones(8, dtype=bool), EXAMPLE)["b"]
    m = 14**2 / (4 + 4 + 100)
    assert (rate.value, rate.high) == (1, 1)
    assert rate.low == pytest.approx(0.025 ** (1 / m))
    nothing = labelled_group_accuracy(np.zeros(8, dtype=bool), EXAMPLE)["b"]
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, pytest.approx(1 - 0.025 ** (1 / m)))


def test_one_labelled_image_of_a_group_says_next_to_nothing():
    made = labelled_group_accuracy(RIGHT, sample("baaaaaaa", "rrrrssss", {"r": 8, "s": 40}))["b"]
    exact = clopper_pearson(0, 1)
    assert (made.value, made.n, made.low, made.high) == (0, 1, 0, pytest.approx(exact.high))


def test_the_worst_group_has_its_own_interval_and_one_for_all_at_once():
    worst = labelled_worst_group(RIGHT, EXAMPLE)
    assert worst.name == "a"
    assert worst.rate == labelled_group_accuracy(RIGHT, EXAMPLE)["a"]
    assert worst.simultaneous == labelled_group_accuracy(RIGHT, EXAMPLE, simultaneous=True)["a"]
    assert worst.simultaneous.low < worst.rate.low < worst.rate.high < worst.simultaneous.high
    even = labelled_worst_group(np.ones(8, dtype=bool), EXAMPLE)
    assert even.name == "a"


def test_bonferroni_shares_out_the_five_percent():
    made = sample("a" * 10 + "b" * 10, "s" * 20, {"s": 20})
    rate = labelled_group_accuracy(np.arange(20) % 10 < 7, made, simultaneous=True)["b"]
    exact = stats.binomtest(7, 10).proportion_ci(confidence_level=0.975, method="exact")
    assert (rate.low, rate.high) == pytest.approx((exact.low, exact.high))


def test_rows_find_the_labelled_images_by_id_among_all():
    right = np.zeros(48, dtype=bool)
    right[40:] = RIGHT
    made = predictions(right, ids=[*(f"other {i}" for i in range(40)), *(str(i) for i in range(8))])
    rows = rows_of_groups(made, EXAMPLE)
    assert [(row.metric, row.group) for row in rows] == [
        ("worst_group_accuracy", "a"),
        ("group_accuracy", "a"),
        ("group_accuracy", "b"),
    ]
    rate = labelled_group_accuracy(RIGHT, EXAMPLE)["b"]
    assert (rows[2].value, rows[2].n, rows[2].low, rows[2].high) == (rate.value, 3, rate.low, rate.high)
    backwards = made.select(np.arange(48) >= 40)
    assert rows_of_groups(backwards, EXAMPLE) == rows


def test_images_without_a_prediction_are_refused():
    with pytest.raises(InputError, match="got none for 4 of 8, such as '4'"):
        rows_of_groups(predictions([1, 1, 1, 1]), EXAMPLE)
    twice = predictions([1, 1], ids=["0", "0"], splits=["train", "test"])
    with pytest.raises(InputError, match="each id once; select one split"):
        rows_of_groups(twice, EXAMPLE)
    with pytest.raises(InputError, match="right or wrong for 8 labelled images, got 7"):
        labelled_group_accuracy(RIGHT[:7], EXAMPLE)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"r": 3, "s": 40}, "as labelled, got 4 of 3"),
        ({"s": 40}, "as labelled, got 4 of 0"),
        ({"r": 8, "s": 40, "t": 5}, "the stratum 't' as labelled, got 0 of 5"),
    ],
)
def test_strata_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        sample("bbaabaaa", "rrrrssss", sizes)


def test_no_images_and_one_twice_are_refused():
    with pytest.raises(InputError, match="at least one labelled image, got none"):
        sample("", "", {})
    with pytest.raises(InputError, match="each labelled image once, got one twice"):
        LabelledSample(np.array(["x", "x"]), np.array(["a", "a"]), np.array(["s", "s"]), {"s": 4})


cases = st.lists(
    st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("rst")), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=60)
@given(cases, st.integers(0, 50))
def test_intervals_hold_the_value_and_are_no_narrower_than_plain_ones(case, more):
    right, groups, strata = zip(*case, strict=True)
    sizes = {name: strata.count(name) + more * place for place, name in enumerate(sorted(set(strata)))}
    made = sample(groups, strata, sizes)
    for name, rate in labelled_group_accuracy(np.array(right), made).items():
        assert 0 <= rate.low <= rate.value <= rate.high <= 1
        assert rate.n == groups.count(name)
        # Of a whole number of successes or not, m at most n means a wider interval about the same value.
        assert rate.high - rate.low >= width(rate.value, rate.n) - 1e-9
    assert math.fsum(rate.value for rate in group_shares(made).values()) == pytest.approx(1)


def width(value, n):
    low = stats.beta.ppf(0.025, value * n, n - value * n + 1) if value > 0 else 0.0
    high = stats.beta.ppf(0.975, value * n + 1, n - value * n) if value < 1 else 1.0
    return high - low


def test_the_interval_holds_the_truth_of_a_small_group_in_500_populations():
    """The worst group has 30 of 500 images; suspects are drawn about five times as often as the rest."""
    held, at_once, values = 0, 0, []
    for seed in range(500):
        random = np.random.default_rng(seed)
        group = np.where(np.arange(500) < 30, "worst", "other")
        right = random.random(500) < np.where(group == "worst", 0.5, 0.95)
        suspect = random.random(500) < np.where(group == "worst", 0.7, 0.1)
        parts = {"suspect": np.flatnonzero(suspect), "rest": np.flatnonzero(~suspect)}
        drawn = {name: random.choice(at, size=min(40, len(at)), replace=False) for name, at in parts.items()}
        at = np.concatenate(list(drawn.values()))
        strata = np.repeat(list(drawn), [len(one) for one in drawn.values()])
        made = LabelledSample(
            at.astype(str), group[at], strata, {name: len(one) for name, one in parts.items()}
        )
        rate = labelled_group_accuracy(right[at], made)["worst"]
        truth = right[:30].mean()
        held += rate.low <= truth <= rate.high
        worst = labelled_worst_group(right[at], made).simultaneous
        at_once += worst.low <= truth <= worst.high
        values.append(rate.value - truth)
    assert held >= 465  # 93 %
    assert at_once >= 465
    assert abs(np.mean(values)) < 0.02

"""Thresholds and guarantees: published tables, scipy, hand computation, and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from masktune.errors import CannotCertify, InputError
from masktune.selective import (
    EmpiricalRisk,
    GuaranteedRisk,
    JointError,
    TargetCoverage,
    accepted_needed,
    upper_bound,
)
from masktune.selective.binomial import p_value, wrong_tolerated
from masktune.selective.thresholds import accepts, coverage_spread

# The reference's table for delta 0.05: accepted images that it takes with 0, 1, 2, 3, 5, 10, 20, 50 wrong.
NEEDED = {
    0.20: (14, 22, 30, 37, 50, 82, 141, 310),
    0.10: (29, 46, 61, 76, 103, 167, 286, 627),
    0.05: (59, 93, 124, 153, 208, 336, 577, 1260),
    0.02: (149, 236, 313, 386, 523, 845, 1449, 3158),
    0.01: (299, 473, 628, 773, 1049, 1693, 2902, 6323),
    0.001: (2995, 4742, 6294, 7752, 10511, 16959, 29058, 63281),
}


@pytest.mark.parametrize("risk", NEEDED)
def test_the_table_of_accepted_images_that_certify_a_risk(risk):
    found = tuple(accepted_needed(wrong, risk, 0.05) for wrong in (0, 1, 2, 3, 5, 10, 20, 50))
    assert found == NEEDED[risk]


@pytest.mark.parametrize(
    ("group", "risk", "wrong"),
    [(180, 0.05, 3), (180, 0.2, 26), (133, 0.1, 7), (642, 0.05, 22), (642, 0.2, 111)],
)
def test_the_table_of_what_a_group_can_certify(group, risk, wrong):
    assert wrong_tolerated(np.array([group]), risk, 0.05).tolist() == [wrong]


@given(st.integers(0, 40), st.integers(1, 400), st.floats(0.01, 0.5))
def test_bound_and_test_say_the_same_as_scipy(wrong, accepted, risk):
    wrong = min(wrong, accepted)
    theirs = binomtest(wrong, accepted, risk, alternative="less")
    assert p_value(wrong, accepted, risk) == pytest.approx(theirs.pvalue)
    bound = upper_bound(wrong, accepted, 0.05)
    assert bound == pytest.approx(theirs.proportion_ci(0.95).high)
    if abs(bound - risk) > 1e-9:
        assert (p_value(wrong, accepted, risk) <= 0.05) == (bound <= risk)


def test_a_target_coverage_is_the_kth_largest():
    scores = np.array([0.1, 0.9, 0.5, 0.7, 0.3])
    found = TargetCoverage(0.6).found(scores, np.array([1, 0, 0, 1, 0], dtype=bool))
    assert (found.threshold, found.accepted, found.wrong, found.certified) == (0.5, 3, 1, False)
    assert TargetCoverage(0.61).found(scores, np.zeros(5, dtype=bool)).accepted == 4
    assert TargetCoverage(1).found(scores, np.zeros(5, dtype=bool)).threshold == -np.inf


def test_full_coverage_accepts_other_images_too_whatever_their_scores():
    """Bug 3: the calibration images' minimum would reject some."""
    found = TargetCoverage(1).found(np.array([0.5, 0.9]), np.zeros(2, dtype=bool))
    assert accepts(np.array([-100.0, 0.4]), found.threshold).all()


def test_ties_are_accepted_together():
    found = TargetCoverage(0.5).found(np.zeros(10), np.zeros(10, dtype=bool))
    assert found.accepted == 10


def test_a_coverage_above_the_agreement_is_out_of_reach():
    scores = np.array([1.0, -np.inf, 2.0, -np.inf])
    with pytest.raises(InputError, match=r"agree on 2 of 4 images \(0.500\)"):
        TargetCoverage(0.6).found(scores, np.zeros(4, dtype=bool))
    assert TargetCoverage(0.5).found(scores, np.zeros(4, dtype=bool)).accepted == 2


@pytest.mark.parametrize(
    ("n", "coverage", "low", "high"),
    [
        (200, 0.8, 0.738, 0.849),
        (1000, 0.8, 0.774, 0.823),
        (1000, 0.95, 0.935, 0.962),
        (10_000, 0.8, 0.792, 0.808),
    ],
)
def test_the_spread_of_true_coverage(n, coverage, low, high):
    assert coverage_spread(round(coverage * n), n) == pytest.approx((low, high), abs=2e-3)


def test_coverage_seen_on_other_images_spreads_as_the_binomial_says():
    """sqrt(c (1 - c) (1 / n + 1 / m)), of 1,500 repeats."""
    random = np.random.default_rng(0)
    seen = []
    for _ in range(1500):
        calibration, test = random.normal(size=200), random.normal(size=500)
        found = TargetCoverage(0.8).found(calibration, np.zeros(200, dtype=bool))
        seen.append(accepts(test, found.threshold).mean())
    assert np.std(seen) == pytest.approx(np.sqrt(0.8 * 0.2 * (1 / 200 + 1 / 500)), rel=0.06)
    assert np.mean(seen) == pytest.approx(160 / 201, abs=0.003)


def test_empirical_risk_takes_the_largest_coverage_that_is_allowed():
    scores, wrong = np.arange(6.0)[::-1], np.array([0, 1, 0, 0, 1, 1], dtype=bool)
    found = EmpiricalRisk(0.3).found(scores, wrong)
    assert (found.accepted, found.wrong, found.threshold, found.certified) == (4, 1, 2.0, False)
    assert found.promise.startswith("no guarantee")
    assert EmpiricalRisk(0.1).found(scores, ~wrong & (scores > 4)).threshold == np.inf


def sequence_by_hand(scores, wrong, risk, delta=0.05, grid=20):
    """Fixed-sequence testing in plain words: coverage by coverage, strictly above the best one outside.

    It starts at the first that could certify with three wrong ones, if that is at most a fifth of all images,
    else at the first that could with none.
    """
    n = len(scores)
    falling = np.sort(scores)[::-1]
    steps = [int(np.ceil(step / grid * n - 1e-9)) for step in range(1, grid + 1)]
    thresholds = [-np.inf if k == n else np.nextafter(falling[k], np.inf) for k in steps]
    taken = [scores >= threshold for threshold in thresholds]

    def first(count):
        could = [
            at for at in range(grid) if taken[at].any() and binom.cdf(count, taken[at].sum(), risk) <= delta
        ]
        return could[0] if could else grid

    start = first(3) if first(3) < grid and taken[first(3)].sum() <= 0.2 * n else first(0)
    best = None
    for at in range(start, grid):
        if binom.cdf(wrong[taken[at]].sum(), taken[at].sum(), risk) > delta:
            break
        best = thresholds[at]
    return best


@pytest.mark.parametrize("ties", [None, 40])
def test_a_guarantee_is_the_sequence_of_tests(ties):
    random = np.random.default_rng(1)
    certified = 0
    for _ in range(60):
        scores = random.random(400)
        wrong = random.random(400) < 0.3 * (1 - scores) ** 1.5
        scores = scores if ties is None else np.round(scores * ties) / ties
        expected = sequence_by_hand(scores, wrong, 0.1)
        if expected is None:
            with pytest.raises(CannotCertify):
                GuaranteedRisk(0.1).found(scores, wrong)
            continue
        certified += 1
        found = GuaranteedRisk(0.1).found(scores, wrong)
        assert found.threshold == expected
        taken = scores >= expected
        assert (found.accepted, found.wrong) == (taken.sum(), wrong[taken].sum())
        assert found.certified
        assert found.bound == pytest.approx(upper_bound(found.wrong, found.accepted, 0.05))
        assert found.bound <= 0.1
    assert certified > 20


def test_what_is_accepted_is_what_was_counted():
    """Bug 23: ties at the threshold are accepted where images are counted by position."""
    scores = np.concatenate([np.full(300, 2.0), np.full(300, 1.0)])
    wrong = np.concatenate([np.zeros(300), np.ones(300)]).astype(bool)
    found = GuaranteedRisk(0.05).found(scores, wrong)
    assert (found.accepted, found.wrong) == (300, 0)
    assert 1.0 < found.threshold <= 2.0


@pytest.mark.parametrize("method", ["fixed_sequence", "sgr", "bonferroni"])
def test_all_images_can_be_certified(method):
    """Bug 22: another library never gets there, even without a wrong one."""
    found = GuaranteedRisk(0.05, method=method).found(np.arange(1000.0), np.zeros(1000, dtype=bool))
    assert (found.accepted, found.threshold) == (1000, -np.inf)


def test_counts_are_whole():
    """Bug 20: int(22 * (15 / 22)) is 14, and the bound that of one wrong too few."""
    assert int(22 * (15 / 22)) == 14
    wrong = np.array([1] * 15 + [0] * 7, dtype=bool)
    found = GuaranteedRisk(0.85, method="bonferroni", grid=1).found(np.arange(22.0), wrong)
    assert found.wrong == 15
    assert found.bound == pytest.approx(binomtest(15, 22).proportion_ci(0.9).high)


def test_sgr_gives_nothing_where_nothing_is_certified():
    """Bug 21: it gives the last threshold that was tried."""
    with pytest.raises(CannotCertify):
        GuaranteedRisk(0.01, method="sgr").found(np.arange(100.0), np.ones(100, dtype=bool))


def test_constant_scores_return_at_once():
    """Bug 28: a bisection by coverage never ends."""
    found = GuaranteedRisk(0.2, method="sgr").found(np.zeros(500), np.arange(500) % 20 == 0)
    assert found.accepted == 500


def test_too_few_images_say_how_many_it_takes():
    with pytest.raises(CannotCertify) as error:
        GuaranteedRisk(0.01).found(np.arange(250.0), np.zeros(250, dtype=bool))
    words = str(error.value)
    assert "a risk of 0.01 cannot be certified with a chance of 0.95 by 250 calibration images" in words
    assert "at best 250 accepted images have so small a share of wrong ones (0)" in words
    assert "takes 299 accepted ones without a wrong one, 473 with one, 1049 with five" in words


def test_several_starts_survive_that_the_surest_are_the_worst():
    random = np.random.default_rng(4)
    survived = {1: 0, 4: 0}
    for _ in range(40):
        scores = random.random(2000)
        wrong = random.random(2000) < np.where(scores > 0.9, 0.10, 0.01)
        for starts in survived:
            try:
                GuaranteedRisk(0.05, starts=starts).found(scores, wrong)
                survived[starts] += 1
            except CannotCertify:
                pass
    assert survived[1] <= 4
    assert survived[4] >= 36


def confident(random, n, full, power):
    """Error probability full (power + 1) u^power, u = 1 - score: the risk of all images is `full`."""
    scores = random.random(n)
    return scores, random.random(n) < np.minimum(1, full * (power + 1) * (1 - scores) ** power)


@pytest.mark.parametrize("method", ["fixed_sequence", "sgr", "bonferroni"])
def test_a_flat_risk_at_the_bound_is_seldom_certified(method):
    """The hardest case: the risk is just above the one asked for everywhere. 600 sets."""
    random = np.random.default_rng(5)
    failed = 0
    for _ in range(600):
        scores, wrong = random.random(600), random.random(600) < 0.0501
        try:
            GuaranteedRisk(0.05, method=method).found(scores, wrong)
            failed += 1
        except CannotCertify:
            pass
    assert failed <= binom.ppf(0.999, 600, 0.05)


def test_joint_error_allows_so_many_wrong_ones():
    """floor(alpha (n + 1) - 1): 49, 19 and 9 of 1,000 for 5, 2 and 1 %."""
    random = np.random.default_rng(6)
    scores, wrong = random.random(1000), random.random(1000) < 0.3
    for alpha, allowed in ((0.05, 49), (0.02, 19), (0.01, 9)):
        found = JointError(alpha).found(scores, wrong)
        assert found.wrong == allowed
        # The next image would be the wrong one too many.
        outside = scores[scores < found.threshold]
        assert wrong[scores == outside.max()].all()
    assert JointError(0.5).found(scores, wrong).threshold == -np.inf
    with pytest.raises(CannotCertify, match="takes 99 calibration images"):
        JointError(0.01).found(scores[:98], wrong[:98])
    assert JointError(0.01).found(scores[:99], wrong[:99]).wrong == 0


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: TargetCoverage(0), "coverage above 0"),
        (lambda: TargetCoverage(1.2), "coverage above 0"),
        (lambda: EmpiricalRisk(1.0), "risk from 0 up to below 1"),
        (lambda: GuaranteedRisk(0), "risk above 0"),
        (lambda: GuaranteedRisk(0.1, delta=1), "delta above 0"),
        (lambda: GuaranteedRisk(0.1, starts=21), "1 to 20 starts"),
        (lambda: JointError(0), "joint error above 0"),
    ],
)
def test_what_cannot_be_asked(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()

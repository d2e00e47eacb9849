"""Curves and areas: the worked example of the reference, definitions, and other libraries' formulas."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from masktune.errors import InputError
from masktune.selective import (
    augrc,
    aurc,
    coverage_at_risk,
    curve,
    drawn_curves,
    e_aurc,
    failure_auroc,
    intervals,
    n_aurc,
    risk_at_coverage,
)
from masktune.selective.metrics import best_aurc

SCORES = np.array([0.9, 0.8, 0.8, 0.6, 0.5, 0.3])
WRONG = np.array([0, 1, 0, 0, 1, 1], dtype=bool)


@pytest.fixture
def example():
    return curve(SCORES, WRONG)


def test_the_steps_of_the_worked_example(example):
    np.testing.assert_allclose(example.coverage, [1 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    np.testing.assert_allclose(example.wrong, [0, 1, 1, 2, 3])
    np.testing.assert_allclose(example.risk, [0, 1 / 3, 1 / 4, 2 / 5, 1 / 2])
    np.testing.assert_allclose(example.joint, [0, 1 / 6, 1 / 6, 1 / 3, 1 / 2])


def test_the_numbers_of_the_worked_example(example):
    assert aurc(example) == pytest.approx(0.302778, abs=5e-7)
    assert aurc(example, "expected") == pytest.approx(0.288889, abs=5e-7)
    assert aurc(example, "fd_shifts") == pytest.approx(0.233333, abs=5e-7)
    assert best_aurc(example) == pytest.approx(0.191667, abs=5e-7)
    assert e_aurc(example) == pytest.approx(0.111111, abs=5e-7)
    assert e_aurc(example, "expected") == pytest.approx(0.097222, abs=5e-7)
    assert n_aurc(example) == pytest.approx(0.360360, abs=5e-7)
    assert n_aurc(example, "expected") == pytest.approx(0.315315, abs=5e-7)
    assert failure_auroc(example) == pytest.approx(7.5 / 9)
    assert augrc(example) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("coverage", "risk", "reached"),
    [(0.5, 1 / 3, 0.5), (1 / 3, 1 / 3, 0.5), (1 / 6, 0, 1 / 6), (1.0, 0.5, 1.0)],
)
def test_risk_at_a_coverage(example, coverage, risk, reached):
    point = risk_at_coverage(example, coverage)
    assert (point.risk, point.coverage) == (pytest.approx(risk), pytest.approx(reached))


@pytest.mark.parametrize(
    ("risk", "coverage", "first"), [(0.30, 4 / 6, 1 / 6), (0.40, 5 / 6, 5 / 6), (0.10, 1 / 6, 1 / 6)]
)
def test_coverage_at_a_risk(example, risk, coverage, first):
    assert coverage_at_risk(example, risk).coverage == pytest.approx(coverage)
    assert coverage_at_risk(example, risk, first_crossing=True).coverage == pytest.approx(first)


def test_a_later_point_may_be_allowed_although_an_earlier_one_is_not():
    """Bug 41: another library gives NaN here."""
    found = curve(np.arange(5.0)[::-1], np.array([1, 0, 0, 0, 0], dtype=bool))
    assert coverage_at_risk(found, 0.3).coverage == 1
    assert coverage_at_risk(found, 0.3, first_crossing=True).coverage == 0


def test_no_coverage_at_a_risk_is_0_and_no_nan():
    found = coverage_at_risk(curve(np.arange(3.0), np.ones(3, dtype=bool)), 0.2)
    assert (found.coverage, found.risk, found.threshold) == (0, None, np.inf)


def test_55_percent_of_100_are_55():
    """Bug 42: ceil(100 * 0.55) is 56 in floating point."""
    assert risk_at_coverage(curve(np.arange(100.0), np.zeros(100, dtype=bool)), 0.55).accepted == 55


def test_extremes():
    right, wrong = np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    scores = np.arange(4.0)
    assert (aurc(curve(scores, right)), e_aurc(curve(scores, right))) == (0, 0)
    assert n_aurc(curve(scores, right)) is None
    assert failure_auroc(curve(scores, right)) is None
    assert aurc(curve(scores, wrong)) == 1
    assert augrc(curve(scores, wrong)) == pytest.approx(0.5)
    alike = curve(np.zeros(4), np.array([1, 0, 0, 0], dtype=bool))
    assert aurc(alike) == pytest.approx(0.25)
    assert augrc(alike) == pytest.approx(0.125)
    assert failure_auroc(alike) == pytest.approx(0.5)
    assert aurc(curve(np.zeros(1), wrong[:1])) == 1


tied = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=7)


def direct_aurc(scores, wrong):
    """Geifman et al., word by word: the mean over images of the risk at the image's own score."""
    return np.mean([wrong[scores >= score].mean() for score in scores])


@given(tied)
def test_areas_by_their_definitions(rows):
    scores, wrong = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    found = curve(scores, wrong)
    assert aurc(found) == pytest.approx(direct_aurc(scores, wrong))
    if len(rows) <= 5:  # All orders of what ties.
        sums = [
            np.mean(np.cumsum(wrong[list(order)]) / np.arange(1, len(rows) + 1))
            for order in itertools.permutations(range(len(rows)))
            if (np.diff(scores[list(order)]) <= 0).all()
        ]
        assert aurc(found, "expected") == pytest.approx(np.mean(sums))
    accuracy = 1 - wrong.mean()
    if wrong.any() and not wrong.all():
        area = roc_auc_score(~wrong, scores)
        assert failure_auroc(found) == pytest.approx(area)
        assert augrc(found) == pytest.approx((1 - area) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2)
    best = np.cumsum(np.sort(wrong)) / np.arange(1, len(rows) + 1)
    assert best_aurc(found) == pytest.approx(best.mean())
    assert e_aurc(found) >= -1e-12


@given(tied, st.randoms(use_true_random=False))
def test_the_order_of_images_changes_nothing(rows, random):
    """Bugs 38 and 43: it does elsewhere, where scores tie."""
    mixed = list(rows)
    random.shuffle(mixed)
    one, two = (
        curve(np.array([row[0] for row in part], dtype=float), np.array([row[1] for row in part]))
        for part in (rows, mixed)
    )
    for number in (aurc, augrc, e_aurc):
        assert number(one) == number(two)


def test_without_ties_torch_uncertaintys_formula_holds():
    """Its code: the trapezoid of the running risk over k / n from 1 / n to 1, over 1 - 1 / n."""
    random = np.random.default_rng(0)
    scores, wrong = random.permutation(50).astype(float), random.random(50) < 0.3
    risks = np.cumsum(wrong[np.argsort(-scores)]) / np.arange(1, 51)
    theirs = np.trapezoid(risks, np.arange(1, 51) / 50) / (1 - 1 / 50)
    found = curve(scores, wrong)
    ours = np.trapezoid(found.risk, found.coverage) / (1 - 1 / 50)
    assert ours == pytest.approx(theirs)
    # What its documents say is the mean over k, which is ours.
    assert aurc(found) == pytest.approx(risks.mean())
    # fd-shifts' newer code: the trapezoid, with the first risk from coverage 0 on.
    assert aurc(found, "fd_shifts") == pytest.approx(
        np.trapezoid(risks, np.arange(1, 51) / 50) + risks[0] / 50
    )


def test_rejected_images_come_last_and_count():
    found = curve(np.array([1.0, -np.inf, 0.5, -np.inf]), np.array([0, 1, 0, 0], dtype=bool))
    assert found.coverage.tolist() == [0.25, 0.5, 1.0]
    assert aurc(found) == pytest.approx((0 + 0 + 0.25 + 0.25) / 4)


@pytest.mark.parametrize("scores", [[], [np.nan], [np.inf]])
def test_what_is_no_score(scores):
    with pytest.raises(InputError, match="expected"):
        curve(np.array(scores, dtype=float), np.zeros(len(scores), dtype=bool))


def areas(found):
    return [aurc(found), augrc(found), risk_at_coverage(found, 0.8).risk]


def test_intervals_are_those_of_drawing_images_one_by_one():
    random = np.random.default_rng(3)
    scores, wrong = random.integers(30, size=300).astype(float), random.random(300) < 0.2
    found = intervals(scores, wrong, areas, seed=1, repeats=400)
    draws = [random.integers(300, size=300) for _ in range(400)]
    direct = np.array([areas(curve(scores[draw], wrong[draw])) for draw in draws])
    low, high = np.quantile(direct, (0.025, 0.975), axis=0)
    for at, one in enumerate(found):
        assert one.value == pytest.approx(areas(curve(scores, wrong))[at])
        # Ends of 400 draws each: they lie within a fifth of the interval of each other.
        assert abs(one.low - low[at]) < 0.2 * (high[at] - low[at])
        assert abs(one.high - high[at]) < 0.2 * (high[at] - low[at])


def test_the_risk_at_full_coverage_has_scipys_bootstrap_interval():
    from scipy.stats import bootstrap

    wrong = np.random.default_rng(0).random(200) < 0.3
    (found,) = intervals(np.arange(200.0), wrong, lambda one: [one.risk[-1]], seed=0, repeats=4000)
    theirs = bootstrap((wrong.astype(float),), np.mean, method="percentile", rng=np.random.default_rng(1))
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.011)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.011)


def test_images_of_one_subject_are_drawn_together():
    """Four copies of each image say no more than one: the interval stays as wide as that of one each."""
    random = np.random.default_rng(5)
    scores, wrong = random.random(100), random.random(100) < 0.3
    subjects = np.array([f"{i}" for i in range(100)])
    one = intervals(scores, wrong, lambda found: [aurc(found)], repeats=300)[0]
    four = intervals(
        np.tile(scores, 4),
        np.tile(wrong, 4),
        lambda found: [aurc(found)],
        subjects=np.tile(subjects, 4),
        repeats=300,
    )[0]
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.05)


def test_differences_on_the_same_draws_are_narrow():
    random = np.random.default_rng(6)
    scores, wrong = random.random(200), random.random(200) < 0.3
    nearly = scores + random.normal(size=200) * 0.01
    parts = [(scores, wrong), (nearly, wrong), (scores, wrong)]
    whole, drawn = drawn_curves(parts, lambda one: np.array([aurc(one)]), repeats=300)
    assert whole[:, 0].tolist() == [aurc(curve(one, wrong)) for one, _ in parts]
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert np.std(drawn[:, 1] - drawn[:, 0]) < 0.3 * np.std(drawn[:, 0])
    with pytest.raises(InputError, match="the same images"):
        drawn_curves([(scores, wrong), (scores[:3], wrong[:3])], lambda one: np.array([aurc(one)]))

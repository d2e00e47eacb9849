import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from masktune.errors import InputError
from masktune.evaluation import (
    Predictions,
    Rate,
    accuracy,
    auprc,
    brier,
    calibration_error,
    measure_imbalanced,
    resampling,
    sensitivity,
    sensitivity_at,
    specificity,
    wilson,
)
from masktune.evaluation.imbalanced import equal_bins, most_false_positives

from .fakes import predictions


def scored(scores, labels, subjects=None):
    """Predictions of two classes with these differences of logits."""
    scores = np.array(scores, np.float32)
    return with_logits(np.stack([np.zeros_like(scores), scores], axis=1), labels, subjects)


def with_logits(logits, labels, subjects=None):
    return Predictions(
        logits=np.array(logits, np.float32),
        labels=np.array(labels, np.int64),
        ids=np.arange(len(labels)).astype(str),
        subjects=None if subjects is None else np.array(subjects).astype(str),
    )


def with_probabilities(probabilities, labels, subjects=None):
    """Predictions of two classes with these probabilities of class 1."""
    probabilities = np.array(probabilities, float)
    return scored(np.log(probabilities / (1 - probabilities)), labels, subjects)


def noisy(n, seed=0, share=0.3):
    """Scores that are 1.5 higher, on average, for the share of images of class 1."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < share).astype(int)
    return random.normal(size=n) + 1.5 * labels, labels


quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
tied = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40)


@pytest.fixture
def few_draws(monkeypatch):
    """Simulations need many intervals, not the last digit of each."""
    monkeypatch.setattr(resampling, "REPEATS", 300)


# The area under the precision-recall curve.


def test_auprc_by_hand():
    # Ranked 1 0 1 1 0: precision 1/1, 2/3, 3/4 where class 1 is found, each a third of the recall.
    assert auprc(scored([5, 4, 3, 2, 1], [1, 0, 1, 1, 0])).value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_auprc_takes_a_tie_as_one_step():
    # At 2: 1 of 2 right, half of the recall; at 1: 2 of 4, the other half. Not 1/1 for whichever comes first.
    assert auprc(scored([2, 2, 1, 1], [1, 0, 1, 0])).value == pytest.approx(0.5)


@given(tied)
@quick
def test_auprc_equals_scikit_learn_also_with_ties(few_draws, case):
    scores, labels = map(np.array, zip(*case, strict=True))
    made = auprc(scored(scores, labels))
    if labels.all() or not labels.any():
        assert made == Rate(None, len(labels))
        return
    assert made.value == pytest.approx(metrics.average_precision_score(labels, scores))
    assert 0 <= made.low <= made.value <= made.high <= 1


def test_auprc_of_confident_logits_keeps_their_order():
    # Softmax is 1.0 for all four of them.
    assert auprc(scored([40, 41, 42, 43], [0, 0, 1, 1])).value == 1


def test_the_interval_of_auprc_covers_the_truth(few_draws):
    # Scores N(1.5, 1) and N(0, 1), half of each: the area is 0.85426, by numerical integration.
    hits = 0
    for seed in range(60):
        scores, labels = noisy(300, seed, share=0.5)
        made = auprc(scored(scores, labels), seed=seed)
        hits += made.low <= 0.85426 <= made.high
    assert 53 <= hits <= 60


def test_a_perfect_order_of_few_images_is_not_certainty():
    alone = auprc(scored(range(10), [0] * 5 + [1] * 5))
    assert alone == Rate(1.0, 10, wilson(5, 5).low, 1.0)
    subjects = np.repeat([f"p{i}" for i in range(10)], 10)
    assert auprc(scored(np.repeat(range(10), 10), np.repeat([0, 1], 50), subjects)).low == alone.low


# Sensitivity and specificity.


def test_sensitivity_and_specificity_by_hand():
    made = predictions([1, 1, 0, 1, 0, 0, 0], labels=[1, 1, 1, 0, 0, 0, 0])
    assert sensitivity(made) == wilson(2, 3)
    assert specificity(made) == wilson(1, 4)


@given(tied)
@quick
def test_sensitivity_and_specificity_equal_scikit_learns_recalls(case):
    scores, labels = map(np.array, zip(*case, strict=True))
    made = scored(scores, labels)
    for label, rate in ((1, sensitivity(made)), (0, specificity(made))):
        if (labels == label).any():
            assert rate.value == pytest.approx(metrics.recall_score(labels, scores > 0, pos_label=label))
        else:
            assert rate == Rate(None, 0)


def test_sensitivity_resamples_the_subjects_of_its_class():
    made = predictions(
        [1] * 20 + [0] * 20 + [1] * 20, labels=[1] * 40 + [0] * 20, subjects="ab" * 10 + "cdef" * 10
    )
    own = made.select(made.labels == 1)
    assert sensitivity(made) == accuracy(own)
    assert sensitivity(made).high - sensitivity(made).low > wilson(20, 40).high - wilson(20, 40).low


# Sensitivity at a specificity.


def test_sensitivity_at_a_specificity_by_hand(few_draws):
    # Class 0 at 1 2 3 4, class 1 at 2.5 3 3.5 5.
    made = scored([1, 2, 3, 4, 2.5, 3, 3.5, 5], [0, 0, 0, 0, 1, 1, 1, 1])
    assert sensitivity_at(made, 1.0).value == 1 / 4  # Above 4.
    assert sensitivity_at(made, 0.75).value == 2 / 4  # Above 3: at 3 a false positive would come along.
    assert sensitivity_at(made, 0.74).value == 2 / 4
    assert sensitivity_at(made, 0.5).value == 4 / 4  # Above 2.
    assert sensitivity_at(made, 0.0).value == 4 / 4


def test_no_threshold_may_find_anything():
    assert sensitivity_at(scored([5, 1, 2], [0, 1, 1]), 0.9).value == 0


@given(tied, st.sampled_from([0.1, 0.3, 0.5, 0.77, 0.95]))
@quick
def test_sensitivity_at_is_the_best_point_of_scikit_learns_curve(few_draws, case, least):
    scores, labels = map(np.array, zip(*case, strict=True))
    made = sensitivity_at(scored(scores, labels), least)
    if labels.all() or not labels.any():
        assert made == Rate(None, len(labels))
        return
    false, true, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert made.value == pytest.approx(true[1 - false >= least - 1e-12].max())
    assert 0 <= made.low <= made.value <= made.high <= 1


@pytest.mark.parametrize("n", [1, 3, 20, 100, 1000])
def test_so_many_false_positives_are_allowed_and_not_one_more(n):
    for specificity_ in [0.0, 1.0, *np.arange(0.01, 1, 0.01).round(2).tolist()]:
        # In whole hundredths, where no rounding can deceive.
        assert most_false_positives(n, specificity_) == n * (100 - round(specificity_ * 100)) // 100


def test_the_interval_of_the_sensitivity_at_a_specificity_covers_the_truth(few_draws):
    # Above the 90 % quantile of N(0, 1), 1.28155, lie 58.66 % of N(1.5, 1).
    hits = 0
    for seed in range(60):
        scores, labels = noisy(300, seed, share=0.5)
        made = sensitivity_at(scored(scores, labels), 0.9, seed=seed)
        hits += made.low <= 0.58660 <= made.high
    assert 53 <= hits <= 60


# Brier score.


def test_brier_by_hand():
    made = with_probabilities([0.5, 0.8, 0.25], [0, 1, 1])
    assert brier(made).value == pytest.approx((0.25 + 0.04 + 0.5625) / 3)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_brier_equals_scikit_learn(classes):
    random = np.random.default_rng(classes)
    made = with_logits(random.normal(size=(50, classes)) * 3, random.integers(classes, size=50))
    shares = made.probabilities
    if classes == 2:
        theirs = metrics.brier_score_loss(made.labels, shares[:, 1])
    else:
        theirs = metrics.brier_score_loss(made.labels, shares, scale_by_half=True, labels=np.arange(classes))
    rate = brier(made)
    assert rate.value == pytest.approx(theirs, rel=1e-6)
    assert 0 < rate.low < rate.value < rate.high < 1


def test_the_interval_of_brier_is_as_wide_as_that_of_a_mean():
    scores, labels = noisy(2000)
    made = scored(scores, labels)
    rate, squares = brier(made), (made.probabilities[:, 1] - labels) ** 2
    error = squares.std() / np.sqrt(2000)
    assert (rate.low, rate.high) == pytest.approx(
        (rate.value - 1.96 * error, rate.value + 1.96 * error), abs=error / 8
    )


def test_sure_and_wrong_is_one_and_sure_and_right_is_nought_but_not_for_certain():
    assert brier(scored([999, -999], [0, 1])).value == 1
    assert brier(scored([999, -999], [1, 0])) == Rate(0.0, 2, 0.0, wilson(0, 2).high)
    assert brier(scored([], [])) == Rate(None, 0)


# Calibration error.


def test_calibration_error_by_hand():
    # Two bins are filled: confidence 0.6 with 1 of 2 right, 0.9 with 1 of 1.
    made = with_probabilities([0.6, 0.4, 0.9], [1, 1, 1])
    assert calibration_error(made).value == pytest.approx((2 * abs(0.5 - 0.6) + abs(1 - 0.9)) / 3)


def test_calibration_error_by_another_way_to_cut_equal_bins():
    random = np.random.default_rng(0)
    made = with_logits(random.normal(size=(150, 4)), random.integers(4, size=150))
    shares = made.probabilities
    order = np.argsort(shares.max(axis=1))
    total = 0.0
    for part in np.array_split(order, 15):
        right = np.mean(shares[part].argmax(axis=1) == made.labels[part])
        total += len(part) / 150 * abs(right - shares[part].max(axis=1).mean())
    assert calibration_error(made).value == pytest.approx(total)


def test_bins_hold_equally_many_and_ties_stay_together():
    assert equal_bins(np.arange(30.0)[::-1]).tolist() == (np.arange(30) // 2).tolist()[::-1]
    # 20 values would be cut at 4/3, 8/3, ...; the ten equal ones have their middle at place 10 of 20.
    made = equal_bins(np.array([1.0] * 5 + [2.0] * 10 + [3.0] * 5))
    assert made.tolist() == [1] * 5 + [7] * 10 + [13] * 5
    assert len(set(equal_bins(np.arange(7.0)).tolist())) == 7


def test_an_order_of_images_does_not_matter_to_calibration():
    scores, labels = noisy(100)
    scores = scores.round(1)
    back = calibration_error(scored(scores[::-1], labels[::-1]))
    assert calibration_error(scored(scores, labels)).value == pytest.approx(back.value)


def test_calibrated_confidence_has_an_interval_from_nought_and_chance_leaves_it_rarely(few_draws):
    # The draws' own errors are all larger than the error on the images: their percentiles would miss 0.
    random, hits = np.random.default_rng(0), 0
    for seed in range(60):
        probabilities = random.uniform(0.05, 0.95, size=300)
        made = calibration_error(
            with_probabilities(probabilities, random.random(300) < probabilities), seed=seed
        )
        hits += made.low < 1e-9
        assert made.value > 0
        assert made.low <= made.value <= made.high
    assert 53 <= hits <= 60


def test_the_interval_of_the_calibration_error_covers_the_truth(few_draws):
    # Confidence 0.7 to 0.9 throughout, 0.6 right throughout: 0.2 on average.
    random, made = np.random.default_rng(0), []
    for seed in range(60):
        probabilities = random.uniform(0.7, 0.9, size=600)
        made.append(calibration_error(with_probabilities(probabilities, random.random(600) < 0.6), seed=seed))
    assert 54 <= sum(one.low <= 0.2 <= one.high for one in made) <= 60
    # The standard error of a share of 0.6 is 0.02.
    assert np.mean([one.high - one.value for one in made]) == pytest.approx(1.96 * 0.02, rel=0.1)
    assert all(one.low > 0.05 for one in made)


def test_sure_and_right_is_calibrated_but_not_for_certain():
    assert calibration_error(scored([999] * 4, [1] * 4)) == Rate(0.0, 4, 0.0, wilson(0, 4).high)
    assert calibration_error(scored([], [])) == Rate(None, 0)


# All of them.

METRICS = [auprc, lambda made: sensitivity_at(made, 0.9), brier, calibration_error]


@pytest.mark.parametrize("metric", METRICS, ids=["auprc", "sensitivity_at", "brier", "calibration_error"])
def test_subjects_are_drawn_whole(metric):
    scores, labels = noisy(60)
    tenfold = [np.repeat(values, 10) for values in (scores, labels, np.arange(60))]
    alone, whole, blind = (
        metric(scored(scores, labels)),
        metric(scored(*tenfold)),
        metric(scored(*tenfold[:2])),
    )
    assert (whole.value, whole.n) == (pytest.approx(blind.value), 600)
    assert whole.high - whole.low == pytest.approx(alone.high - alone.low, rel=0.25)
    assert whole.high - whole.low > 1.8 * (blind.high - blind.low)


def test_a_seed_makes_the_same_intervals_and_another_seed_others():
    made = scored(*noisy(60))
    for metric in (auprc, brier, calibration_error):
        assert metric(made, seed=3) == metric(made, seed=3) != metric(made, seed=4)


def test_all_at_once_are_the_same_as_one_by_one():
    made = scored(*noisy(80))
    rows = {
        row.metric: Rate(row.value, row.n, row.low, row.high)
        for row in measure_imbalanced(made, specificity=0.9, seed=5)
    }
    assert list(rows) == [
        "balanced_accuracy",
        "auroc",
        "auprc",
        "sensitivity",
        "specificity",
        "sensitivity_at_specificity",
        "brier",
        "calibration_error",
    ]
    assert rows["auprc"] == auprc(made, seed=5)
    assert rows["sensitivity_at_specificity"] == sensitivity_at(made, 0.9, seed=5)
    assert rows["brier"] == brier(made, seed=5)
    assert rows["calibration_error"] == calibration_error(made, seed=5)
    assert (rows["sensitivity"], rows["specificity"]) == (sensitivity(made), specificity(made))
    assert rows["balanced_accuracy"].value == pytest.approx(
        (sensitivity(made).value + specificity(made).value) / 2
    )


def test_many_images_take_seconds():
    made, start = scored(*noisy(50_000, share=0.04)), time.process_time()
    measure_imbalanced(made, specificity=0.95)
    assert time.process_time() - start < 10  # Measured: 2 s, without type checks; about 1 s a metric alone.


def test_more_classes_have_what_applies_to_them():
    made = predictions([1, 0, 1], labels=[0, 1, 2], classes=3)
    names = [row.metric for row in measure_imbalanced(made)]
    assert names == ["balanced_accuracy", "brier", "calibration_error"]
    with pytest.raises(InputError, match="expected two classes for the sensitivity at a specificity, got 3"):
        measure_imbalanced(made, specificity=0.9)


def test_one_class_leaves_undefined_what_needs_both():
    rows = {
        row.metric: row for row in measure_imbalanced(predictions([1, 0], labels=[0, 0]), specificity=0.9)
    }
    undefined = {name for name, row in rows.items() if row.value is None}
    assert undefined == {"auroc", "auprc", "sensitivity", "sensitivity_at_specificity"}
    assert rows["specificity"].value == 0.5
    assert rows["brier"].low is not None


def test_wrong_questions_are_refused():
    three = predictions([1], classes=3)
    for metric, name in ((auprc, "the AUPRC"), (sensitivity, "sensitivity"), (specificity, "sensitivity")):
        with pytest.raises(InputError, match=f"expected two classes for {name}.*, got 3"):
            metric(three)
    with pytest.raises(InputError, match=r"expected a specificity from 0 to 1, got 95\.0"):
        sensitivity_at(predictions([1]), 95.0)
    with pytest.raises(InputError, match="expected predictions on at least one image, got none"):
        measure_imbalanced(predictions([]))

"""Metrics for tasks where one class is rare or an error of one kind costs more: beyond accuracy.

Class 1 of two is the positive class: the one to be found. Scores are differences of logits, as in `auroc`.

Sensitivity and specificity have Wilson's interval, or a bootstrap over subjects where these are known. The
other intervals are percentile bootstraps, over images or subjects: each draw says how often each image counts
(its weight), and a metric is worked out from weights without sorting anew. `measure_imbalanced` takes all of
its metrics from the same draws. Where all draws agree, as for a perfect order, the interval is Wilson's of as
many images, or subjects, as the metric rests on.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.errors import InputError
from masktune.evaluation.auroc import auroc
from masktune.evaluation.groups import accuracy, balanced_accuracy
from masktune.evaluation.intervals import Rate, wilson
from masktune.evaluation.metrics import Measure
from masktune.evaluation.predictions import Predictions
from masktune.evaluation.resampling import draws, percentiles

BINS = 15
"""Of confidence, for the calibration error."""


def auprc(predictions: Predictions, *, seed: int = 0) -> Rate:
    """The area under the precision-recall curve as average precision, summed step by step.

    Sum over the distinct scores, from the highest, of the precision at or above the score times the recall
    gained there; images of equal score are one step. Chance alone gives about the share of class 1. The value
    is None where one of the classes has no image. With 20 to 30 images of class 1 the interval covers the
    truth in 90 to 93 % of simulations, not in 95 %.

    Raises:
        InputError: there are not exactly two classes.
    """
    return _rates(predictions, [_average_precision(predictions)], seed)[0]


def sensitivity_at(predictions: Predictions, specificity: float, *, seed: int = 0) -> Rate:
    """The largest sensitivity of any threshold whose specificity on these images is at least `specificity`.

    Each draw of the bootstrap chooses its own threshold. The value is None where one of the classes has no
    image. A threshold that was fixed on other images is judged by `sensitivity` of `decided` predictions.

    Raises:
        InputError: there are not exactly two classes, or the specificity is not from 0 to 1.
    """
    return _rates(predictions, [_sensitivity_at(predictions, specificity)], seed)[0]


def sensitivity(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Share of the images of class 1 that are predicted as such (recall); n counts these images.

    Raises:
        InputError: there are not exactly two classes.
    """
    return _class_accuracy(predictions, 1, seed)


def specificity(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Share of the images of class 0 that are predicted as such; n counts these images.

    Raises:
        InputError: there are not exactly two classes.
    """
    return _class_accuracy(predictions, 0, seed)


def brier(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Brier score: squared differences of probabilities and truth, 0 (sure and right) to 1 (sure and wrong).

    Summed over the classes, halved, and averaged over the images. For two classes this is the mean of
    (probability of class 1 - label) squared.
    """
    return _rates(predictions, [_brier(predictions)], seed)[0]


def calibration_error(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Expected calibration error: how far confidence is from the share that is right, on average.

    Confidence is the probability of the predicted class. Bins hold equally many images (Nguyen and O'Connor
    2015; "adaptive" in Nixon et al. 2019), 15 of them, except that images of equal confidence stay together.
    The error is the mean over images of |mean confidence - share right| of their bin.

    Chance alone makes it positive, the more so the fewer images there are, and once more in each draw. So the
    interval is not that of the draws' own errors. Its low end is the error less the distance between the
    draws' gaps and those observed (summed over the bins, 97.5 % percentile): 0 where all may be chance, and
    on the safe side elsewhere. Its high end is the error plus how far the draws lengthen the observed gaps.
    """
    return _rates(predictions, [_calibration_error(predictions)], seed)[0]


def measure_imbalanced(
    predictions: Predictions, *, specificity: float | None = None, seed: int = 0
) -> list[Measure]:
    """All of them that apply, beside balanced accuracy and AUROC; `specificity` adds the sensitivity there.

    More than two classes have only `balanced_accuracy`, `brier` and `calibration_error`.

    Raises:
        InputError: there is no image, or `specificity` is given for more than two classes.
    """
    rates = {"balanced_accuracy": balanced_accuracy(predictions, seed=seed)}
    statistics: dict[str, _Statistic] = {}
    if predictions.logits.shape[1] == 2:
        rates["auroc"] = auroc(predictions, seed=seed)
        rates["sensitivity"] = _class_accuracy(predictions, 1, seed)
        rates["specificity"] = _class_accuracy(predictions, 0, seed)
        statistics["auprc"] = _average_precision(predictions)
    if specificity is not None:
        statistics["sensitivity_at_specificity"] = _sensitivity_at(predictions, specificity)
    statistics["brier"] = _brier(predictions)
    statistics["calibration_error"] = _calibration_error(predictions)
    rates |= zip(statistics, _rates(predictions, list(statistics.values()), seed), strict=True)
    return [Measure.of(metric, rates[metric]) for metric in _ORDER if metric in rates]


_ORDER = (
    "balanced_accuracy",
    "auroc",
    "auprc",
    "sensitivity",
    "specificity",
    "sensitivity_at_specificity",
    "brier",
    "calibration_error",
)


def logit_differences(predictions: Predictions, purpose: str) -> Float64[np.ndarray, " n"]:
    """Logit of class 1 less that of class 0; unlike probabilities they never become 1.0 alike.

    Raises:
        InputError: there are not exactly two classes; `purpose` says what they are needed for.
    """
    if predictions.logits.shape[1] != 2:
        raise InputError(f"expected two classes for {purpose}, got {predictions.logits.shape[1]}")
    return np.asarray(np.diff(predictions.logits.astype(np.float64), axis=1)[:, 0])


def most_false_positives(negatives: int, specificity: float) -> int:
    """How many of so many images of class 0 may be predicted as class 1, for at least this specificity."""
    # 1 - specificity is rounded, so start one above and go by the quotient, which is rounded once.
    spare = int(negatives * (1 - specificity)) + 1
    while (negatives - spare) / negatives < specificity:
        spare -= 1
    return spare


@dataclass(frozen=True, slots=True, eq=False)
class _Statistic:
    """A number between 0 and 1, and how it moves when images are drawn again."""

    value: float
    """NaN where undefined."""
    ends: Callable[[Int64[np.ndarray, " n"]], tuple[float, float]]
    """From how often each image was drawn: two numbers. The 2.5 % percentile of the first and the 97.5 %
    percentile of the second are the interval; mostly both are the value in that draw."""
    rests_on: Bool[np.ndarray, " n"]
    """The images that it counts."""

    @classmethod
    def plain(
        cls, of: Callable[[Int64[np.ndarray, " n"]], float], rests_on: Bool[np.ndarray, " n"]
    ) -> "_Statistic":
        """One with the percentiles of its own values in the draws."""

        def ends(weights: Int64[np.ndarray, " n"]) -> tuple[float, float]:
            drawn = of(weights)
            return drawn, drawn

        return cls(of(np.ones(len(rests_on), dtype=np.int64)), ends, rests_on)


def _rates(predictions: Predictions, statistics: Sequence[_Statistic], seed: int) -> list[Rate]:
    """The statistics with their intervals, all from the same draws."""
    if all(math.isnan(one.value) for one in statistics):
        return [Rate(None, len(predictions)) for _ in statistics]
    drawn = np.array([[one.ends(weights) for one in statistics] for weights in _weights(predictions, seed)])
    return [_rate(predictions, one, drawn[:, place]) for place, one in enumerate(statistics)]


def _rate(predictions: Predictions, one: _Statistic, ends: Float64[np.ndarray, "r 2"]) -> Rate:
    value = one.value
    if math.isnan(value):
        return Rate(None, len(predictions))
    low, high = percentiles(ends[:, 0])[0], percentiles(ends[:, 1])[1]
    if high - low < 1e-12:  # No draw differs but by rounding; the number still rests on so many images.
        units = int(one.rests_on.sum())
        if predictions.subjects is not None:
            units = len(np.unique(predictions.subjects[one.rests_on]))
        few = wilson(value * units, units)
        return Rate(value, len(predictions), few.low, few.high)
    return Rate(value, len(predictions), min(max(low, 0.0), value), max(min(high, 1.0), value))


def _weights(predictions: Predictions, seed: int) -> Iterator[Int64[np.ndarray, " n"]]:
    """How often each image was drawn, for each draw of images or, where known, of whole subjects."""
    if predictions.subjects is None:
        return draws(len(predictions), seed)
    names, places = np.unique(predictions.subjects, return_inverse=True)
    return (draw[places] for draw in draws(len(names), seed))


def _average_precision(predictions: Predictions) -> _Statistic:
    def of(positives: Int64[np.ndarray, " r"], negatives: Int64[np.ndarray, " r"]) -> float:
        gained = np.diff(positives, prepend=0)
        steps = np.flatnonzero(gained)
        found = positives[steps]
        return float((gained[steps] * (found / (found + negatives[steps]))).sum() / positives[-1])

    return _ranked(predictions, "the AUPRC", of)


def _sensitivity_at(predictions: Predictions, specificity: float) -> _Statistic:
    if not 0 <= specificity <= 1:
        raise InputError(f"expected a specificity from 0 to 1, got {specificity}")

    def of(positives: Int64[np.ndarray, " r"], negatives: Int64[np.ndarray, " r"]) -> float:
        spare = most_false_positives(int(negatives[-1]), specificity)
        steps = int(np.searchsorted(negatives, spare, side="right"))
        return float(positives[steps - 1] / positives[-1]) if steps else 0.0

    return _ranked(predictions, "the sensitivity at a specificity", of)


def _ranked(
    predictions: Predictions,
    purpose: str,
    of: Callable[[Int64[np.ndarray, " r"], Int64[np.ndarray, " r"]], float],
) -> _Statistic:
    """A statistic of how many images of class 1 and of class 0 lie at or above each distinct score."""
    scores, positive = logit_differences(predictions, purpose), predictions.labels == 1
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # Of the images of each score.
    ones = positive[order]

    def weighted(weights: Int64[np.ndarray, " n"]) -> float:
        ranked = weights[order]
        positives, negatives = np.cumsum(ranked * ones)[last], np.cumsum(ranked * ~ones)[last]
        if not positives.any() or not negatives.any():
            return math.nan
        return of(positives, negatives)

    return _Statistic.plain(weighted, positive)


def _brier(predictions: Predictions) -> _Statistic:
    distances = predictions.probabilities
    distances[np.arange(len(predictions)), predictions.labels] -= 1
    values = (distances**2).sum(axis=1) / 2

    def of(weights: Int64[np.ndarray, " n"]) -> float:
        return float((weights * values).sum() / weights.sum()) if len(weights) else math.nan

    return _Statistic.plain(of, np.ones(len(values), dtype=bool))


def _calibration_error(predictions: Predictions) -> _Statistic:
    confidence = predictions.probabilities.max(axis=1)
    bins, gaps = equal_bins(confidence), predictions.correct - confidence

    def of(weights: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " bins"]:
        """The gap of each bin, times its share of the images."""
        return np.asarray(np.bincount(bins, weights * gaps, minlength=BINS) / max(weights.sum(), 1))

    observed = of(np.ones(len(gaps), dtype=np.int64))
    value = float(np.abs(observed).sum()) if len(gaps) else math.nan

    def ends(weights: Int64[np.ndarray, " n"]) -> tuple[float, float]:
        moved = of(weights) - observed
        return value - float(np.abs(moved).sum()), value + float((moved * np.sign(observed)).sum())

    return _Statistic(value, ends, np.ones(len(gaps), dtype=bool))


def equal_bins(values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The bin of each value, 0 to `BINS` - 1, of equally many values each; equal values share a bin.

    Values that are equal go where the middle one of them belongs. Fewer than `BINS` values have one each.
    """
    _, ranks, counts = np.unique(values, return_inverse=True, return_counts=True)
    twice_middle = 2 * np.cumsum(counts) - counts
    return np.asarray((BINS * twice_middle // (2 * max(len(values), 1)))[ranks])


def _class_accuracy(predictions: Predictions, label: int, seed: int) -> Rate:
    logit_differences(predictions, "sensitivity and specificity")
    own = predictions.select(predictions.labels == label)
    return accuracy(own, seed=seed) if len(own) else Rate(None, 0)

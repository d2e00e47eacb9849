"""The area under the ROC curve of a two-class classifier."""

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate, Z
from masktune.evaluation.predictions import Predictions
from masktune.evaluation.resampling import draws, percentiles


def auroc(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Chance that an image of class 1 has a larger logit difference than one of class 0, ties as a half.

    The value is None where one of the classes has no image. The interval is Newcombe's (2006, part 2,
    method 5: a score interval that keeps its width at 0 and 1), or a bootstrap over subjects where known.

    Raises:
        InputError: there are not exactly two classes.
    """
    if predictions.logits.shape[1] != 2:
        raise InputError(f"expected two classes for the AUROC, got {predictions.logits.shape[1]}")
    # Differences of logits, not probabilities: those are 1.0 alike for all confident images.
    scores = np.diff(predictions.logits.astype(np.float64), axis=1)[:, 0]
    ranks = np.unique(scores, return_inverse=True)[1]
    positive = predictions.labels == 1
    value, n = _area(ranks, positive, np.ones(len(ranks))), len(ranks)
    if math.isnan(value):
        return Rate(None, n)
    if predictions.subjects is None:
        return Rate(value, n, *_score_interval(value, int(positive.sum()), int((~positive).sum())))
    names, subjects = np.unique(predictions.subjects, return_inverse=True)
    weights = (draw[subjects].astype(float) for draw in draws(len(names), seed))
    low, high = percentiles(np.array([_area(ranks, positive, drawn) for drawn in weights]))
    if low == high:  # A perfect order stays so in every draw; it still rests on so many subjects.
        low, high = _score_interval(value, len({*subjects[positive]}), len({*subjects[~positive]}))
    return Rate(value, n, low, high)


def _area(
    ranks: Int64[np.ndarray, " n"], positive: Bool[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]
) -> float:
    """The area with weights per image; equal ranks are ties; NaN where a class has no weight."""
    count = int(ranks.max(initial=0)) + 1
    ups = np.bincount(ranks[positive], weights[positive], count)
    downs = np.bincount(ranks[~positive], weights[~positive], count)
    pairs = ups.sum() * downs.sum()
    below = np.cumsum(downs) - downs / 2
    # Not `ups @ below`: for so short a sum, starting BLAS's threads takes ten times as long as adding up.
    return float((ups * below).sum() / pairs) if pairs else math.nan


def _score_interval(area: float, positives: int, negatives: int) -> tuple[float, float]:
    """All areas from which `area` is within Z standard errors, these taken at the area in question."""
    pairs, extra = positives * negatives, (positives + negatives) / 2 - 1

    def lower(start: float) -> float:
        far, near = 0.0, start
        for _ in range(60):  # Halving 60 times reaches the last bit.
            middle = (far + near) / 2
            spread = 1 + extra * ((1 - middle) / (2 - middle) + middle / (1 + middle))
            if start - middle > Z * math.sqrt(middle * (1 - middle) * spread / pairs):
                far = middle
            else:
                near = middle
        return near

    return lower(area), 1 - lower(1 - area)

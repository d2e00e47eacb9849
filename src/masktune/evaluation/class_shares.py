"""Two classifiers at equal shares of their answers, where a mere shift of the threshold is no gain."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64, Int64

from masktune.errors import InputError
from masktune.evaluation.predictions import Predictions

ROUNDS = 100
"""At most; random logits of 3, 10 and 50 classes took up to 4, 7 and 38."""

NEAR = 0.001
"""Counts that are off by this share of the images, all classes together, are near enough: the last few of
20,000 images of 1,000 classes take more rounds than all before, of half a second each."""


def true_shares(predictions: Predictions) -> Float64[np.ndarray, " k"]:
    """Share of the images that each class has; they sum to 1.

    Raises:
        InputError: there is no image.
    """
    if len(predictions) == 0:
        raise InputError("expected predictions on at least one image, got none")
    return np.bincount(predictions.labels, minlength=predictions.logits.shape[1]) / len(predictions)


def at_class_shares(predictions: Predictions, shares: Float64[np.ndarray, " k"]) -> Predictions:
    """The same predictions with a constant added to each class's logits, so that answers have these shares.

    Shares are turned into whole numbers of images (largest remainders), and these are reached but for `NEAR`
    of the images and for ties: images whose logits differ by the same number change sides together. Two
    classifiers that differ by a constant a class get the same answers. Each row of logits is less its
    largest. Images are counted within these predictions only, so select the split first.

    The constants are found class by class: with the others held fixed, a class's count grows with its own
    constant, so sorting finds the one that gives the wanted count; it is set midway between the two images
    around it. Each step lowers the convex function sum_i max_c (z_ic + b_c) - sum_c count_c b_c, which is
    least where all counts are right. Rounds over the classes end there, for two classes after the first, or
    after `ROUNDS` with the best of them. Nothing is random.

    Raises:
        InputError: there is no image, or the shares are not k numbers from 0 that sum to 1.
    """
    n, k = predictions.logits.shape
    if n == 0:
        raise InputError("expected predictions on at least one image, got none")
    counts = _whole(_checked(shares, k), n)
    scores = predictions.logits.astype(np.float64).T
    # Only differences between classes matter: images in which these are equal become equal, and stay so.
    scores = scores - scores[0]
    # The same start, whatever constants the classifier itself has added.
    scores -= scores.mean(axis=1, keepdims=True)
    best, least = scores, n * k
    for _ in range(ROUNDS):
        scores = _one_round(scores, counts)
        off = int(np.abs(np.bincount(scores.argmax(axis=0), minlength=k) - counts).sum())
        if off < least:
            best, least = scores, off
        if off < NEAR * n:
            break
    return replace(predictions, logits=_as_logits(best))


def _checked(shares: Float64[np.ndarray, " k"], k: int) -> Float64[np.ndarray, " k"]:
    if shares.shape != (k,):
        raise InputError(f"expected {k} shares, one a class, got {len(shares)}")
    if not (shares >= 0).all() or not abs(shares.sum() - 1) < 1e-6:
        raise InputError(f"expected shares from 0 that sum to 1, got {shares.tolist()}")
    return shares


def _whole(shares: Float64[np.ndarray, " k"], n: int) -> Int64[np.ndarray, " k"]:
    """Whole numbers that sum to n, each less than 1 from its share; of equal remainders the first goes up."""
    wanted = shares / shares.sum() * n
    counts = np.floor(wanted + 1e-9).astype(np.int64)  # 0.29 * 100 is 28.999...
    up = np.argsort(counts - wanted, kind="stable")[: n - counts.sum()]
    counts[up] += 1
    return np.asarray(counts)


def _one_round(
    scores: Float64[np.ndarray, "k n"], counts: Int64[np.ndarray, " k"]
) -> Float64[np.ndarray, "k n"]:
    """Each class in turn gets the constant that gives it its count."""
    moved = scores.copy()
    later = np.maximum.accumulate(scores[::-1])[::-1]  # Row c: the largest of the classes from c on.
    rival = np.full(scores.shape[1], -np.inf)  # The largest of the classes that have moved.
    for place, count in enumerate(counts.tolist()):
        others = np.maximum(rival, later[place + 1]) if place + 1 < len(scores) else rival
        moved[place] += _constant(others - moved[place], count)
        rival = np.maximum(rival, moved[place])
    return moved


def _constant(lacking: Float64[np.ndarray, " n"], count: int) -> float:
    """A number above `count` of the values, or above as near to so many as ties allow; of two the fewer."""
    if 0 < count < len(lacking):
        low, high = np.partition(lacking, (count - 1, count))[count - 1 : count + 1]
        if low < high:  # No tie there, so that the rest need not be sorted.
            return float(low + high) / 2
    values = np.sort(lacking)
    between = np.flatnonzero(np.diff(values, prepend=-np.inf, append=np.inf))
    below = int(between[np.abs(between - count).argmin()])
    if below == 0:
        return float(values[0] - abs(values[0])) - 1
    if below == len(values):
        return float(values[-1] + abs(values[-1])) + 1
    return float(values[below - 1] + values[below]) / 2


def _as_logits(scores: Float64[np.ndarray, "k n"]) -> Float32[np.ndarray, "n k"]:
    """Less each image's largest, so that this one is 0 and rounding lifts no other to it."""
    below = np.maximum(scores - scores.max(axis=0), np.finfo(np.float32).min)
    return np.ascontiguousarray(below.T, dtype=np.float32)

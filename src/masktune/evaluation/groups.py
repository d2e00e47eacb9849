"""Accuracy by group and by class, and its averages, each under its own name.

All of them are weighted means of the groups' accuracies, so they share one interval: Wilson's for one group,
MOVER over several (see `intervals.weighted_mean`), and where subjects are known a bootstrap over subjects.
The worst group's interval is that group's own; that it was picked as the worst is not accounted for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate, weighted_mean, wilson
from masktune.evaluation.predictions import Predictions
from masktune.evaluation.resampling import percentiles, resampled_sums


def accuracy(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Share of all images that are classified right."""
    everything = np.zeros(len(predictions), dtype=np.int64)
    return _mean(_tally(predictions, everything, ("all",)), np.ones(1), seed)


def accuracy_group_mean(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Plain mean of the accuracies of the groups that have images here."""
    tally = _by_group(predictions)
    return _mean(tally, np.ones(len(tally.names)), seed)


def accuracy_train_weighted(
    predictions: Predictions, train_groups: Mapping[str, int], *, seed: int = 0
) -> Rate:
    """Mean of the groups' accuracies weighted by their share of the training split (Sagawa et al. 2020).

    `train_groups` are the images of each group in that split. A group that it lacks has no weight. Where a
    group of the training split has no image here, the value is undefined: None.
    """
    tally = _by_group(predictions)
    if any(count and name not in tally.names for name, count in train_groups.items()):
        return Rate(None, len(predictions))
    return _mean(tally, np.array([train_groups.get(name, 0) for name in tally.names], dtype=float), seed)


def group_accuracy(predictions: Predictions, *, known: Iterable[str] = (), seed: int = 0) -> dict[str, Rate]:
    """Accuracy of each group, by sorted name; a `known` group without images here has n 0 and value None."""
    tally = _by_group(predictions)
    rates = {name: Rate(None, 0) for name in known} | _each(tally, seed)
    return dict(sorted(rates.items()))


def worst_group_accuracy(predictions: Predictions, *, seed: int = 0) -> tuple[str, Rate]:
    """Name and accuracy of the group with the lowest accuracy; of equal ones the first by name."""
    return _worst(_by_group(predictions), seed)


def worst_class_accuracy(predictions: Predictions, *, seed: int = 0) -> tuple[str, Rate]:
    """Name and accuracy of the class with the lowest accuracy; of equal ones the first by index."""
    return _worst(_by_class(predictions), seed)


def balanced_accuracy(predictions: Predictions, *, seed: int = 0) -> Rate:
    """Plain mean of the accuracies of the classes that have images here."""
    tally = _by_class(predictions)
    return _mean(tally, (tally.images > 0).astype(float), seed)


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """Images and right answers of s subjects in g groups; without subjects s is 1, all in one row."""

    names: tuple[str, ...]
    right: Float64[np.ndarray, "s g"]
    total: Float64[np.ndarray, "s g"]
    by_subject: bool

    @property
    def images(self) -> Float64[np.ndarray, " g"]:
        return np.asarray(self.total.sum(axis=0))


def _by_group(predictions: Predictions) -> _Tally:
    if predictions.groups is None:
        raise InputError("expected predictions with groups, got none; give each image the name of its group")
    names, codes = np.unique(predictions.groups, return_inverse=True)
    return _tally(predictions, codes, tuple(names.tolist()))


def _by_class(predictions: Predictions) -> _Tally:
    names = predictions.classes or tuple(map(str, range(predictions.logits.shape[1])))
    return _tally(predictions, predictions.labels, names)


def _tally(predictions: Predictions, codes: Int64[np.ndarray, " n"], names: tuple[str, ...]) -> _Tally:
    if len(predictions) == 0:
        raise InputError("expected predictions on at least one image, got none")
    subjects, count = np.zeros(len(codes), dtype=np.int64), 1
    if predictions.subjects is not None:
        unique, subjects = np.unique(predictions.subjects, return_inverse=True)
        count = len(unique)
    cells, shape = subjects * len(names) + codes, (count, len(names))
    right = np.bincount(cells, weights=predictions.correct, minlength=count * len(names))
    total = np.bincount(cells, minlength=count * len(names)).astype(float)
    return _Tally(names, right.reshape(shape), total.reshape(shape), predictions.subjects is not None)


def _each(tally: _Tally, seed: int) -> dict[str, Rate]:
    weights = np.eye(len(tally.names))
    return {name: _mean(tally, weights[place], seed) for place, name in enumerate(tally.names)}


def _worst(tally: _Tally, seed: int) -> tuple[str, Rate]:
    here = np.flatnonzero(tally.images)
    rates = tally.right.sum(axis=0)[here] / tally.images[here]
    place = here[rates.argmin()]
    return tally.names[place], _mean(tally, np.eye(len(tally.names))[place], seed)


def _mean(tally: _Tally, weights: Float64[np.ndarray, " g"], seed: int) -> Rate:
    """Mean of the groups' accuracies under `weights`, with the interval that fits the tally."""
    by_formula = _by_formula(tally, weights, units=tally.images)
    if not tally.by_subject or by_formula.value is None:
        return by_formula
    right, total = np.hsplit(resampled_sums(np.hstack([tally.right, tally.total]), seed), 2)
    low, high = percentiles(_plain_means(right, total, weights))
    if low == high:
        # All subjects agree (all right, say), so no draw differs. The number still rests on so many subjects.
        subjects = np.count_nonzero(tally.total, axis=0).astype(float)
        few = _by_formula(tally, weights, units=subjects)
        return Rate(by_formula.value, by_formula.n, few.low, few.high)
    return Rate(by_formula.value, by_formula.n, low, high)


def _by_formula(tally: _Tally, weights: Float64[np.ndarray, " g"], units: Float64[np.ndarray, " g"]) -> Rate:
    """The mean with Wilson's or the MOVER interval, as if each group had `units` independent images."""
    shares = tally.right.sum(axis=0) / np.maximum(tally.images, 1)
    rates = [wilson(share * n, int(n)) for share, n in zip(shares.tolist(), units.tolist(), strict=True)]
    mean = weighted_mean(rates, weights.tolist())
    return Rate(mean.value, int(tally.images[weights > 0].sum()), mean.low, mean.high)


def _plain_means(
    right: Float64[np.ndarray, "r g"], total: Float64[np.ndarray, "r g"], weights: Float64[np.ndarray, " g"]
) -> Float64[np.ndarray, " r"]:
    """Each row's mean over the groups that were drawn; NaN where none was."""
    shares = right / np.maximum(total, 1)
    drawn = np.where(total > 0, weights, 0)
    with np.errstate(invalid="ignore"):
        return np.asarray((shares * drawn).sum(axis=1) / drawn.sum(axis=1))

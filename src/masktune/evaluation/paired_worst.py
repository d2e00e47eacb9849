"""Two classifiers' worst groups on the same images: is the difference more than chance?"""

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from masktune.errors import InputError
from masktune.evaluation.paired import Comparison
from masktune.evaluation.predictions import Predictions, match
from masktune.evaluation.resampling import REPEATS, percentiles, resampled_sums

_AT_ONCE = 1_000_000
"""Signs drawn at once."""


def compare_worst_groups(first: Predictions, second: Predictions, *, seed: int = 0) -> Comparison:
    """Worst-group accuracy of the second minus that of the first; each has its own worst group.

    Units (subjects where known, else images) are drawn again for the interval; a group that is missing in a
    draw is left out of it. The p-value is the larger of two: the draws' (which is too small for few units,
    five of five gained being a gain in each of them), and that of the two changing sides unit by unit, by
    chance (too small where both are as good in their worst group, but not in the same one). `gained` and
    `lost` count the images of all groups. Groups and subjects are those of `first`.

    Raises:
        InputError: no image, or no groups.
    """
    if len(first) == 0:
        raise InputError("expected predictions on at least one image to compare, got none")
    if first.groups is None:
        raise InputError("expected predictions with groups, got none; give each image the name of its group")
    before, after = first.correct, match(first, second).correct
    units = np.arange(len(first)) if first.subjects is None else _numbered(first.subjects)
    total, *rights = _by_unit(units, _numbered(first.groups), before, after)
    difference = float(_worst(rights[1].sum(0), total.sum(0)) - _worst(rights[0].sum(0), total.sum(0)))
    drawn = np.split(resampled_sums(np.hstack([total, *rights]), seed), 3, axis=1)
    moved = _worst(drawn[2], drawn[0]) - _worst(drawn[1], drawn[0])
    tail = min(np.count_nonzero(moved <= 0), np.count_nonzero(moved >= 0))
    flipped = _flipped(total, rights[0], rights[1], seed)
    as_large = np.count_nonzero(np.abs(flipped) > abs(difference) - 1e-9)
    # What was seen is one draw more, so that no p-value is 0.
    p_value = min(1.0, float(max(2 * (tail + 1), as_large + 1)) / (REPEATS + 1))
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Comparison(difference, *percentiles(moved), p_value, len(first), gained, lost)


def _numbered(names: Shaped[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    return np.asarray(np.unique(names, return_inverse=True)[1])


def _by_unit(
    units: Int64[np.ndarray, " n"], groups: Int64[np.ndarray, " n"], *values: np.ndarray
) -> list[Float64[np.ndarray, "u g"]]:
    """Images, and the sums of each of the values, of each unit in each group."""
    shape = int(units.max()) + 1, int(groups.max()) + 1
    cells = units * shape[1] + groups
    columns = (np.ones(len(units)), *values)
    return [np.bincount(cells, one, minlength=shape[0] * shape[1]).reshape(shape) for one in columns]


def _worst(right: Float64[np.ndarray, "... g"], total: Float64[np.ndarray, "... g"]) -> np.ndarray:
    """The lowest accuracy of the groups that have images."""
    return np.asarray(np.where(total > 0, right / np.maximum(total, 1), np.inf).min(-1))


def _flipped(
    total: Float64[np.ndarray, "u g"],
    before: Float64[np.ndarray, "u g"],
    after: Float64[np.ndarray, "u g"],
    seed: int,
) -> Float64[np.ndarray, " r"]:
    """The difference after the two have changed sides in half of the units, by chance."""
    random = np.random.default_rng(seed)
    both, apart = (before + after).sum(0) / 2, (after - before) / 2
    most = max(1, _AT_ONCE // len(total))
    parts = []
    for start in range(0, REPEATS, most):
        number = min(most, REPEATS - start)
        signs = 2.0 * random.integers(2, size=(number, len(total)), dtype=np.int8) - 1.0
        moved = signs @ apart
        parts.append(_worst(both + moved, total.sum(0)) - _worst(both - moved, total.sum(0)))
    return np.concatenate(parts)

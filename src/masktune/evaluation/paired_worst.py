"""Two classifiers' worst groups on the same images: is the difference more than chance?

Also of several seeds of each: the mean over seeds of each seed's own worst group, whichever that is. Images
are drawn again with all their seeds, so what is said reaches beyond these images, not beyond these seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate, wilson
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
    return compare_worst_groups_of_seeds([first], [second], seed=seed)


def compare_worst_groups_of_seeds(
    firsts: Sequence[Predictions], seconds: Sequence[Predictions], *, seed: int = 0, repeats: int = REPEATS
) -> Comparison:
    """The same of several seeds of each: the mean difference of each seed's own worst groups.

    Args:
        firsts: one a seed, about the same images or others of the same names.
        seconds: likewise, in the same order.
        seed: of what is drawn.
        repeats: draws; no p-value is below 2 / (repeats + 1).

    Raises:
        InputError: no image, no groups, or other images.
    """
    pairs = [(first, match(first, second)) for first, second in zip(firsts, seconds, strict=True)]
    for first, _ in pairs:
        _check(first)
    tallies = _tallies([first for first, _ in pairs], [[first, second] for first, second in pairs])
    difference = float(np.mean([one.worst(1) - one.worst(0) for one in tallies]))
    drawn = _drawn(tallies, seed, repeats)
    moved = np.mean([_worst(after, total) - _worst(before, total) for total, before, after in drawn], axis=0)
    tail = min(np.count_nonzero(moved <= 0), np.count_nonzero(moved >= 0))
    flipped = _flipped(tallies, seed, repeats)
    as_large = np.count_nonzero(np.abs(flipped) > abs(difference) - 1e-9)
    # What was seen is one draw more, so that no p-value is 0.
    p_value = min(1.0, float(max(2 * (tail + 1), as_large + 1)) / (repeats + 1))
    gained = sum(int((second.correct & ~first.correct).sum()) for first, second in pairs)
    lost = sum(int((first.correct & ~second.correct).sum()) for first, second in pairs)
    n = sum(len(first) for first, _ in pairs)
    return Comparison(difference, *percentiles(moved), p_value, n, gained, lost)


def worst_group_of_seeds(said: Sequence[Predictions], *, seed: int = 0) -> tuple[tuple[str, ...], Rate]:
    """Each seed's worst group by name, and the mean of their accuracies; n are the images of the smallest.

    The interval draws units again, each with all its seeds. Where no draw differs (all wrong, say), it is
    Wilson's of that many images.

    Raises:
        InputError: no image, or no groups.
    """
    for one in said:
        _check(one)
    tallies = _tallies(said, [[one] for one in said])
    value = float(np.mean([one.worst(0) for one in tallies]))
    low, high = percentiles(
        np.mean([_worst(right, total) for total, right in _drawn(tallies, seed, REPEATS)], axis=0)
    )
    places = [one.place_of_worst(0) for one in tallies]
    n = min(int(one.total.sum(0)[place]) for one, place in zip(tallies, places, strict=True))
    if low == high:
        by_formula = wilson(value * n, n)
        low, high = by_formula.low or 0.0, 1.0 if by_formula.high is None else by_formula.high
    names = tuple(one.names[place] for one, place in zip(tallies, places, strict=True))
    return names, Rate(value, n, low, high)


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """Images and right answers by unit and group, of one seed."""

    names: tuple[str, ...]
    total: Float64[np.ndarray, "u g"]
    rights: tuple[Float64[np.ndarray, "u g"], ...]
    """Of each classifier."""

    def worst(self, of: int) -> float:
        """The accuracy of a classifier's worst group."""
        return float(_worst(self.rights[of].sum(0), self.total.sum(0)))

    def place_of_worst(self, of: int) -> int:
        """Which group that is; of equal ones the first by name."""
        right, total = self.rights[of].sum(0), self.total.sum(0)
        return int(np.where(total > 0, right / np.maximum(total, 1), np.inf).argmin())


def _check(said: Predictions) -> None:
    if len(said) == 0:
        raise InputError("expected predictions on at least one image to compare, got none")
    if said.groups is None:
        raise InputError("expected predictions with groups, got none; give each image the name of its group")


def _tallies(seeds: Sequence[Predictions], said: Sequence[Sequence[Predictions]]) -> list[_Tally]:
    """Of each seed; units bear the same numbers in all of them."""
    units = [one.ids if one.subjects is None else one.subjects for one in seeds]
    known = np.unique(np.concatenate(units))
    made = []
    for one, own, models in zip(seeds, units, said, strict=True):
        names, groups = np.unique(_groups_of(one), return_inverse=True)
        at: Int64[np.ndarray, " n"] = np.searchsorted(known, own)
        cells, shape = at * len(names) + groups, (len(known), len(names))
        columns = (np.ones(len(one)), *(model.correct for model in models))
        counts = [np.bincount(cells, column, minlength=shape[0] * shape[1]) for column in columns]
        total, *rights = (count.reshape(shape) for count in counts)
        made.append(_Tally(tuple(names.tolist()), total, tuple(rights)))
    return made


def _groups_of(said: Predictions) -> Shaped[np.ndarray, " n"]:
    assert said.groups is not None
    return said.groups


def _drawn(tallies: Sequence[_Tally], seed: int, repeats: int) -> list[list[Float64[np.ndarray, "r g"]]]:
    """Of each seed, in each draw: images and right answers of each group. A draw is one of units."""
    columns = [column for one in tallies for column in (one.total, *one.rights)]
    sums = resampled_sums(np.hstack(columns), seed, repeats)
    parts = iter(np.split(sums, np.cumsum([column.shape[1] for column in columns])[:-1], axis=1))
    return [[next(parts) for _ in range(1 + len(one.rights))] for one in tallies]


def _worst(right: Float64[np.ndarray, "... g"], total: Float64[np.ndarray, "... g"]) -> np.ndarray:
    """The lowest accuracy of the groups that have images."""
    return np.asarray(np.where(total > 0, right / np.maximum(total, 1), np.inf).min(-1))


def _flipped(tallies: Sequence[_Tally], seed: int, repeats: int) -> Float64[np.ndarray, " r"]:
    """The mean difference after the two have changed sides in half of the units, by chance.

    A unit changes sides with all its seeds.
    """
    random = np.random.default_rng(seed)
    units = len(tallies[0].total)
    most = max(1, _AT_ONCE // units)
    parts = []
    for start in range(0, repeats, most):
        number = min(most, repeats - start)
        signs = 2.0 * random.integers(2, size=(number, units), dtype=np.int8) - 1.0
        of_seeds = []
        for one in tallies:
            before, after = one.rights
            both, moved = (before + after).sum(0) / 2, signs @ ((after - before) / 2)
            total = one.total.sum(0)
            of_seeds.append(_worst(both + moved, total) - _worst(both - moved, total))
        parts.append(np.mean(of_seeds, axis=0))
    return np.concatenate(parts)

"""Bootstrap: draw the units again, images or whole subjects, and look how much a number moves."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

REPEATS = 2000
"""Draws behind an interval; its ends then move by about a tenth of a standard error between seeds."""


def draws(units: int, seed: int, repeats: int = REPEATS) -> Iterator[Int64[np.ndarray, " units"]]:
    """Yield `repeats` times how often each unit is drawn when `units` are drawn with replacement."""
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        yield np.bincount(random.integers(units, size=units), minlength=units)


def resampled_sums(
    rows: Float64[np.ndarray, "u c"], seed: int, repeats: int = REPEATS
) -> Float64[np.ndarray, "r c"]:
    """The columns' sums of `repeats` draws of u units with replacement, one row of numbers a unit.

    Equal rows are counted, not drawn one by one: the same chances, a hundredth of the time.
    """
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(rows), counts / len(rows), size=repeats)
    return np.asarray(drawn @ kinds)


def percentiles(values: Float64[np.ndarray, " r"]) -> tuple[float, float]:
    """The 2.5 % and 97.5 % percentile of resampled numbers; draws without a number (NaN) are left out."""
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)


def subject_sums(values: Float[np.ndarray, "n ..."], subjects: Shaped[np.ndarray, " n"]) -> np.ndarray:
    """Sum `values` over each subject's images: (n, ...) to (subjects, ...), by the subjects' sorted names."""
    names, places = np.unique(subjects, return_inverse=True)
    sums = np.zeros((len(names), *values.shape[1:]))
    np.add.at(sums, places, values)
    return sums


def bootstrap_interval(
    values: Float[np.ndarray, " n"], subjects: Shaped[np.ndarray, " n"] | None = None, *, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of at least one value, over images or, where known, subjects.

    Values without any spread give an interval without width.
    """
    rows = np.stack([values, np.ones(len(values))], axis=1)
    sums = resampled_sums(rows if subjects is None else subject_sums(rows, subjects), seed)
    return percentiles(sums[:, 0] / sums[:, 1])

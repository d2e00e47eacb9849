"""Each group's risk and coverage while ever more images are answered: is a group left behind?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from masktune.abstention.areas import GRID
from masktune.abstention.measured import Measured
from masktune.selective import risk_at_coverage
from masktune.selective.by_group import by_code


@dataclass(frozen=True, slots=True, eq=False)
class GroupCurve:
    """One group at the coverages of all images in `GRID`; mean over seeds, NaN where none is answered."""

    group: str
    n: int
    risk: Float64[np.ndarray, " g"]
    """Wrong among its answered images."""
    coverage: Float64[np.ndarray, " g"]
    """Share of its images that is answered."""
    reference: Float64[np.ndarray, " g"]
    """The risk it would have if as many right and wrong answers were given without regard to groups."""


def group_curves(seeds: Sequence[Measured]) -> list[GroupCurve]:
    """Of one line over its seeds; empty where groups are not known. Groups by their names."""
    first = seeds[0].test
    if first.groups is None:
        return []
    names, codes = np.unique(first.groups, return_inverse=True)
    named = tuple(map(str, names))
    parts = np.stack([_of_seed(one, named, codes.astype(np.int64)) for one in seeds])
    known = ~np.isnan(parts)
    sums, count = np.where(known, parts, 0.0).sum(axis=0), known.sum(axis=0)
    mean = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    sizes = np.bincount(codes)
    return [GroupCurve(name, int(sizes[at]), *mean[:, at].T) for at, name in enumerate(named)]


def _of_seed(
    one: Measured, names: tuple[str, ...], codes: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, "g k 3"]:
    """Risk, coverage and reference of each group at each coverage."""
    steps = [risk_at_coverage(one.curve, float(share)).threshold for share in GRID]
    found = [by_code(names, codes, one.scored.scores >= threshold, one.wrong) for threshold in steps]
    rows = [[(part.risk.value, part.coverage.value, part.reference) for part in parts] for parts in found]
    return np.array(rows, dtype=np.float64)  # None becomes NaN.

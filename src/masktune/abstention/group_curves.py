"""Each group's risk and coverage while ever more images are answered: is a group left behind?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from masktune.abstention.measured import GRID, Measured


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
    names = np.unique(first.groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.stack([_of_seed(one, names) for one in seeds])
    mean = np.where(np.isnan(parts).all(axis=0), np.nan, _mean(parts))
    counts = [int((first.groups == name).sum()) for name in names]
    return [
        GroupCurve(str(name), counts[at], mean[at, 0], mean[at, 1], mean[at, 2])
        for at, name in enumerate(names)
    ]


def _of_seed(one: Measured, names: np.ndarray) -> Float64[np.ndarray, "k 3 g"]:
    assert one.test.groups is not None
    at = np.searchsorted(one.curve.accepted, np.ceil(GRID * one.curve.n - 1e-9))
    thresholds = one.curve.thresholds[at]
    accepted = one.scored.scores[None, :] >= thresholds[:, None]
    taken_right, taken_wrong = (accepted & ~one.wrong).sum(axis=1), (accepted & one.wrong).sum(axis=1)
    shares = taken_right / max(1, (~one.wrong).sum()), taken_wrong / max(1, one.wrong.sum())
    found = []
    for name in names:
        mine = one.test.groups == name
        taken, errors = (accepted & mine).sum(axis=1), (accepted & mine & one.wrong).sum(axis=1)
        right, wrong = shares[0] * (mine & ~one.wrong).sum(), shares[1] * (mine & one.wrong).sum()
        found.append(np.stack([errors / taken, taken / mine.sum(), wrong / (right + wrong)]))
    return np.stack(found).astype(np.float64)


def _mean(parts: np.ndarray) -> np.ndarray:
    known = ~np.isnan(parts)
    return np.asarray(np.where(known, parts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))

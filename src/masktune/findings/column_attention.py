"""Does the classifier look elsewhere in images of one class where a column says something else?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from masktune.evaluation.association import contingency
from masktune.evaluation.within import Dependence, within_classes
from masktune.findings.column_values import Column
from masktune.findings.columns import ALPHA, LEAST_IN_GAP, Asked, with_holm
from masktune.findings.places import LEAST_IMAGES
from masktune.findings.probing import Whole, draw_by_class

MOST = 600
"""Images that are asked, as many of each class: 16 numbers an image are permuted for every column, and what
`ELSEWHERE` wants is far beyond chance in so many."""

ELSEWHERE = 0.1
"""R squared, less what as many bins explain by chance, from which a look is due."""


@dataclass(frozen=True, slots=True)
class Look:
    """How far the place of the salient area depends on one column, within classes."""

    depends: Dependence
    """R squared, and the p-value corrected for all columns."""
    n: int
    """Images that were asked."""
    beyond: float
    """R squared less what as many bins explain by chance (Ezekiel's adjustment); at most 1."""
    bin: int | None
    """Where it looks elsewhere most clearly; None where no bin has images enough to say so."""

    @property
    def clear(self) -> bool:
        """More than chance, and enough to be worth a look."""
        return self.depends.p_value < ALPHA and self.beyond >= ELSEWHERE and self.bin is not None


def looks(asked: Asked, columns: Sequence[Column], count: int) -> list[Look]:
    """One for each column of a family; `count` are the columns of all families, for Holm's correction.

    An image is the shares of its salient area in a grid of 4 x 4; one with nothing hidden looks nowhere, so
    it is not asked.
    """
    rows = _rows(asked)
    if len(rows) < LEAST_IMAGES:
        return [Look(Dependence(0.0, 1.0), len(rows), 0.0, None) for _ in columns]
    shares, labels, units = _shares(asked, rows), asked.labels[rows], asked.units[rows]
    codes = [np.unique(column.bins.codes[rows], return_inverse=True) for column in columns]
    whole = [places.reshape(-1).astype(np.int64) for _, places in codes]
    found = with_holm(within_classes(shares, whole, labels, units), count)
    return [
        Look(one, len(rows), _beyond(one, own, labels, units), _most(shares, own, kept, labels, units))
        for one, own, (kept, _) in zip(found, whole, codes, strict=True)
    ]


def _rows(asked: Asked) -> Whole:
    """At most `MOST` of the images with a salient area, by their places among those that were asked."""
    shown = np.flatnonzero(asked.observed.where[asked.rows].any(axis=(1, 2)))
    if not len(shown):
        return shown.astype(np.int64)
    drawn = draw_by_class(asked.labels[shown], MOST, np.random.default_rng(0))
    return np.asarray(shown[drawn].astype(np.int64))


def _shares(asked: Asked, rows: Whole) -> Float64[np.ndarray, "n 16"]:
    grid = asked.observed.where[asked.rows[rows]].astype(np.float64)
    cells = grid.reshape(len(grid), 4, 4, 4, 4).mean(axis=(2, 4)).reshape(len(grid), 16)
    return np.asarray(cells / cells.sum(axis=1, keepdims=True))


def _beyond(found: Dependence, codes: Whole, labels: Whole, units: Whole) -> float:
    cells = contingency(codes, labels, int(codes.max()) + 1, int(labels.max()) + 1)
    used, classes = int((cells > 0).sum()), int((cells.sum(axis=0) > 0).sum())
    count = int(np.unique(np.stack([labels, units]), axis=1).shape[1])
    if count <= used:
        return 0.0
    return 1 - (1 - found.explained) * (count - classes) / (count - used)


def _most(
    shares: Float64[np.ndarray, "n 16"],
    codes: Whole,
    kept: Int64[np.ndarray, " b"],
    labels: Whole,
    units: Whole,
) -> int | None:
    """The bin whose images look elsewhere than their classes do, by size times squared mean difference."""
    apart = shares.copy()
    for label in np.unique(labels):
        apart[labels == label] -= apart[labels == label].mean(axis=0)
    best, found = -1.0, None
    for at in range(len(kept)):
        own = codes == at
        size = len(np.unique(units[own]))
        far = size * float((apart[own].mean(axis=0) ** 2).sum())
        if size >= LEAST_IN_GAP and far > best:
            best, found = far, int(kept[at])
    return found

"""Places on the net's input that a class may be told by: where it is looked at, and where its pixels differ.

Saliency alone may miss a mark beside the object, and pixels alone may differ where nobody looks; each finds
candidates, and the transplants (`transplants.py`) tell which of them matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from masktune.findings.observed import Spot
from masktune.types import Number

LEAST = 10
"""Images that must be given a class before a place is sought for it."""
MOST = 6
"""Spots that are tried, the most outstanding first: each costs some 256 passes of the net."""
BORDERS = 2
"""Classes whose border is tried beside, those whose pixels differ most there."""
BORDER = 1 / 8
"""Width of the border, as a share of the sides: wider than the frames that scanners and programs leave."""

_HALF = 0.5
"""A spot reaches as far as its cells stand out half as much as its peak."""
_WIDEST = 0.5
"""A spot that covers more of the height and of the width is no place but the picture; it is cut back."""
_THIN = 1 / 3
"""A spot no wider than this one way may reach from end to end the other way: a stripe."""

_AT_ONCE = 256
"""Tiny pictures that are summed together: twenty thousand as numbers of 64 bits take half a gigabyte."""

Grid = Float64[np.ndarray, "g g"]


def find_spots(
    predicted: Int64[np.ndarray, " n"],
    where: UInt8[np.ndarray, "n g g"],
    tiny: UInt8[np.ndarray, "n t t 3"],
) -> tuple[Spot, ...]:
    """Candidates, at most one by saliency and one by pixels a class, the most outstanding first.

    Then the border, of the classes whose pixels stand out in most of it.

    Args:
        predicted: the class that the classifier gives each image.
        where: how much of each cell the salient mask hides, 0 to 255.
        tiny: the images, averaged down.
    """
    found: list[tuple[float, Spot]] = []
    borders: list[tuple[float, int]] = []
    pixels = _Sums.of(tiny)
    for label in np.unique(predicted).tolist():
        own = predicted == label
        if own.sum() < LEAST or (~own).sum() < LEAST:
            continue
        members = _Sums.of(tiny[own])
        grids = (_often_hidden(where, own), _differing(members, pixels - members))
        spots = ((float(grid.max()), _spot(grid, label)) for grid in grids)
        found += [(peak, spot) for peak, spot in spots if spot is not None]
        if (score := float(np.median(grids[1][_outside(len(grids[1]))]))) > 0:
            borders.append((-score, label))
    found.sort(key=lambda one: -one[0])
    best = tuple(_without_doubles(spot for _, spot in found))[:MOST]
    return best + tuple(_border(label) for _, label in sorted(borders)[:BORDERS])


def _outside(side: int) -> Bool[np.ndarray, "g g"]:
    """The cells of the border."""
    width = max(1, round(BORDER * side))
    outside = np.ones((side, side), dtype=bool)
    outside[width:-width, width:-width] = False
    return outside


def _border(label: int) -> Spot:
    return Spot(label, (0, 0, 1, 1), "border", (BORDER, BORDER, 1 - BORDER, 1 - BORDER))


def place_of(box: tuple[Number, Number, Number, Number]) -> str:
    """The place of a box in words: corner, edge or centre, by where its middle lies."""
    top, left, bottom, right = box
    down, across = (top + bottom) / 2, (left + right) / 2
    row = "top" if down < 1 / 3 else "bottom" if down > 2 / 3 else ""
    column = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    if row and column:
        return f"{row} {column} corner"
    return f"{row or column} edge" if row or column else "centre"


def _often_hidden(where: UInt8[np.ndarray, "n g g"], own: Bool[np.ndarray, " n"]) -> Grid:
    """How much more often each cell is hidden where the class is given than its mask's area explains.

    In standard deviations of independent masks, so that it can be compared with `_differing`.
    """
    shares = where[own].astype(np.float64) / 255
    expected = shares.mean()
    spread = np.sqrt(max(expected * (1 - expected), 1e-12) / len(shares))
    return np.asarray((shares.mean(0) - expected) / spread)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Of each cell and channel, over n tiny pictures: what mean and variance are made of, exactly."""

    n: int
    first: Int64[np.ndarray, "t t 3"]
    squares: Int64[np.ndarray, "t t 3"]

    @classmethod
    def of(cls, tiny: UInt8[np.ndarray, "n t t 3"]) -> "_Sums":
        first, squares = np.zeros((2, *tiny.shape[1:]), dtype=np.int64)
        for start in range(0, len(tiny), _AT_ONCE):
            part = tiny[start : start + _AT_ONCE].astype(np.int64)
            first += part.sum(0)
            squares += (part * part).sum(0)
        return cls(len(tiny), first, squares)

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.n - other.n, self.first - other.first, self.squares - other.squares)

    @property
    def mean(self) -> Float64[np.ndarray, "t t 3"]:
        return np.asarray(self.first / self.n)

    @property
    def variance_of_mean(self) -> Float64[np.ndarray, "t t 3"]:
        return np.asarray((self.squares / self.n - self.mean**2).clip(0) / self.n)


def _differing(own: _Sums, others: _Sums) -> Grid:
    """How far each cell's pixels differ between the class and all others: the largest |t| of its channels.

    Less one and a half times the median over all cells: what a brighter or more colourful class has
    everywhere, and the scatter of so large a t from cell to cell.
    """
    spread = np.sqrt(own.variance_of_mean + others.variance_of_mean)
    score = np.abs(own.mean - others.mean) / np.maximum(spread, 1e-3 + 1e-3 * spread.max())
    largest = score.max(axis=2)
    return np.asarray(largest - 1.5 * np.median(largest))


def _spot(grid: Grid, label: int) -> Spot | None:
    """The patch of cells around the peak that stand out half as much."""
    peak = grid.max()
    if peak < 4:  # What independent cells reach by chance, of a thousand of them.
        return None
    down, across = np.unravel_index(int(grid.argmax()), grid.shape)
    member = _connected(grid >= _HALF * peak, (int(down), int(across)))
    rows, columns = np.flatnonzero(member.any(1)), np.flatnonzero(member.any(0))
    side = len(grid)
    high, wide = (int(reach[-1]) + 1 - int(reach[0]) for reach in (rows, columns))
    top, bottom = _cut(rows, int(down), side, most=1 if wide <= _THIN * side else _WIDEST)
    left, right = _cut(columns, int(across), side, most=1 if high <= _THIN * side else _WIDEST)
    box = (top / side, left / side, bottom / side, right / side)
    return Spot(label, box, place_of(box))


def _connected(member: Bool[np.ndarray, "g g"], start: tuple[int, int]) -> Bool[np.ndarray, "g g"]:
    """The members that are linked to `start` by their sides."""
    found = np.zeros_like(member)
    found[start] = True
    while True:
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown &= member
        if (grown == found).all():
            return found
        found = grown


def _cut(reach: Int64[np.ndarray, " m"], peak: int, side: int, *, most: Number) -> tuple[int, int]:
    """At least a tenth of the side, at most the share `most` of it, and the peak within."""
    first, last = int(reach[0]), int(reach[-1]) + 1
    least, widest = max(1, round(0.1 * side)), max(1, round(most * side))
    if last - first > widest:
        first = min(max(peak - widest // 2, first), last - widest)
        last = first + widest
    while last - first < least:
        first, last = max(first - 1, 0), min(last + 1, side)
    return first, last


def _without_doubles(spots: Iterator[Spot]) -> Iterator[Spot]:
    """Leave out what covers nearly the same as a better spot of the same class."""
    kept: list[Spot] = []
    for spot in spots:
        if all(spot.label != other.label or _overlap(spot, other) < 0.6 for other in kept):
            kept.append(spot)
            yield spot


def _overlap(first: Spot, second: Spot) -> float:
    """Intersection over union of two boxes."""
    top, left = max(first.box[0], second.box[0]), max(first.box[1], second.box[1])
    bottom, right = min(first.box[2], second.box[2]), min(first.box[3], second.box[3])
    both = max(bottom - top, 0) * max(right - left, 0)
    return both / (_area(first) + _area(second) - both)


def _area(spot: Spot) -> float:
    top, left, bottom, right = spot.box
    return (bottom - top) * (right - left)

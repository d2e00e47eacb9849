"""Does a column (numbers or words, one an image) go with the labels?

Columns come as bins: whole numbers from 0. Where several images are of one unit (a subject), units are what
is independent: folds never divide them, and permutations move them as a whole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

FIRST, MORE = 999, 9_999
"""Permutations for all, and anew for p-values below `LOOK_CLOSER`: the least of these is 0.0001, so that
Holm's correction over as many as 500 columns can still pass 0.05."""

LOOK_CLOSER = 0.01
"""The observed order is one of the permutations (Phipson and Smyth 2010), so no p-value is 0."""

_AT_ONCE = 2_000_000
"""Numbers that a batch of permutations or draws holds."""

Codes = Int64[np.ndarray, " n"]
Counted = Callable[[int, np.random.Generator], int]
"""Of so many permutations, how many reach what was observed."""


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What a column alone says about each image, learned from images in other folds."""

    votes: Codes
    """The class with the largest share in the image's bin, where all classes count the same."""
    speaks: Int64[np.ndarray, " n"]
    """1 where the bin speaks for the true class (its share is above 1 / classes), -1 where it speaks against
    it, 0 where it says nothing: no image of other folds is in that bin."""


def vote(codes: Codes, labels: Codes, folds: Codes) -> Votes:
    """Cross-validated votes. `labels` are 0 to k - 1; `folds` hold whole units.

    The share of class c in bin b is P(b | c) / sum of P(b | any class), so common classes have no head start
    and chance is a balanced accuracy of 1 / k, however unequal the classes are. Of equal shares the lower
    class wins.
    """
    votes, speaks = np.empty(len(codes), np.int64), np.empty(len(codes), np.int64)
    bins, classes = int(codes.max()) + 1, int(labels.max()) + 1
    for fold in np.unique(folds):
        held = folds == fold
        share = shares(codes[~held], labels[~held], bins, classes)
        asked, own = codes[held], labels[held]
        votes[held] = share.argmax(axis=1)[asked]
        known = share.sum(axis=1)[asked] > 0
        speaks[held] = np.where(known, _sign(share[asked, own] - 1 / classes), 0)
    return Votes(votes, speaks)


def shares(codes: Codes, labels: Codes, bins: int, classes: int) -> Float64[np.ndarray, "b k"]:
    """Share of each class in each bin, where all classes count the same; rows sum to 1, empty bins to 0."""
    table = contingency(codes, labels, bins, classes).astype(np.float64)
    table /= np.maximum(table.sum(axis=0), 1)
    total = table.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(table, total, out=np.zeros_like(table), where=total > 0))


def contingency(codes: Codes, labels: Codes, bins: int, classes: int) -> Int64[np.ndarray, "b k"]:
    """How many images of each bin are of each class."""
    return np.asarray(np.bincount(codes * classes + labels, minlength=bins * classes).reshape(bins, classes))


def _sign(values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """1, 0 or -1; rounding does not count."""
    return np.asarray(np.sign(np.where(np.abs(values) < 1e-9, 0, values)).astype(np.int64))


def independence(codes: Codes, labels: Codes, units: Codes, *, seed: int = 0) -> float:
    """P-value of Pearson's chi-square of bins against classes, by permutation of whole units.

    Where each unit has one class, units count alike and a unit's bins (as shares) may go to any other unit;
    with one bin a unit these are draws of tables with fixed margins (Patefield 1981), as `scipy` makes them.
    Where classes vary within units, images count, and bins move between units of as many images: a unit whose
    size no other has keeps its own.
    """
    random = np.random.default_rng(seed)
    counted = _counted(codes, labels, units)
    p_value = (1 + counted(FIRST, random)) / (1 + FIRST)
    return p_value if p_value >= LOOK_CLOSER else (1 + counted(MORE, random)) / (1 + MORE)


def range_of_means(
    values: Float64[np.ndarray, " n"], groups: Codes, units: Codes, *, seed: int = 0
) -> tuple[float, float]:
    """The largest less the smallest mean of the groups, and how often units dealt anew to them reach it.

    A unit counts once in each of its groups. Of many small groups two lie apart by chance alone.
    """
    pairs, places = np.unique(np.stack([groups, units]), axis=1, return_inverse=True)
    means = means_of(values[:, None], places.reshape(-1))[:, 0]
    starts = np.append(0, np.flatnonzero(np.diff(pairs[0])) + 1)
    sizes = np.diff(np.append(starts, len(means)))

    def apart(rows: Float64[np.ndarray, "p m"]) -> Float64[np.ndarray, " p"]:
        return np.asarray(np.ptp(np.add.reduceat(rows, starts, axis=1) / sizes, axis=1))

    random, count, observed = np.random.default_rng(seed), 0, float(apart(means[None])[0])
    for batch in batches(FIRST, len(means)):
        rows = random.permuted(np.broadcast_to(means, (batch, len(means))), axis=1)
        count += int((apart(rows) >= observed - 1e-12).sum())
    return observed, (1 + count) / (1 + FIRST)


def _counted(codes: Codes, labels: Codes, units: Codes) -> Counted:
    if len(np.unique(units)) == len(units):
        table = contingency(codes, labels, int(codes.max()) + 1, int(labels.max()) + 1)
        return _counted_tables(table.astype(np.float64))
    rows, columns, blocks = _profiles(codes, labels, units)
    if blocks is None and (rows.max(axis=1) == 1).all():
        return _counted_tables(rows.T @ columns)
    return _counted_moves(rows, columns, blocks)


Table = Float64[np.ndarray, "_ _"]
"""Of any size: those of bins and classes differ."""


def _profiles(codes: Codes, labels: Codes, units: Codes) -> tuple[Table, Table, Codes | None]:
    """Bins and classes as shares, one row a unit, and None; or one row an image, and their units."""
    bins, classes = np.eye(int(codes.max()) + 1)[codes], np.eye(int(labels.max()) + 1)[labels]
    places = np.unique(units, return_inverse=True)[1].reshape(-1)
    of_units = means_of(classes, places)
    if (of_units.max(axis=1) == 1).all():
        return means_of(bins, places), of_units, None
    return bins, classes, places


def means_of(values: Float64[np.ndarray, "n c"], places: Codes) -> Float64[np.ndarray, "u c"]:
    """Mean of the rows of each place."""
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places)
    return np.asarray(np.add.reduceat(values[order], np.cumsum(counts) - counts, axis=0) / counts[:, None])


def _chi_square(tables: Float64[np.ndarray, "p b k"]) -> Float64[np.ndarray, " p"]:
    """Up to a constant and a factor that tables with the same margins share."""
    expected = tables[0].sum(axis=1)[:, None] * tables[0].sum(axis=0)
    return np.asarray((tables**2 / np.where(expected > 0, expected, 1)).sum(axis=(1, 2)))


def _counted_tables(observed: Table) -> Counted:
    """Draws of tables with the margins of this one."""
    from scipy.stats import random_table

    kept = observed[np.ix_(observed.sum(1) > 0, observed.sum(0) > 0)]
    drawn_from = random_table(kept.sum(axis=1), kept.sum(axis=0))
    reached = _chi_square(kept[None])[0] * (1 - 1e-9)

    def count(permutations: int, random: np.random.Generator) -> int:
        found = 0
        for batch in batches(permutations, kept.size):
            tables = drawn_from.rvs(batch, random_state=random).astype(np.float64)
            found += int((_chi_square(tables) >= reached).sum())
        return found

    return count


def _counted_moves(rows: Table, columns: Table, blocks: Codes | None) -> Counted:
    """Rows change places: any with any, or as blocks of one size."""
    reached = _chi_square((rows.T @ columns)[None])[0] * (1 - 1e-9)
    size = rows.size + rows.shape[1] * columns.shape[1]

    def count(permutations: int, random: np.random.Generator) -> int:
        found = 0
        for batch in batches(permutations, size):
            order = np.stack(list(_moves(len(rows), blocks, batch, random)))
            tables = (rows.T[:, order] @ columns).swapaxes(0, 1)
            found += int((_chi_square(tables) >= reached).sum())
        return found

    return count


def batches(repeats: int, size: int) -> Iterator[int]:
    """`repeats` in parts that hold at most 16 MB, if one repeat holds `size` numbers."""
    most = max(_AT_ONCE // max(size, 1), 1)
    yield from (min(most, repeats - start) for start in range(0, repeats, most))


def _moves(
    count: int, blocks: Codes | None, permutations: int, random: np.random.Generator
) -> Iterator[Codes]:
    """Orders of the rows."""
    if blocks is None:
        yield from (random.permutation(count) for _ in range(permutations))
        return
    sizes = np.bincount(blocks)
    order, starts = np.argsort(blocks, kind="stable"), np.cumsum(sizes) - sizes
    same = [
        order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes)
    ]  # One array a size: units x images.
    for _ in range(permutations):
        moved = np.empty(count, dtype=np.int64)
        for places in same:
            moved[places] = places[random.permutation(len(places))]
        yield moved

"""Does what the classifier does differ by a column, among images of one true class?

Comparing within the class keeps apart what goes with the class from what goes with the column. Units are
subjects, or the images themselves; columns come as bins, whole numbers from 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.evaluation.association import FIRST, LOOK_CLOSER, MORE, Codes, batches, means_of
from masktune.evaluation.auroc import auroc
from masktune.evaluation.intervals import Rate, weighted_mean
from masktune.evaluation.predictions import Predictions
from masktune.evaluation.resampling import REPEATS, percentiles

_COLUMNS = 50
"""That are tested on the same permutations: of 20,000 images, with 10 bins each, they take 80 MB."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """How far numbers of images differ between a column's bins, within the true classes."""

    explained: float
    """Share of their spread within classes that lies between bins, 0 to 1: eta squared, or R squared."""
    p_value: float
    """By permutation of units within classes, not corrected."""


def class_ranks(values: Float64[np.ndarray, " n"], labels: Codes) -> Float64[np.ndarray, " n"]:
    """Ranks within the class as shares, -0.5 (least) to 0.5; ties share theirs; the mean of a class is 0."""
    from scipy.stats import rankdata

    ranks = np.empty(len(values))
    for label in np.unique(labels):
        own = labels == label
        ranks[own] = (rankdata(values[own]) - (own.sum() + 1) / 2) / own.sum()
    return ranks


def within_classes(
    responses: Float64[np.ndarray, "n d"],
    columns: Sequence[Codes],
    labels: Codes,
    units: Codes,
    *,
    seed: int = 0,
) -> list[Dependence]:
    """For each column, whether responses differ between its bins within the true classes.

    The statistic is the sum of squares between bins, of each class apart, of responses less their class's
    mean: with ranks (`class_ranks`) a stratified Kruskal-Wallis test, with several responses an image
    PERMANOVA on Euclidean distances (Anderson 2001). A unit counts once in each of its classes.
    """
    return [
        found
        for start in range(0, len(columns), _COLUMNS)
        for found in _within(responses, columns[start : start + _COLUMNS], labels, units, seed)
    ]


def _within(
    responses: Float64[np.ndarray, "n d"], columns: Sequence[Codes], labels: Codes, units: Codes, seed: int
) -> list[Dependence]:
    design = _Design.of(responses, columns, labels, units)
    observed = design.observed()
    random = np.random.default_rng(seed)
    p_values = (1 + design.reached(observed, FIRST, random)) / (1 + FIRST)
    closer = np.flatnonzero(p_values < LOOK_CLOSER)
    if len(closer):
        part = _Design.of(responses, [columns[at] for at in closer.tolist()], labels, units)
        p_values[closer] = (1 + part.reached(observed[closer], MORE, random)) / (1 + MORE)
    spread = max(float((design.responses**2).sum()), 1e-12)
    return [Dependence(float(b) / spread, float(p)) for b, p in zip(observed, p_values, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """One unit and class after the other, by class: mean responses, and bins of all columns side by side."""

    responses: Float64[np.ndarray, "d m"]
    bins: Float64[np.ndarray, "m b"]
    classes: tuple[slice, ...]
    starts: Int64[np.ndarray, " c"]
    """First bin of each column."""

    @classmethod
    def of(
        cls, responses: Float64[np.ndarray, "n d"], columns: Sequence[Codes], labels: Codes, units: Codes
    ) -> "_Design":
        """Means of the images of each unit and class; responses less their class's mean."""
        pairs, places = np.unique(np.stack([labels, units]), axis=1, return_inverse=True)
        places = places.reshape(-1)
        ends = np.append(np.flatnonzero(np.diff(pairs[0])) + 1, pairs.shape[1]).tolist()
        classes = tuple(slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True))
        centred = means_of(responses, places)
        for own in classes:
            centred[own] -= centred[own].mean(axis=0)
        centred[np.abs(centred) < 1e-12] = 0  # Rounding of responses that are all the same.
        counts = [int(codes.max()) + 1 for codes in columns]
        bins = [means_of(np.eye(count)[codes], places) for count, codes in zip(counts, columns, strict=True)]
        starts = np.cumsum([0, *counts[:-1]])
        return cls(np.ascontiguousarray(centred.T), np.concatenate(bins, axis=1), classes, starts)

    def observed(self) -> Float64[np.ndarray, " c"]:
        """Sums of squares between bins, one a column."""
        parts = [self._between(self.responses[:, None, own], own) for own in self.classes]
        return np.asarray(np.add.reduceat(np.sum(parts, axis=0), self.starts, axis=1)[0])

    def reached(
        self, observed: Float64[np.ndarray, " c"], permutations: int, random: np.random.Generator
    ) -> Int64[np.ndarray, " c"]:
        """How many of so many permutations within classes reach what was observed, by column."""
        count = np.zeros(len(observed), dtype=np.int64)
        for batch in batches(permutations, max(self.responses.size, self.bins.shape[1])):
            total = np.zeros((batch, self.bins.shape[1]))
            for own in self.classes:
                order = np.stack([random.permutation(own.stop - own.start) for _ in range(batch)])
                total += self._between(self.responses[:, own][:, order], own)
            between = np.add.reduceat(total, self.starts, axis=1)
            count += (between >= observed * (1 - 1e-9)).sum(axis=0)
        return count

    def _between(self, moved: Float64[np.ndarray, "d p u"], own: slice) -> Float64[np.ndarray, "p b"]:
        """Of one class, for each order of its responses: squares of each bin's sum by the bin's size."""
        weights = self.bins[own].sum(axis=0)
        return np.asarray(((moved @ self.bins[own]) ** 2).sum(axis=0) / np.where(weights > 0, weights, 1))


def interactions(
    responses: Float64[np.ndarray, " n"],
    columns: Sequence[Codes],
    labels: Codes,
    units: Codes,
    *,
    seed: int = 0,
) -> list[Dependence]:
    """For each column, whether its bins differ in another way in one class than in another.

    A bin that is harder in all classes alike is no interaction. What all classes have in common (the
    additive fit of classes and bins) is taken off, units' remainders are permuted within classes, and the
    common part is taken off each permutation again (Freedman and Lane 1983). The statistic is the sum over
    cells, a class in a bin, of units times the squared mean remainder; `explained` is its share of the spread
    within classes. A unit counts once in each of its classes.
    """
    return [_interaction(responses, codes, labels, units, seed) for codes in columns]


def _interaction(
    responses: Float64[np.ndarray, " n"], codes: Codes, labels: Codes, units: Codes, seed: int
) -> Dependence:
    design = _Design.of(responses[:, None], [codes], labels, units)
    additive = _Additive.of(design)
    values, bins = design.responses[0], design.bins
    sums = np.stack([values[own] @ bins[own] for own in design.classes])
    observed = float(additive.apart(sums[None])[0])
    spread = max(float(values @ values), 1e-12)
    if observed <= 1e-9 * spread:
        return Dependence(0.0, 1.0)
    left = _Design(additive.left(design)[None], bins, design.classes, design.starts)
    random = np.random.default_rng(seed)
    p_value = (1 + additive.reached(left, observed, FIRST, random)) / (1 + FIRST)
    if p_value < LOOK_CLOSER:
        p_value = (1 + additive.reached(left, observed, MORE, random)) / (1 + MORE)
    return Dependence(observed / spread, p_value)


@dataclass(frozen=True, slots=True, eq=False)
class _Additive:
    """What all classes have in common of one column's bins, by least squares; sums are those of cells."""

    sizes: Float64[np.ndarray, "k b"]
    """Units of each class in each bin."""
    products: Float64[np.ndarray, "k b b"]
    """Of each class's bins, less their means."""
    inverse: Float64[np.ndarray, "b b"]
    """Of the products' sum over classes."""

    @classmethod
    def of(cls, design: _Design) -> "_Additive":
        """For the one column of a design."""
        parts = [design.bins[own] for own in design.classes]
        centred = [part - part.mean(axis=0) for part in parts]
        products = np.stack([part.T @ part for part in centred])
        inverse = np.linalg.pinv(products.sum(axis=0), hermitian=True)
        return cls(np.stack([part.sum(axis=0) for part in parts]), products, inverse)

    def left(self, design: _Design) -> Float64[np.ndarray, " m"]:
        """Responses less the bins' common effect, and less their class's mean."""
        values, bins = design.responses[0].copy(), design.bins
        sums = np.sum([values[own] @ bins[own] for own in design.classes], axis=0)
        values -= bins @ (self.inverse @ sums)
        for own in design.classes:
            values[own] -= values[own].mean()
        return np.asarray(values)

    def apart(self, sums: Float64[np.ndarray, "p k b"]) -> Float64[np.ndarray, " p"]:
        """Sum over cells of size times squared mean, of what the common effect leaves."""
        common = sums.sum(axis=1) @ self.inverse
        left = sums - np.einsum("kbc,pc->pkb", self.products, common, optimize=True)
        return np.asarray((left**2 / np.where(self.sizes > 0, self.sizes, 1)).sum(axis=(1, 2)))

    def reached(
        self, design: _Design, observed: float, permutations: int, random: np.random.Generator
    ) -> int:
        """How many of so many permutations within classes reach what was observed."""
        values, count = design.responses[0], 0
        for batch in batches(permutations, max(values.size, self.sizes.size)):
            sums = np.empty((batch, *self.sizes.shape))
            for at, own in enumerate(design.classes):
                rows = np.broadcast_to(values[own], (batch, own.stop - own.start))
                sums[:, at] = random.permuted(rows, axis=1) @ design.bins[own]
            count += int((self.apart(sums) >= observed * (1 - 1e-9)).sum())
        return count


def easier(
    right: Bool[np.ndarray, " n"], margin: Float64[np.ndarray, " n"], labels: Codes, units: Codes
) -> Rate:
    """Chance that of two images of one class, one `right` and one not, the first has the larger margin.

    0.5 where it makes no difference. Classes' areas under the curve are weighted by their pairs; the value is
    None where no class has a pair. The interval is that of `auroc`, or a bootstrap over units of several.
    """
    alone = len(np.unique(units)) == len(units)
    rates, weights = [], []
    for own in (labels == label for label in np.unique(labels)):
        # Ranks, because float32 does not part all margins that float64 does.
        ranks = np.unique(margin[own], return_inverse=True)[1].reshape(-1)
        logits = np.stack([np.zeros(len(ranks)), ranks], axis=1).astype(np.float32)
        names = np.arange(len(ranks)).astype(str)
        rates.append(auroc(Predictions(logits, right[own].astype(np.int64), names)))
        weights.append(float(right[own].sum() * (~right[own]).sum()))
    area = weighted_mean(rates, weights)
    if alone or area.value is None:
        return area
    return Rate(area.value, area.n, *_over_units(right, margin, labels, units))


def _over_units(
    right: Bool[np.ndarray, " n"], margin: Float64[np.ndarray, " n"], labels: Codes, units: Codes
) -> tuple[float | None, float | None]:
    areas = np.concatenate(list(_areas(right, margin, labels, units)))
    low, high = percentiles(areas)
    if low < high:
        return low, high
    # A perfect order stays so in every draw; it still rests on so many units only.
    kinds = np.stack([units, labels, right])
    first = np.sort(np.unique(kinds, axis=1, return_index=True)[1])
    area = easier(right[first], margin[first], labels[first], np.arange(len(first)))
    return area.low, area.high


def _areas(
    right: Bool[np.ndarray, " n"], margin: Float64[np.ndarray, " n"], labels: Codes, units: Codes
) -> Iterator[Float64[np.ndarray, " r"]]:
    """`REPEATS` areas in batches, each with the units drawn anew; NaN where a draw has no pair."""
    random = np.random.default_rng(0)
    places = np.unique(units, return_inverse=True)[1].reshape(-1)
    count = int(places.max()) + 1
    for batch in batches(REPEATS, len(right)):
        drawn = random.multinomial(count, np.full(count, 1 / count), size=batch).astype(np.float64)
        wins, pairs = np.zeros(batch), np.zeros(batch)
        for own in (np.flatnonzero(labels == label) for label in np.unique(labels)):
            won, of = _wins(right[own], margin[own], drawn[:, places[own]])
            wins += won
            pairs += of
        yield np.divide(wins, pairs, out=np.full(batch, np.nan), where=pairs > 0)


def _wins(
    right: Bool[np.ndarray, " n"], margin: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, "r n"]
) -> tuple[Float64[np.ndarray, " r"], Float64[np.ndarray, " r"]]:
    """Pairs of a right and another image that the right one wins by margin (ties: half), and all pairs."""
    order = np.argsort(margin, kind="stable")
    starts = np.unique(margin[order], return_index=True)[1]
    ups = np.add.reduceat(weights[:, order] * right[order], starts, axis=1)
    downs = np.add.reduceat(weights[:, order] * ~right[order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    return (ups * below).sum(axis=1), ups.sum(axis=1) * downs.sum(axis=1)

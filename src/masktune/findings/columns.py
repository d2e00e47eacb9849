"""What goes with the label, or with the classifier's errors: how one family of columns is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from jaxtyping import Bool, Float64

from masktune.evaluation import Rate, difference, holm
from masktune.evaluation.association import Votes, independence, shares, vote
from masktune.evaluation.within import Dependence, class_ranks, easier, interactions, within_classes
from masktune.findings.column_values import MISSING, OTHER, Column, Family, tried, usable
from masktune.findings.observed import Observed
from masktune.findings.places import CERTAINLY, FOLLOWS, rows_to_ask
from masktune.findings.probing import Probe, Whole, deal, rates_within

STRONG, NOTABLE = 0.3, 0.2
"""Lower ends of the gain: what a column must reach for a problem, and for a hint. Below 0.2 a column tells
less of the class than the border of ordinary photographs does (`places`)."""

LEAST_AGAINST = 5
"""Images (or subjects) on either side of an area under the curve: fewer have no interval worth the name."""

GAP, LEAST_IN_GAP = 0.1, 10
"""Difference of accuracies that a person would act on, and the images (or subjects) behind each."""

ALPHA = 0.05
"""Of p-values after Holm's correction over the columns of all families."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The images that columns are held against: all of those classes that have enough."""

    observed: Observed
    rows: Whole
    """Places of these images in what was observed; all further fields are about them alone."""
    labels: Whole
    """0 to number of classes - 1."""
    classes: tuple[str, ...]
    units: Whole
    folds: Whole
    ease: Float64[np.ndarray, " n"] | None
    """Ranks of the margin within the class; None where the net has its own classes."""

    @classmethod
    def of(cls, observed: Observed, *, seed: int = 0) -> "Asked | str":
        """The images, or why nothing can be asked."""
        chosen = rows_to_ask(observed)
        if isinstance(chosen, str):
            return chosen
        rows = np.flatnonzero(np.isin(observed.labels, np.unique(observed.labels[chosen])))
        present, labels = np.unique(observed.labels[rows], return_inverse=True)
        labels, units = labels.reshape(-1).astype(np.int64), observed.units[rows]
        return cls(
            observed=observed,
            rows=rows,
            labels=labels,
            classes=tuple(observed.data_classes[label] for label in present.tolist()),
            units=units,
            folds=deal(units, labels, np.random.default_rng(seed)),
            ease=class_ranks(observed.margin[rows], labels) if observed.same_classes else None,
        )

    def usable(self, family: Family) -> list[Column]:
        """The columns of a family that can be asked."""
        return usable(self.observed, family, self.rows, self.observed.units)

    @property
    def tried(self) -> int:
        """How many columns all families ask."""
        return tried(self.observed, self.rows, self.observed.units)

    def count(self, which: Bool[np.ndarray, " n"]) -> int:
        """Independent images, or subjects."""
        return len(np.unique(self.units[which]))


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """What came out for one column."""

    column: Column
    votes: Votes
    found: Probe
    told_p: float
    """Whether it goes with the label at all, corrected; 1 where that may not be asked."""
    matters: Dependence | None
    """Whether the classifier's ease depends on it within classes, p-value corrected; None if not asked."""
    turns: Dependence | None
    """Whether it does so in another way in one class than in another; None where it does not depend on it."""

    @property
    def turns_p(self) -> float:
        """Corrected; 1 where it was not asked."""
        return 1.0 if self.turns is None else self.turns.p_value

    @property
    def matters_p(self) -> float:
        """Corrected; 1 where it was not asked."""
        return 1.0 if self.matters is None else self.matters.p_value

    @property
    def above_chance(self) -> float:
        """Balanced accuracy of its votes less 1 / classes; to find the strongest."""
        own = np.bincount(self.found.labels, self.found.votes == self.found.labels)
        return float((own / np.bincount(self.found.labels)).mean() - 1 / len(own))


def try_columns(asked: Asked, columns: Sequence[Column], count: int) -> list[Tested]:
    """All tests of one family's columns; `count` are the columns of all families, see `with_holm`."""
    labels, units = asked.labels, asked.units
    told = [independence(one.bins.codes, labels, units) if one.tells else 1.0 for one in columns]
    depends = _on_ease(asked, columns, count)
    turning = _on_interaction(asked, columns, depends, count)
    tested = []
    for at, (column, p_value) in enumerate(zip(columns, _corrected(told, count), strict=True)):
        votes = vote(column.bins.codes, asked.labels, asked.folds)
        probe = Probe(asked.labels, asked.units, votes.votes)
        tested.append(Tested(column, votes, probe, p_value, depends.get(at), turning.get(at)))
    return tested


def _on_ease(asked: Asked, columns: Sequence[Column], count: int) -> dict[int, Dependence]:
    """Whether the ease depends on each column that may be asked so, by its place; p-values corrected."""
    codes = {at: column.bins.codes for at, column in enumerate(columns) if column.matters}
    if asked.ease is None:
        return {}
    found = within_classes(asked.ease[:, None], [*codes.values()], asked.labels, asked.units)
    return dict(zip(codes, with_holm(found, count), strict=True))


def _on_interaction(
    asked: Asked, columns: Sequence[Column], depends: dict[int, Dependence], count: int
) -> dict[int, Dependence]:
    """The same for interactions of class and column, only where the ease depends on it at all."""
    codes = {at: columns[at].bins.codes for at, one in depends.items() if one.p_value < ALPHA}
    if asked.ease is None:
        return {}
    found = interactions(asked.ease, [*codes.values()], asked.labels, asked.units)
    return dict(zip(codes, with_holm(found, count), strict=True))


def with_holm(found: Sequence[Dependence], count: int) -> list[Dependence]:
    """The same with p-values corrected over `count` columns, those of all families.

    Holm's steps are those that would result if the other families' p-values were all 1: a little stricter
    than one correction of all, and no family needs the others'.
    """
    corrected = _corrected([one.p_value for one in found], count)
    return [Dependence(one.explained, p) for one, p in zip(found, corrected, strict=True)]


def _corrected(p_values: Sequence[float], count: int) -> list[float]:
    return holm([*p_values, *[1.0] * (count - len(p_values))])[: len(p_values)]


@dataclass(frozen=True, slots=True)
class Told:
    """Which class a column tells from the others, and by which value."""

    label: int
    value: str
    gain: Rate
    """Youden's index: 0 chance, 1 perfect."""
    other: tuple[int, str] | None
    """The other one of two classes, and the value that speaks for it."""


def told(asked: Asked, tested: Tested) -> Told:
    """Of two classes the one that rarer values speak for is named: a mark is rarer than its absence."""
    codes, classes = tested.column.bins.codes, len(asked.classes)
    share = shares(codes, asked.labels, len(tested.column.bins.names), classes)
    best = tested.found.best_told()
    options = [_speaker(asked, tested.column, share, label) for label in ([best] if classes > 2 else (0, 1))]
    options.sort(key=lambda one: (one[1] in (MISSING, OTHER), one[2]))
    label, value, _ = options[0]
    return Told(label, value, tested.found.gain(label), options[1][:2] if len(options) > 1 else None)


def _speaker(
    asked: Asked, column: Column, share: Float64[np.ndarray, "b k"], label: int
) -> tuple[int, str, int]:
    """The class, the value that speaks for it in most of its images, and how many images have such values.

    Numbers: with the neighbouring bins that also do.
    """
    bins = column.bins
    speaking = np.flatnonzero(share.argmax(axis=1) == label)
    if not len(speaking):
        return label, OTHER, len(asked.labels)
    own = np.bincount(bins.codes[asked.labels == label], minlength=len(bins.names))
    first = last = int(speaking[own[speaking].argmax()])
    if bins.ends is not None and bins.names[first] != MISSING:
        while first - 1 in speaking:
            first -= 1
        while last + 1 in speaking and bins.names[last + 1] != MISSING:
            last += 1
    images = int(np.isin(bins.codes, speaking).sum())
    return label, bins.range_of(range(first, last + 1)), images


@dataclass(frozen=True, slots=True)
class Followed:
    """Whether images are easier for the classifier where the column speaks for their class."""

    area: Rate
    """`easier`; 0.5: it makes no difference."""
    against: int
    """Images (or subjects) where it speaks for another class, in classes that have both."""
    support: int
    """Those where it speaks for their own."""

    @property
    def enough(self) -> bool:
        """Images on both sides, to see a difference."""
        return min(self.against, self.support) >= LEAST_AGAINST

    @property
    def clear(self) -> bool:
        """Enough images, a clear difference, an interval well away from none."""
        area, low = self.area.value or 0.0, self.area.low or 0.0
        return self.enough and area >= FOLLOWS and low > CERTAINLY


def followed(asked: Asked, tested: Tested) -> Followed:
    """Margins of images whose value speaks for their class against those of the others, within classes."""
    speaks = tested.votes.speaks
    both = np.zeros(len(speaks), dtype=bool)
    for label in range(len(asked.classes)):
        own = asked.labels == label
        both |= own & bool((speaks[own] > 0).any() and (speaks[own] < 0).any())
    used = both & (speaks != 0)
    if not used.any() or asked.ease is None:
        return Followed(Rate(None, 0), 0, 0)
    right = speaks[used] > 0
    area = easier(right, asked.ease[used], asked.labels[used], asked.units[used])
    return Followed(area, asked.count(used & (speaks < 0)), asked.count(used & (speaks > 0)))


@dataclass(frozen=True, slots=True)
class Gap:
    """The two bins between which the classifier's ease differs most, in all classes or in one."""

    worse: int
    better: int
    label: int | None
    """The class; None for all."""
    accuracies: tuple[Rate, Rate]
    """Of the worse and the better one; over several classes with the same weights in both."""

    @property
    def difference(self) -> Rate:
        """How much higher the accuracy of the better one is."""
        return difference(*self.accuracies)

    @property
    def clear(self) -> bool:
        """A difference worth acting on, and surely one."""
        gap, enough = self.difference, min(one.n for one in self.accuracies) >= LEAST_IN_GAP
        return enough and gap.value is not None and gap.value >= GAP and (gap.low or 0.0) > 0


def gap_of(asked: Asked, column: Column) -> Gap | None:
    """Bins with the lowest and highest mean ease; of all classes or of one class, whatever is clearer."""
    if asked.ease is None:
        return None
    best: tuple[float, int, int, int | None] = (0.0, -1, -1, None)
    for label in (None, *range(len(asked.classes))):
        chosen = np.ones(len(asked.labels), dtype=bool) if label is None else asked.labels == label
        means = [
            (float(asked.ease[own].mean()), at, units)
            for at in range(len(column.bins.names))
            if (units := asked.count(own := chosen & (column.bins.codes == at))) >= LEAST_IN_GAP
        ]
        if len(means) < 2:
            continue
        (low, worse, few), (high, better, many) = min(means), max(means)
        # Bins of different classes (a group that has the class in its name) have no common accuracy.
        if set(asked.labels[column.bins.codes == worse]) & set(asked.labels[column.bins.codes == better]):
            best = max(
                best, ((high - low) / np.sqrt(1 / few + 1 / many), worse, better, label), key=itemgetter(0)
            )
    _, worse, better, label = best
    if worse < 0:
        return None
    return Gap(worse, better, label, _accuracies(asked, column, worse, better, label))


def _accuracies(
    asked: Asked, column: Column, worse: int, better: int, label: int | None
) -> tuple[Rate, Rate]:
    """Of the two bins, over the classes that are in both, or of one class."""
    codes = column.bins.codes
    chosen = np.ones(len(codes), dtype=bool) if label is None else asked.labels == label
    right = asked.observed.predictions.correct[asked.rows]
    first, second = (chosen & (codes == at) for at in (worse, better))
    return rates_within(right, asked.labels, asked.units, first, second)

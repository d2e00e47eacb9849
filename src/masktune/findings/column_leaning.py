"""Does the classifier's answer go with a column where the label does not?

A test set may be balanced over a column on purpose (Waterbirds' is over the place); nothing goes with the
label there, yet the classifier does. It shows in errors that turn around: one class is worse where the column
says one thing, another class is worse where it says the other. No difference in difficulty does that, but
chance does where it may choose among many classes and bins: so class and column must interact at all
(`Tested.turns_p`), and the two differences hold against as many as could have been chosen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from masktune.evaluation import Rate, difference
from masktune.evaluation.intervals import Z
from masktune.evaluation.within import easier
from masktune.findings.column_values import Column
from masktune.findings.columns import GAP, LEAST_IN_GAP, Asked
from masktune.findings.probing import rate


@dataclass(frozen=True, slots=True)
class Leaning:
    """Two classes and two bins between which errors turn around."""

    classes: tuple[int, int]
    bins: tuple[int, int]
    """The first class is worse in the first bin, the second class in the second."""
    differences: tuple[Rate, Rate]
    """How much lower each class's accuracy is where it is worse."""

    areas: tuple[Rate, Rate]
    """Chance that an image of each class is easier where the class is better: 0.5 no relation, 1 always."""
    chosen_from: int
    """Differences of one class between two bins that could have been chosen."""

    @property
    def clear(self) -> bool:
        """Both differences are worth acting on, and surely there though they are the largest of many."""
        worth = all((one.value or 0.0) >= GAP and (one.low or 0.0) > 0 for one in self.differences)
        return worth and all(self._surely(area) for area in self.areas)

    def _surely(self, area: Rate) -> bool:
        """Above 0.5 with an interval so wide that those of all that could be chosen hold at once.

        Of the margins, which tell more than right and wrong do.
        """
        from scipy.stats import norm

        if area.value is None or area.low is None:
            return False
        wider = float(norm.isf(0.025 / self.chosen_from)) / Z  # Bonferroni's.
        return area.value - wider * (area.value - area.low) > 0.5


def leaning_of(asked: Asked, column: Column) -> Leaning | None:
    """The classes and bins whose smaller difference is largest; None where none turns around clearly.

    Between two bins that is the class that loses most one way and the class that loses most the other way.
    """
    if asked.ease is None:
        return None
    shares = _shares(asked, column)
    lower = shares.T[None] - shares.T[:, None]  # How much lower in the first bin than in the second.
    known = ~np.isnan(lower)
    lost, won = np.where(known, lower, -np.inf), np.where(known, lower, np.inf)
    count = (int(known.sum()) - int((~np.isnan(shares)).sum())) // 2  # Less each bin with itself.
    less = np.minimum(lost.max(axis=2), -won.min(axis=2))
    here, there = (int(at) for at in np.unravel_index(less.argmax(), less.shape))
    if not less[here, there] > 0:
        return None
    first, second = int(lost[here, there].argmax()), int(won[here, there].argmin())
    pair = _gap(asked, column, first, here, there), _gap(asked, column, second, there, here)
    areas = _area(asked, column, first, here, there), _area(asked, column, second, there, here)
    leaning = Leaning((first, second), (here, there), pair, areas, count)
    return leaning if leaning.clear else None


def _shares(asked: Asked, column: Column) -> Float64[np.ndarray, "k b"]:
    """Share of right answers of each class in each bin; NaN where too few images (or subjects) are."""
    shape = len(asked.classes), len(column.bins.names)
    cells = asked.labels * shape[1] + column.bins.codes
    correct = asked.observed.predictions.correct[asked.rows].astype(float)
    right, images = (
        np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]) for weights in (correct, None)
    )
    units = np.unique(np.stack([cells, asked.units]), axis=1)[0]
    enough = np.bincount(units, minlength=shape[0] * shape[1]) >= LEAST_IN_GAP
    shares = np.divide(right, images, out=np.full(len(right), np.nan), where=enough)
    return np.asarray(shares.reshape(shape))


def _gap(asked: Asked, column: Column, label: int, worse: int, better: int) -> Rate:
    correct = asked.observed.predictions.correct[asked.rows]

    def of(own: Bool[np.ndarray, " n"]) -> Rate:
        return rate(correct[own], asked.units[own])

    of_class = asked.labels == label
    return difference(
        of(of_class & (column.bins.codes == worse)), of(of_class & (column.bins.codes == better))
    )


def _area(asked: Asked, column: Column, label: int, worse: int, better: int) -> Rate:
    assert asked.ease is not None  # Else nothing is asked.
    own = (asked.labels == label) & np.isin(column.bins.codes, (worse, better))
    right = column.bins.codes[own] == better
    return easier(right, asked.ease[own], asked.labels[own], asked.units[own])

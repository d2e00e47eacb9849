"""Does the classifier's answer go with a column where the label does not?

A test set may be balanced over a column on purpose (Waterbirds' is over the place); nothing goes with the
label there, yet the classifier does. It shows in errors that turn around: one class is worse where the column
says one thing, another class is worse where it says the other. No difference in difficulty does that.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import Rate, difference
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

    @property
    def clear(self) -> bool:
        """Both differences are worth acting on, and surely there."""
        return all((one.value or 0.0) >= GAP and (one.low or 0.0) > 0 for one in self.differences)


def leaning_of(asked: Asked, column: Column) -> Leaning | None:
    """The classes and bins whose smaller difference is largest; None where none turns around clearly."""
    if asked.ease is None:
        return None
    right, counts = _table(asked, column)
    enough = counts >= LEAST_IN_GAP
    shares = np.divide(right, counts, out=np.full(right.shape, np.nan), where=enough)
    best, found = 0.0, None
    bins = list(permutations(range(shares.shape[1]), 2))
    for first, second in permutations(range(len(shares)), 2):
        for here, there in bins:
            less = min(
                shares[first, there] - shares[first, here], shares[second, here] - shares[second, there]
            )
            if less > best:  # Not a number is not larger.
                best, found = float(less), (first, second, here, there)
    if found is None:
        return None
    first, second, here, there = found
    pair = _gap(asked, column, first, here, there), _gap(asked, column, second, there, here)
    leaning = Leaning((first, second), (here, there), pair)
    return leaning if leaning.clear else None


def _table(asked: Asked, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and images of each class in each bin."""
    shape = len(asked.classes), len(column.bins.names)
    cells = asked.labels * shape[1] + column.bins.codes
    correct = asked.observed.predictions.correct[asked.rows].astype(float)
    right = np.bincount(cells, weights=correct, minlength=shape[0] * shape[1]).reshape(shape)
    return right, np.bincount(cells, minlength=shape[0] * shape[1]).astype(float).reshape(shape)


def _gap(asked: Asked, column: Column, label: int, worse: int, better: int) -> Rate:
    correct = asked.observed.predictions.correct[asked.rows]

    def of(own: Bool[np.ndarray, " n"]) -> Rate:
        return rate(correct[own], asked.units[own])

    of_class = asked.labels == label
    return difference(
        of(of_class & (column.bins.codes == worse)), of(of_class & (column.bins.codes == better))
    )

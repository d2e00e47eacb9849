"""Two scans of the same images: which row of the one is which of the other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from masktune.errors import InputError
from masktune.findings.observed import Observed


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two observations, and where their common images are in each."""

    first: Observed
    second: Observed
    ids: np.ndarray
    rows: tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]

    @property
    def labels(self) -> np.ndarray:
        """Names of the true classes, the new ones: the two runs may have other classes, or another order."""
        return self.labelled[1]

    @property
    def labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of the true classes in the old and the new run."""
        first, second = self.first, self.second
        return self._both(
            _named(first.data_classes, first.labels), _named(second.data_classes, second.labels)
        )

    @property
    def can_be_right(self) -> bool:
        """Whether both nets speak of the data's classes."""
        return self.first.same_classes and self.second.same_classes

    @property
    def right(self) -> tuple[Bool[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        """Before and now, held against the new labels; needs `can_be_right`."""
        before, after = (said == self.labels for said in self.said)
        return before, after

    @property
    def said(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of the classes that were given, before and now."""
        first, second = (
            _named(one.net_classes, one.predictions.predicted) for one in (self.first, self.second)
        )
        return self._both(first, second)

    def column(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Splits, subjects or groups of the common images, before and now; None where there are none."""
        told = [getattr(one.predictions, name) for one in (self.first, self.second)]
        first, second = (
            None if column is None else column[rows] for column, rows in zip(told, self.rows, strict=True)
        )
        return first, second

    def _both(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the common images."""
        return first[self.rows[0]], second[self.rows[1]]


def _named(names: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    return np.asarray(np.array(names, dtype=object)[numbers])


def paired(first: Observed, second: Observed) -> Pair:
    """Pair two observations by sample id.

    Raises:
        InputError: no image, or no class, is in both.
    """
    if not set(first.data_classes) & set(second.data_classes):
        raise InputError(
            f"expected two runs with classes in common, got {shortened(', '.join(first.data_classes))} and "
            f"{shortened(', '.join(second.data_classes))}"
        )
    common = np.intersect1d(first.ids, second.ids)
    if len(common) == 0:
        raise InputError("expected two runs with images in common, paired by id; they have none")
    return Pair(first, second, common, (_rows(first, common), _rows(second, common)))


def _rows(observed: Observed, common: np.ndarray) -> Int64[np.ndarray, " m"]:
    order = np.argsort(observed.ids)
    return np.asarray(order[np.searchsorted(observed.ids[order], common)])


def shortened(value: object) -> str:
    """A digest or a long text cut short, with dots at its end."""
    text = str(value)
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return f"{text[:12]}..."
    return text if len(text) <= 60 else f"{text[:57]}..."

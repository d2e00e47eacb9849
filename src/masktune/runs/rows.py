"""One row of a results file: a number, with all that it depends on."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, final

from masktune.errors import InputError
from masktune.evaluation import Measure
from masktune.runs.jsons import plain

_SIGNED = ("bg_gap", "e_aurc")  # Differences: -1 to 1. All other metrics are fractions.


Number = int | float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of one method on one split; fields in the order of the results file.

    Raises:
        InputError: a field has the wrong type, or a number is out of its range.
    """

    dataset: str
    """Name of the data set."""
    variant: str | None = None
    """Its variant, where it has several."""
    method: str
    """Name of the method, such as "masktune"."""
    config: str | None = None
    """Short name of the settings that are not the defaults."""
    seed: int
    """Seed of the run."""
    split: str
    """Name of the split the number was measured on."""
    group: str | None = None
    """Name of the group that the number is about."""
    metric: str
    """Name of the metric, such as "worst_group_accuracy"."""
    score: str | None = None
    """Confidence score, in rows of selective prediction."""
    target: Number | None = None
    """The coverage or risk that was asked for, in rows of selective prediction."""
    value: Number | None
    """The number: a fraction, or for `bg_gap` and `e_aurc` -1 to 1. None (or NaN) where undefined."""
    n: int
    """Images it was counted on."""
    low: Number | None = None
    """Lower end of the 95 % interval."""
    high: Number | None = None
    """Upper end of the 95 % interval."""
    supervision: str
    """Which group labels the method read."""
    selection: str | None = None
    """The rule by which the checkpoint was chosen."""
    epochs: int | None = None
    """Epochs of the whole way from the start weights, shared stage 1 included."""
    seconds: Number | None = None
    """Seconds of the whole way."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        least = -1 if self.metric in _SIGNED else 0
        for name in ("value", "low", "high"):
            _check_range(name, getattr(self, name), least, 1)
        _check_range("target", self.target, 0, 1)
        for name in ("n", "epochs", "seconds"):
            _check_range(name, getattr(self, name), 0, math.inf)

    @classmethod
    def of(cls, number: Measure, **about: Any) -> "Row":
        """The row of a measured number; `about` are the other fields."""
        measured = {name: getattr(number, name) for name in ("group", "metric", "value", "n", "low", "high")}
        return cls(**measured, **about)

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object, keys in order; NaN becomes null."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Row":
        """The row of a JSON object with exactly these keys."""
        names = {field.name for field in fields(cls)}
        if set(entry) != names:
            odd = ", ".join(sorted(set(entry) ^ names))
            raise InputError(f"expected a row with the {len(names)} keys of masktune.results/1; wrong: {odd}")
        return cls(**entry)


def _check_type(name: str, value: object, kind: Any) -> None:
    if not isinstance(value, kind):
        wanted = getattr(kind, "__name__", str(kind))
        raise InputError(f"expected {name} of a row as {wanted}, got {value!r}")


def _check_range(name: str, value: Number | None, least: Number, most: Number) -> None:
    if value is not None and (value < least or value > most):
        raise InputError(f"expected {name} of a row from {least} to {most}, got {value}")

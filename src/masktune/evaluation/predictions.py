"""What a classifier said about some images, beside what is true and where each image belongs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from masktune.errors import InputError

_NAMES = ("ids", "groups", "subjects", "splits")
_COLUMNS = ("logits", "labels", *_NAMES, "head")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Logits and labels of n images over k classes; checks itself when made.

    Raises:
        InputError: lengths, types or labels do not fit, a logit is not finite, or an id occurs twice.
    """

    logits: Float32[np.ndarray, "n k"]
    """Finite, one column a class. A one-logit net comes as the two columns [0, z]."""
    labels: Int64[np.ndarray, " n"]
    """True classes, 0 to k - 1."""
    ids: Shaped[np.ndarray, " n"]
    """Stable names of the images, strings, each once (once a split where there are `splits`)."""
    classes: tuple[str, ...] | None = None
    """Names of the k classes."""
    groups: Shaped[np.ndarray, " n"] | None = None
    """Names of the images' groups, strings such as "waterbird on land"."""
    subjects: Shaped[np.ndarray, " n"] | None = None
    """Who or what an image shows (a patient, a car); images of one subject are not independent."""
    splits: Shaped[np.ndarray, " n"] | None = None
    """Names of the images' splits, where there is more than one."""
    head: Float32[np.ndarray, " n"] | None = None
    """How sure the method's own head for abstaining is, where it has one: finite, larger is surer."""

    def __post_init__(self) -> None:
        _check_logits(self.logits)
        _check_columns(self)
        count = self.logits.shape[1]
        if self.classes is not None and len(self.classes) != count:
            raise InputError(f"expected {count} class names, one a column of logits, got {len(self.classes)}")
        outside = (self.labels < 0) | (self.labels >= count)
        if outside.any():
            raise InputError(f"expected labels from 0 to {count - 1}, got {self.labels[outside][0]}")
        _check_ids(self)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """Class of the largest logit; the lowest index where several are equal."""
        return np.asarray(self.logits.argmax(axis=1))

    @property
    def correct(self) -> Bool[np.ndarray, " n"]:
        """Where the predicted class is the true one."""
        return np.asarray(self.predicted == self.labels)

    @property
    def probabilities(self) -> Float64[np.ndarray, "n k"]:
        """Softmax of the logits; each row sums to 1."""
        return softmax(self.logits)

    def select(self, chosen: Bool[np.ndarray, " m"]) -> "Predictions":
        """Only the images where `chosen` is true, in the same order."""
        if len(chosen) != len(self):
            raise InputError(f"expected a mask of {len(self)} images, got one of {len(chosen)}")
        return self._take(np.flatnonzero(chosen))

    def _take(self, where: Int64[np.ndarray, " m"]) -> "Predictions":
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return replace(self, **{name: value[where] for name, value in columns.items() if value is not None})

    def _keys(self) -> list[tuple[str, str]]:
        splits = [""] * len(self) if self.splits is None else self.splits.tolist()
        return list(zip(splits, self.ids.tolist(), strict=True))


def softmax(logits: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    """Probabilities; each row sums to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """All images of several predictions of one classifier, one after the other.

    Raises:
        InputError: no parts; other classes; or a column (groups, subjects, splits) that only some have.
    """
    if not parts:
        raise InputError("expected at least one Predictions to concatenate, got none")
    if len({(part.classes, part.logits.shape[1]) for part in parts}) > 1:
        raise InputError("expected parts with the same classes; these have different ones")
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        values = [value for part in parts if (value := getattr(part, name)) is not None]
        if values and len(values) < len(parts):
            raise InputError(
                f"expected {name} in all parts or in none, got them in {len(values)} of {len(parts)}"
            )
        columns[name] = np.concatenate(values) if values else None
    return Predictions(classes=parts[0].classes, **columns)


def match(first: Predictions, second: Predictions) -> Predictions:
    """`second` in the order of `first`, so that row i of both is the same image.

    Raises:
        InputError: the two are not about the same images, or disagree on a label.
    """
    if _same_rows(first, second):
        return second
    wanted = first._keys()
    places = {key: place for place, key in enumerate(second._keys())}
    missing = sum(key not in places for key in wanted)
    if missing or len(places) != len(wanted):
        raise InputError(
            f"expected two predictions on the same images, got {len(wanted)} and {len(places)} images, "
            f"{len(wanted) - missing} of them in both"
        )
    matched = second._take(np.array([places[key] for key in wanted], dtype=np.int64))
    differing = np.flatnonzero(matched.labels != first.labels)
    if len(differing):
        raise InputError(
            f"expected one label an image; the two predictions disagree on {str(first.ids[differing[0]])!r}"
        )
    return matched


def _same_rows(first: Predictions, second: Predictions) -> bool:
    """Whether row i of both is the same image already."""
    return (
        (first.splits is None) == (second.splits is None)
        and np.array_equal(first.ids, second.ids)
        and np.array_equal(first.labels, second.labels)
        and (first.splits is None or np.array_equal(first.splits, second.splits))  # type: ignore[arg-type]
    )


def _check_logits(logits: np.ndarray) -> None:
    if logits.ndim != 2 or logits.dtype != np.float32:
        raise InputError(f"expected logits as float32 (n, classes), got {logits.dtype} {logits.shape}")
    if logits.shape[1] < 2:
        raise InputError("expected logits of at least 2 classes, got 1; widen a one-logit net's z to [0, z]")
    broken = np.count_nonzero(~np.isfinite(logits).all(axis=1))
    if broken:
        raise InputError(f"expected finite logits, got NaN or infinity for {broken} of {len(logits)} images")


def _check_columns(predictions: Predictions) -> None:
    count = len(predictions.logits)
    if predictions.labels.dtype != np.int64 or predictions.labels.shape != (count,):
        came = f"{predictions.labels.dtype} {predictions.labels.shape}"
        raise InputError(f"expected labels as int64 ({count},), got {came}")
    for name in _NAMES:
        value = getattr(predictions, name)
        if value is not None and (value.dtype.kind != "U" or value.shape != (count,)):
            raise InputError(f"expected {name} as strings ({count},), got {value.dtype} {value.shape}")
    head = predictions.head
    if head is not None and not (
        head.dtype == np.float32 and head.shape == (count,) and np.isfinite(head).all()
    ):
        raise InputError(
            f"expected the head's scores as finite float32 ({count},), got {head.dtype} {head.shape}"
            f"{'' if np.isfinite(head).all() else ' with NaN or infinity'}"
        )


def _check_ids(predictions: Predictions) -> None:
    keys = predictions._keys()
    if len(set(keys)) < len(keys):
        (_, name), times = Counter(keys).most_common(1)[0]
        raise InputError(f"expected each id once, got {name!r} {times} times")

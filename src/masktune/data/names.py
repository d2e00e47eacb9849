"""The names that people give to splits and classes, and what is meant by them."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64

from masktune.errors import InputError

SPLITS = ("train", "validation", "test")

CALIBRATION = "calibration"
"""A split that is made where it is asked for: images that set the threshold below which is abstained."""

_MEANT = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "eval": "validation",
    "testing": "test",
} | {name: name for name in SPLITS}

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def split_name(given: str) -> str | None:
    """The split that a folder or a word means ("Val" is validation), or None if it means none."""
    return _MEANT.get(given.strip().lower())


def in_order_of_splits(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once: train, validation, test, then all others by name."""
    found = set(names)
    return (*(name for name in SPLITS if name in found), *sorted(found.difference(SPLITS)))


def labels_of(names: Sequence[str], source: str) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...]]:
    """(n,) class indices, and the classes in order: by number where all of them are numbers, else by name.

    Whole numbers that a table made floats are whole again: "1.0" is the class "1". `source` is what a message
    calls the place that the names come from.

    Raises:
        InputError: numbers that are not whole, or one class in two spellings.
    """
    given = sorted(set(names))
    numbers = all(_NUMBER.fullmatch(name) for name in given)
    written = {name: _whole(name, source) if numbers else name for name in given}
    classes = sorted(set(written.values()), key=(lambda name: (float(name), name)) if numbers else None)
    _check_spelling(classes, source, numbers)
    index = {name: classes.index(written[name]) for name in given}
    return np.fromiter((index[name] for name in names), np.int64, len(names)), tuple(classes)


def first_three(names: Sequence[object]) -> str:
    """The names in quotes: "'a', 'b', 'c' and 7 more"."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more


def _whole(name: str, source: str) -> str:
    if float(name) != int(float(name)):
        raise InputError(
            f"expected classes in {source}, got the number {name}, which is not whole; name the column that "
            "holds classes, or make classes of the numbers first"
        )
    return re.sub(r"\.0*$", "", name) if "e" not in name.lower() else str(int(float(name)))


def _check_spelling(classes: Sequence[str], source: str, numbers: bool) -> None:
    seen: dict[str | float, str] = {}
    for name in classes:
        same = float(name) if numbers else " ".join(name.casefold().split())
        if same in seen:
            raise InputError(
                f"expected one spelling a class in {source}, got {seen[same]!r} and {name!r}; "
                "write them alike"
            )
        seen[same] = name

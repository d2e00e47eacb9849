"""Columns that may go with the label, made comparable: numbers and words alike become at most some bins."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from masktune.findings.observed import Numbers, Observed, Words

Family = Literal["properties", "names", "tags", "columns"]
"""Where a column comes from; each family is one question."""

MOST_BINS = 8
"""Of numbers: finer ones hold too few images of 400 to be learned from, coarser ones hide a narrow range."""

LEAST_IN_BIN = 10
"""Images (or subjects) a bin that numbers are cut for; with fewer images there are fewer bins."""

COMMON, LEAST_COMMON = 30, 5
"""The commonest words that keep a bin of their own, and the images (or subjects) that each must have: fewer
cannot be learned from in four folds and met in the fifth."""

NUMERIC = 0.95
"""Share of the words of a column that must be numbers for it to be read as numbers."""

MISSING, OTHER = "(missing)", "(other)"


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A column, cut: which bin each image is in, and what the bins are called."""

    codes: Int64[np.ndarray, " n"]
    """0 to number of bins - 1; every bin has images."""
    names: tuple[str, ...]
    """A word as it stands in the column, a range of numbers, `MISSING` or `OTHER`."""
    ends: Float64[np.ndarray, "b 2"] | None = None
    """Of numbers: least and greatest value of each bin, ascending; NaN where missing, which is last."""

    def range_of(self, bins: Sequence[int]) -> str:
        """Neighbouring bins of numbers as one range."""
        if self.ends is None or len(bins) == 1:
            return self.names[bins[0]]
        return _range(float(self.ends[bins[0], 0]), float(self.ends[bins[-1], 1]))


def cut(values: Numbers | Words, units: Int64[np.ndarray, " n"]) -> Bins:
    """Numbers into at most `MOST_BINS` bins of about equal size, words into the common ones and the rest.

    What is missing (NaN, "") is a bin of its own. Words of which nearly all are numbers, more than
    `MOST_BINS` different ones, are cut as numbers. `units` (subjects, or images) are what is counted.
    """
    if values.dtype.kind == "f":
        return _cut_numbers(values, units)
    words = [str(word) for word in values.tolist()]
    numbers = _as_numbers(words)
    return _cut_words(words, units) if numbers is None else _cut_numbers(numbers, units)


def _as_numbers(words: Sequence[str]) -> Numbers | None:
    """The words as numbers, NaN where one is none; None where they are rather to be taken as words."""
    counts = Counter(words)
    values = {word: _number(word) for word in counts}
    given = sum(count for word, count in counts.items() if word)
    numeric = sum(count for word, count in counts.items() if not math.isnan(values[word]))
    different = len({value for value in values.values() if not math.isnan(value)})
    if different <= MOST_BINS or numeric < NUMERIC * given:
        return None
    return np.array([values[word] for word in words])


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _cut_numbers(values: Numbers, units: Int64[np.ndarray, " n"]) -> Bins:
    known = np.isfinite(values)
    different, places, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    bins = len(different)
    if bins > MOST_BINS:
        most = len(np.unique(units[known])) // LEAST_IN_BIN
        bins = min(max(most, 2), MOST_BINS)
    # By the middle rank of equal values, so that these stay together and a pile of them stays alone.
    middle = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
    of_value = np.arange(len(different)) if bins == len(different) else (middle * bins).astype(np.int64)
    of_value = np.unique(of_value, return_inverse=True)[1].reshape(-1)
    codes = np.full(len(values), int(of_value.max(initial=-1)) + 1, dtype=np.int64)
    codes[known] = of_value[places.reshape(-1)]
    ends = [(different[of_value == each][0], different[of_value == each][-1]) for each in np.unique(of_value)]
    names = [_range(float(low), float(high)) for low, high in ends]
    if not known.all():
        ends, names = [*ends, (np.nan, np.nan)], [*names, MISSING]
    return Bins(codes, tuple(names), np.array(ends, dtype=np.float64).reshape(-1, 2))


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _cut_words(words: Sequence[str], units: Int64[np.ndarray, " n"]) -> Bins:
    alone = len(np.unique(units)) == len(units)
    counts = Counter(words if alone else (word for word, _ in set(zip(words, units.tolist(), strict=True))))
    del counts[""]
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    common = [word for word in ordered[:COMMON] if counts[word] >= LEAST_COMMON]
    names = [*common, *([OTHER] if len(common) < len(ordered) else []), *([MISSING] if "" in words else [])]
    place = {word: at for at, word in enumerate(common)}
    place[""] = len(names) - 1
    codes = np.array([place.get(word, len(common)) for word in words], dtype=np.int64)
    return Bins(codes, tuple(names))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column that can be asked about."""

    name: str
    bins: Bins
    tells: bool = True
    """Whether it may be asked if it tells the class."""
    matters: bool = True
    """Whether it may be asked if the classifier does worse with some of its values."""


def usable(
    observed: Observed, family: Family, rows: Int64[np.ndarray, " m"], units: Int64[np.ndarray, " n"]
) -> list[Column]:
    """The family's columns with two bins or more on these rows.

    Left out is what has one value only, words that are nearly all different (names, numbers of files), and
    words that are the class under another heading.
    """
    found = []
    for name, values in named(observed, family).items():
        bins = cut(values[rows], units[rows])
        if len(bins.names) > 1 and not _is_label(observed, values[rows], rows):
            found.append(Column(name, bins))
    return found + (list(_groups_and_splits(observed, rows, units)) if family == "columns" else [])


def tried(observed: Observed, rows: Int64[np.ndarray, " m"], units: Int64[np.ndarray, " n"]) -> int:
    """How many columns the four families have to ask about, for Holm's correction."""
    families: tuple[Family, ...] = ("properties", "names", "tags", "columns")
    return sum(len(usable(observed, family, rows, units)) for family in families)


def named(observed: Observed, family: Family) -> Mapping[str, Numbers | Words]:
    """The columns of a family, usable or not."""
    if family == "properties":
        return observed.properties
    if family == "columns":
        return observed.columns
    of_name = family == "names"
    return {name: values for name, values in observed.facts.items() if _of_name(name) == of_name}


def _of_name(fact: str) -> bool:
    return fact == "folder" or fact.startswith(("name ", "folder "))


def _is_label(observed: Observed, values: Numbers | Words, rows: Int64[np.ndarray, " m"]) -> bool:
    """Whether every image's value is the name of its class."""
    if values.dtype.kind == "f":
        return False
    classes = [name.casefold() for name in observed.data_classes]
    labels = observed.labels[rows].tolist()
    return all(
        str(value).casefold() == classes[label] for value, label in zip(values.tolist(), labels, strict=True)
    )


def _groups_and_splits(
    observed: Observed, rows: Int64[np.ndarray, " m"], units: Int64[np.ndarray, " n"]
) -> Iterator[Column]:
    """The group, unless a column is the same; the split, which a classifier is allowed to do better on."""
    groups, splits = observed.predictions.groups, observed.predictions.splits
    if groups is not None and not any(_same(groups, values) for values in observed.columns.values()):
        bins = cut(groups[rows], units[rows])
        labels = observed.labels[rows]
        # Groups such as "waterbird on land" have the class in their names: what they tell is no finding.
        nested = len({*zip(bins.codes.tolist(), labels.tolist(), strict=True)}) == len(bins.names)
        if len(bins.names) > 1 and not _is_label(observed, groups[rows], rows):
            yield Column("group", bins, tells=not nested)
    if splits is not None:
        bins = cut(splits[rows], units[rows])
        if len(bins.names) > 1:
            yield Column("split", bins, matters=False)


def _same(first: Words, second: Words) -> bool:
    return bool((first.astype(str) == second.astype(str)).all())

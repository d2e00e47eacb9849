"""What is known of images before any of them is opened."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.contents import Contents
from masktune.data.names import first_three, in_order_of_splits, split_name
from masktune.errors import InputError, near

_MOST_VALUES = 50
"""Of a column that makes groups; an age or an id has more."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many images a split has of a class and group."""

    split: str | None
    """None where there are no splits yet."""
    label: str
    """Name of the class."""
    group: str | None
    """None where groups are not known."""
    n: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Images that were listed, one row each, and what is known of them.

    Folders, manifests and saved data sets are listed in the order of ids, so no listing's order matters.

    Raises:
        InputError: lengths differ, an id comes twice, or a label is no index into `classes`.
    """

    ids: Shaped[np.ndarray, " n"]
    """(n,) stable names, no two alike: relative paths with `/`."""
    labels: Int64[np.ndarray, " n"]
    """(n,) indices into `classes`."""
    classes: tuple[str, ...]
    """Names of the classes."""
    contents: Contents
    """The bytes of the images."""
    splits: Shaped[np.ndarray, " n"] | None = None
    """(n,) names of splits, or None where none are given."""
    groups: Shaped[np.ndarray, " n"] | None = None
    """(n,) names of groups, "" where one is not known; None where none is."""
    subjects: Shaped[np.ndarray, " n"] | None = None
    """(n,) names of subjects, or None where each image stands alone."""
    columns: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)
    """Further columns of a table, (n,) Python strings each (dtype object): as an array of one width a column
    of free text would take gigabytes."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """How many files of a folder were not listed, by reason."""

    def __post_init__(self) -> None:
        _check_lengths(self)
        _check_ids(self.ids)
        if self.labels.dtype != np.int64:
            raise InputError(f"expected labels as int64, got {self.labels.dtype}")
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise InputError(
                f"expected labels from 0 to {len(self.classes) - 1} ({len(self.classes)} classes), got "
                f"{self.labels.min()} to {self.labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that have images: train, validation, test, then others; none where none are given."""
        return () if self.splits is None else in_order_of_splits(np.unique(self.splits).tolist())

    def select(self, chosen: Int64[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> "Samples":
        """The samples at these positions, in this order, or those where a mask is true."""
        at = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        groups = None if self.groups is None else self.groups[at]
        return replace(
            self,
            ids=self.ids[at],
            labels=self.labels[at],
            contents=self.contents.select(at),
            splits=None if self.splits is None else self.splits[at],
            groups=groups if groups is not None and (groups != "").any() else None,
            subjects=None if self.subjects is None else self.subjects[at],
            columns={name: values[at] for name, values in self.columns.items()},
        )

    def in_order(self) -> "Samples":
        """The same samples in the order of their ids."""
        return self.select(np.argsort(self.ids, kind="stable"))

    def of_split(self, name: str) -> "Samples":
        """The samples of one split; "val" finds validation.

        Raises:
            InputError: there is no such split; near names are listed.
        """
        if self.splits is None:
            raise InputError(f"expected the split {name!r}, but no splits are given")
        meant = name if name in self.split_names else split_name(name)
        if meant not in self.split_names:
            known = self.split_names
            raise InputError(f"no split {name!r}{near(name, known)}; there are {', '.join(known)}")
        return self.select(self.splits == meant)

    def in_order_of(self, classes: tuple[str, ...]) -> "Samples":
        """The same samples with labels that index a model's classes, of which some may have no images.

        Raises:
            InputError: the model does not know a class of the images, or knows two of that name.
        """
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise InputError(
                f"the model has no class {unknown[0]!r}{near(unknown[0], classes)} ({len(unknown)} of the "
                f"images' {len(self.classes)} classes are unknown to it); its classes are "
                f"{first_three(classes)}: name them in the model's order, spelled as for the images, "
                "with --classes"
            )
        for name in self.classes:
            if classes.count(name) > 1:
                raise InputError(f"the model has two classes {name!r}; tell them apart with --classes")
        index = np.array([classes.index(name) for name in self.classes], dtype=np.int64)
        return replace(self, labels=index[self.labels], classes=classes)

    def with_subjects(self, pattern: str) -> "Samples":
        """The same samples with subjects read off their file names (`--subject-from`).

        The subject is the first group in brackets of the regular expression, or all that it matches. It is
        looked for in the file's name; if it has a `/`, in the whole id.

        Raises:
            InputError: no regular expression, or some ids do not match.
        """
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise InputError(f"{pattern!r} is no regular expression for --subject-from: {error}") from error
        ids = self.ids.tolist()
        places = ids if "/" in pattern else [name.rpartition("/")[2] for name in ids]
        found = [expression.search(place) for place in places]
        subjects = [(match[1] if expression.groups else match[0]) if match else None for match in found]
        without = [name for name, subject in zip(ids, subjects, strict=True) if not subject]
        if without:
            raise InputError(
                f"expected a subject in each file name by --subject-from {pattern!r}, but "
                f"{len(without)} of {len(ids)} do not match: {first_three(without)}; a pattern with / is "
                "looked for in the whole path"
            )
        return replace(self, subjects=np.array(subjects))

    def grouped_by(self, column: str) -> "Samples":
        """The same samples, a group for each class and value of a further column (`--group-by`).

        Raises:
            InputError: there is no such column, or it has too many values to be groups.
        """
        if column not in self.columns:
            known = ", ".join(self.columns) or "none"
            raise InputError(f"no further column {column!r}{near(column, self.columns)}; there are {known}")
        values = self.columns[column]
        count = len(set(values.tolist()))
        if count > _MOST_VALUES:
            raise InputError(
                f"expected a column of at most {_MOST_VALUES} values to group by, got {count} in {column!r}"
            )
        pairs = zip(self.labels.tolist(), values.tolist(), strict=True)
        groups = [f"{self.classes[label]}, {column} {value or 'unknown'}" for label, value in pairs]
        return replace(self, groups=np.array(groups))

    def counts(self) -> tuple[Count, ...]:
        """By split, class and group; zeros too, where another split has such images."""
        splits = self.split_names or (None,)
        groups = np.full(len(self), "") if self.groups is None else self.groups
        names, codes = np.unique(groups, return_inverse=True)
        occurring = np.unique(np.stack([self.labels, codes]), axis=1).T.tolist()
        if self.groups is None:
            occurring = [[label, 0] for label in range(len(self.classes))]
        rows = []
        for split in splits:
            here = np.ones(len(self), dtype=bool) if self.splits is None else self.splits == split
            cells = np.bincount(
                self.labels[here] * len(names) + codes[here], minlength=len(self.classes) * len(names)
            )
            for label, code in occurring:
                group = None if self.groups is None else str(names[code])
                rows.append(Count(split, self.classes[label], group, int(cells[label * len(names) + code])))
        return tuple(rows)

    def fingerprint(self) -> str:
        """A sha256 that changes when a row, or a file by size or time of change, does; no image is read."""
        return self.sha256_with(self.contents.fingerprint())

    def sha256_with(self, contents: str) -> str:
        """A sha256 of all rows and of what stands for the contents of the images."""
        digest = hashlib.sha256("\x1f".join(self.classes).encode())
        for column in (self.ids, self.labels, self.splits, self.groups, self.subjects):
            digest.update(b"\x1e")
            digest.update(b"-" if column is None else "\x1f".join(map(str, column.tolist())).encode())
        digest.update(contents.encode())
        return digest.hexdigest()


def check_classes(samples: Samples, source: str) -> None:
    """Refuse images of one class only, and a split that lacks a class.

    Raises:
        InputError: says which.
    """
    if len(samples.classes) < 2:
        raise InputError(
            f"expected at least two classes in {source}, got {len(samples.classes)}: "
            f"{first_three(samples.classes)}"
        )
    empty = [row for row in replace(samples, groups=None).counts() if row.n == 0]
    if empty:
        others = f" ({len(empty)} such cases)" if len(empty) > 1 else ""
        where = source if empty[0].split is None else f"split {empty[0].split!r} of {source}"
        raise InputError(
            f"class {empty[0].label!r} has no images in {where}{others}; every split "
            "needs images of every class"
        )


def _check_lengths(samples: Samples) -> None:
    parts = {name: getattr(samples, name) for name in ("labels", "contents", "splits", "groups", "subjects")}
    for name, part in (parts | {f"column {name!r}": part for name, part in samples.columns.items()}).items():
        if part is not None and len(part) != len(samples):
            raise InputError(f"expected {len(samples)} rows, one an image, got {len(part)} in {name}")


def _check_ids(ids: Shaped[np.ndarray, " n"]) -> None:
    order = np.sort(ids)
    twice = order[1:][order[1:] == order[:-1]]
    if len(twice):
        raise InputError(f"expected ids that differ, got {str(twice[0])!r} twice; ids name the images")

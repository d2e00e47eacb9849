"""A table of images: `path,label[,split][,group][,subject]`, as CSV or Parquet; further columns are kept."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from masktune.data.contents import FilesOnDisk
from masktune.data.folder import IMAGE_ENDINGS
from masktune.data.names import SPLITS, first_three, labels_of, split_name
from masktune.data.samples import Samples, check_classes
from masktune.data.tables import Table, read_table
from masktune.errors import DataNotFound, InputError, near

_MISSING = frozenset(("nan", "<na>", "#n/a", "n/a", "null"))
"""What tables write for no value, beside nothing at all. Not "none" and "na": they may be classes."""

_NUMBERED = {"0": "train", "1": "validation", "2": "test"}
"""Waterbirds' and CelebA's numbers of splits."""

_OFTEN = {
    "path": "filename file_name filepath file_path image_path img_path img_filename file image img name",
    "label": "labels class class_name classname y target category diagnosis",
}
"""What others call these columns: offered, never taken."""

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column of a table is what, by its name there."""

    path: str
    label: str
    split: str | None
    group: str | None
    subject: str | None


def read_manifest(
    path: str | Path,
    *,
    root: str | Path | None = None,
    path_column: str = "path",
    label_column: str = "label",
    split_column: str | None = None,
    group_column: str | None = None,
    subject_column: str | None = None,
) -> Samples:
    r"""Read a manifest and see that all its images exist; sorted by id.

    An id is the path relative to `root` with `/`, or the absolute path of an image that lies elsewhere. Names
    of columns are found in any case. Splits are named as folders are (see `list_folder`), or 0, 1, 2 for
    train, validation, test. A group may be left empty, for a whole split.

    Args:
        path: of a CSV or Parquet file.
        root: folder that relative paths start from; the manifest's own if not given.
        path_column: with paths of images, absolute or relative, with `/` or `\`.
        label_column: with names or numbers of classes.
        split_column: "split" if there is one.
        group_column: "group" if there is one.
        subject_column: "subject" if there is one.

    Raises:
        DataNotFound: no such manifest, or images that it names do not exist.
        StorageError: it cannot be read.
        DataDamaged: it is no table.
        InputError: a column is missing, with near names; a value is missing; an image comes twice; splits
            that are not known; a class in two spellings, one class only, a class without images in a split.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    table = read_table(path)
    at = Path(path)
    wanted = _Columns(path_column, label_column, split_column, group_column, subject_column)
    columns = _found(table, wanted, at)
    base = os.path.abspath(root if root is not None else at.parent)  # noqa: PTH100
    _check_filled(table, columns.path, at)
    _check_filled(table, columns.label, at)
    paths = [_absolute(written, base) for written in table.columns[columns.path]]
    labels, classes = labels_of(table.columns[columns.label], f"column {columns.label!r} of {at}")
    _check_once(table, columns, paths, at)
    splits = None if columns.split is None else _splits(table, columns.split, at)
    samples = Samples(
        ids=np.array([_id(path, base) for path in paths]),
        labels=labels,
        classes=classes,
        contents=_existing(table, columns.path, paths, base, at),
        splits=splits,
        groups=None if columns.group is None else _groups(table, columns.group, splits, at),
        subjects=None if columns.subject is None else _subjects(table, columns.subject, at),
        columns=_others(table, columns),
    )
    check_classes(samples, str(at))
    return samples.in_order()


def _found(table: Table, wanted: _Columns, at: Path) -> _Columns:
    names = {name.casefold(): name for name in table.columns}
    missing = [role for role in ("path", "label") if getattr(wanted, role).strip().casefold() not in names]
    if missing:
        raise InputError(_no_columns(table, wanted, missing, at))
    found = {}
    for role in ("split", "group", "subject"):
        asked = getattr(wanted, role)
        found[role] = names.get((asked or role).strip().casefold())
        if asked and found[role] is None:
            raise InputError(
                f"no column {asked!r} in {at}{near(asked, table.columns)}; it has {', '.join(table.columns)}"
            )
    return _Columns(names[wanted.path.strip().casefold()], names[wanted.label.strip().casefold()], **found)


def _no_columns(table: Table, wanted: _Columns, missing: Sequence[str], at: Path) -> str:
    header = list(table.columns)
    like_a_path = [name for name in header if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS]  # noqa: PTH122
    if like_a_path:
        return (
            f"expected names of columns in the first row of {at}, got {like_a_path[0]!r}, which looks like "
            "an image; write a first row path,label"
        )
    sentences, options = [], []
    for role in missing:
        name = getattr(wanted, role)
        often = [column for column in header if name == role and column.casefold() in _OFTEN[role].split()]
        sentences.append(f"{name!r}{f' (did you mean {often[0]!r}?)' if often else near(name, header)}")
        options.append(f"--{role}-column")
    return (
        f"no column {' and no column '.join(sentences)} in {at}, which has {', '.join(header)}; rename one "
        f"or name it with {' and '.join(options)}"
    )


def _check_filled(table: Table, column: str, at: Path) -> None:
    values = table.columns[column]
    empty = [position for position, value in enumerate(values) if _is_missing(value)]
    if empty:
        raise InputError(
            f"column {column!r} of {at} is empty in {_rows(table, empty)}; fill it, or take the rows away"
        )


def _is_missing(value: str) -> bool:
    return not value or value.lower() in _MISSING


def _rows(table: Table, positions: Sequence[int]) -> str:
    """In words: "row 3", or "rows 3, 5, 9 and 7 more"."""
    numbers = [table.numbers[position] for position in positions]
    return f"row{'s' if len(numbers) > 1 else ''} {first_three(numbers)}"


def _absolute(written: str, base: str) -> str:
    return os.path.normpath(os.path.join(base, written.replace("\\", "/")))  # noqa: PTH118


def _id(path: str, base: str) -> str:
    start = os.path.join(base, "")  # noqa: PTH118
    return path.removeprefix(start).replace(os.sep, "/")


def _check_once(table: Table, columns: _Columns, paths: Sequence[str], at: Path) -> None:
    first: dict[str, int] = {}
    twice = [(first[path], row) for row, path in enumerate(paths) if first.setdefault(path, row) != row]
    if not twice:
        return
    before, row = twice[0]
    one, other = (table.columns[columns.label][position] for position in (before, row))
    labels = (
        f"with the same label {one!r}" if one == other else f"with different labels {one!r} and {other!r}"
    )
    more = f" ({len(twice)} rows repeat an image)" if len(twice) > 1 else ""
    raise InputError(
        f"expected each image once in {at}, got {table.columns[columns.path][row]!r} in "
        f"{_rows(table, (before, row))} {labels}{more}; take one away"
    )


def _existing(table: Table, column: str, paths: Sequence[str], base: str, at: Path) -> FilesOnDisk:
    files = FilesOnDisk(tuple(paths))
    missing = files.missing()
    if not missing:
        return files
    written = table.columns[column]
    first = ", ".join(f"{written[row]!r} (row {table.numbers[row]})" for row in missing[:3])
    if os.sep == "/" and _DRIVE.match(written[missing[0]]):
        what = "paths that begin with a drive are found on Windows only; write them relative to a folder"
    else:
        what = f"paths are relative to {base}; correct them, or name another folder with --root"
    raise DataNotFound(
        f"{len(missing)} of the {len(paths)} images in {at} do not exist: "
        f"{first}{', ...' * (len(missing) > 3)}"
        f"{_alike(Path(paths[missing[0]]))}; {what}"
    )


def _alike(path: Path) -> str:
    """A file that has the name but for its ending or for small and capital letters."""
    beside = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    like = [name for name in beside if name.casefold().rpartition(".")[0] == path.stem.casefold()]
    return f" (there is {like[0]!r})" if like else ""


def _splits(table: Table, column: str, at: Path) -> Shaped[np.ndarray, " n"]:
    written = table.columns[column]
    means = {name: _NUMBERED.get(re.sub(r"\.0*$", "", name), split_name(name)) for name in set(written)}
    unknown = sorted(name for name, split in means.items() if split is None)
    if unknown:
        rows = [row for row, name in enumerate(written) if name == unknown[0]]
        raise InputError(
            f"unknown split {unknown[0]!r}{near(unknown[0], SPLITS)} in {_rows(table, rows)} of {at} "
            f"({len(unknown)} unknown: {first_three(unknown)}); there are {', '.join(SPLITS)}"
        )
    return np.array([means[name] for name in written])


def _groups(
    table: Table, column: str, splits: Shaped[np.ndarray, " n"] | None, at: Path
) -> Shaped[np.ndarray, " n"] | None:
    """Where a split has some groups it has to have all: what is measured by group counts every image."""
    groups = np.array(["" if _is_missing(value) else value for value in table.columns[column]])
    for split in [None] if splits is None else np.unique(splits).tolist():
        here = np.ones(len(groups), dtype=bool) if splits is None else splits == split
        empty = np.flatnonzero(here & (groups == ""))
        if 0 < len(empty) < here.sum():
            where = at if split is None else f"split {split!r} of {at}"
            raise InputError(
                f"column {column!r} is empty in {_rows(table, empty.tolist())}, but filled elsewhere in "
                f"{where}; fill it, or leave it empty for the whole split"
            )
    return groups if (groups != "").any() else None


def _subjects(table: Table, column: str, at: Path) -> Shaped[np.ndarray, " n"]:
    _check_filled(table, column, at)
    return np.array(table.columns[column])


def _others(table: Table, columns: _Columns) -> dict[str, Shaped[np.ndarray, " n"]]:
    taken = (columns.path, columns.label, columns.split, columns.group, columns.subject)
    kept = {}
    for name, values in table.columns.items():
        if name not in taken:
            once: dict[str, str] = {}  # One string for equal values: most columns have few.
            kept[name] = np.array([once.setdefault(value, value) for value in values], dtype=object)
    return kept

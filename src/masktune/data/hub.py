"""Data sets of the Hugging Face hub as they lie on a disk: saved by `datasets`, or Parquet with images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.data.hub_files import downloaded, files_of
from masktune.data.image_tables import ImagesInTables, ImageTable, open_table
from masktune.data.names import labels_of
from masktune.data.samples import Samples, check_classes
from masktune.data.tables import as_text
from masktune.errors import DataNotFound, InputError, near


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """The files of a data set, with what their columns mean."""

    source: str
    tables: Sequence[ImageTable]
    splits: Sequence[str | None]
    """Of each file."""
    lengths: Sequence[int]
    features: Mapping[str, Any]
    """What `datasets` notes of each column; {} where it notes nothing."""

    @property
    def schema(self) -> Any:
        return self.tables[0].schema

    def values(self, column: str) -> list[Any]:
        return [value for table in self.tables for value in table.values(column)]


def read_hub(
    path_or_name: str | Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    subject_column: str | None = None,
    allow_download: bool = False,
) -> Samples:
    """List a data set saved by `save_to_disk`, or Parquet files as the hub has them; sorted by id.

    Images are read a row at a time, never all of them. An id is the path stored with the image, if no
    two are alike, else split and position: "train/00017". Classes are named and ordered as the data set says.
    Further columns of text and numbers are kept.

    Args:
        path_or_name: a folder or a Parquet file, or `hub:NAME` of a data set to download.
        image_column: the only one with images if not given.
        label_column: "label" if there is one, else the only one with named classes.
        group_column: "group" if there is one.
        subject_column: "subject" if there is one.
        allow_download: may use the network.

    Raises:
        DataNotFound: nothing there, or no data set in it.
        DataDamaged: a file is truncated or something else.
        StorageError: a file cannot be read.
        InputError: `hub:NAME` without leave to download; no column, or several, with images or labels; images
            without a label; one class only; a class without images in a split; splits that are not known.
        MissingExtra: pyarrow is not installed; or `datasets`, for a download.
    """
    tables = _opened(str(path_or_name), allow_download)
    image = _image_column(tables, image_column)
    label = _label_column(tables, label_column)
    group = _optional_column(tables, "group", group_column)
    subject = _optional_column(tables, "subject", subject_column)
    labels, classes = _labels(tables, label)
    splits = None if None in tables.splits else np.repeat(np.array(tables.splits), tables.lengths)
    contents = ImagesInTables(
        tables.tables,
        image,
        table_of=np.repeat(np.arange(len(tables.tables)), tables.lengths),
        rows=np.concatenate([np.arange(length) for length in tables.lengths]),
    )
    samples = Samples(
        ids=_ids(tables, image, splits),
        labels=labels,
        classes=classes,
        contents=contents,
        splits=splits,
        groups=None if group is None else np.array(_text(tables, group)),
        subjects=None if subject is None else np.array(_text(tables, subject)),
        columns=_others(tables, (image, label, group, subject)),
    )
    check_classes(samples, tables.source)
    return samples.in_order()


def is_hub_data(path: Path) -> bool:
    """Whether a path is a data set as the hub or `datasets` keep it, and no folder or table of paths."""
    if path.is_dir():
        marks = ("dataset_dict.json", "dataset_info.json", "state.json")
        return (
            any((path / mark).is_file() for mark in marks)
            or any(path.glob("*.parquet"))
            or any(path.glob("data/*.parquet"))
        )
    if path.suffix.lower() == ".arrow":
        return True
    return path.suffix.lower() == ".parquet" and any(map(_holds_images, open_table(path).schema))


def _opened(given: str, allow_download: bool) -> _Tables:
    path = Path(given.removeprefix("hub:"))
    if path.exists():
        files = files_of(path)
    elif not given.startswith("hub:"):
        raise DataNotFound(f"no folder or file {path}; a data set to download is given as hub:NAME")
    elif not allow_download:
        raise InputError(
            f"{path} is no folder or file here, and to get it from the hub needs the network; save it with "
            "`datasets` and name that folder, or allow it with --allow-download"
        )
    else:
        files = downloaded(given.removeprefix("hub:"))
    tables = [open_table(file) for _, file in files]
    for table in tables[1:]:
        if table.schema.names != tables[0].schema.names:
            raise InputError(
                f"expected the same columns in all files, got {', '.join(tables[0].schema.names)} in "
                f"{tables[0].path} and {', '.join(table.schema.names)} in {table.path}; name a "
                "folder of one data set"
            )
    lengths = [table.length for table in tables]
    return _Tables(str(path), tables, [split for split, _ in files], lengths, _features(tables[0].schema))


def _features(schema: Any) -> Mapping[str, Any]:
    noted = (schema.metadata or {}).get(b"huggingface")
    features: Mapping[str, Any] = json.loads(noted)["info"]["features"] if noted else {}
    return features


def _image_column(tables: _Tables, asked: str | None) -> str:
    having = [column.name for column in tables.schema if _holds_images(column)]
    if asked in having:
        return str(asked)
    if asked or len(having) != 1:
        what = f"no column {asked!r} with images" if asked else f"{len(having) or 'no'} columns with images"
        raise InputError(
            f"{what} in {tables.source}, which has {_described(tables.schema)}; name one that holds bytes, "
            "or bytes and path, with --image-column"
        )
    return str(having[0])


def _holds_images(column: Any) -> bool:
    return str(column.type) in ("binary", "large_binary") or "bytes" in _children(column)


def _children(column: Any) -> list[str]:
    """Names of the parts of a struct; none of another type."""
    if not str(column.type).startswith("struct"):
        return []
    return [column.type.field(index).name for index in range(column.type.num_fields)]


def _described(schema: Any) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in schema)


def _label_column(tables: _Tables, asked: str | None) -> str:
    names = tables.schema.names
    named = [name for name in names if _class_names(tables, name)]
    wanted = asked or "label"
    if wanted in names:
        return wanted
    if not asked and len(named) == 1:
        return str(named[0])
    several = not asked and len(named) > 1
    like = f", but {', '.join(named)} with named classes," if several else near(wanted, names)
    raise InputError(
        f"no column {wanted!r}{like} in {tables.source}, which has {_described(tables.schema)}; name one "
        "with --label-column"
    )


def _class_names(tables: _Tables, column: str) -> tuple[str, ...]:
    feature = tables.features.get(column)
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        return tuple(feature["names"])
    return ()


def _optional_column(tables: _Tables, role: str, asked: str | None) -> str | None:
    names = tables.schema.names
    if asked and asked not in names:
        raise InputError(
            f"no column {asked!r}{near(asked, names)} in {tables.source}; it has {', '.join(names)}"
        )
    return asked or (role if role in names else None)


def _labels(tables: _Tables, column: str) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...]]:
    """Class indices and names; classes that no image has are left out."""
    values = tables.values(column)
    without = [row for row, value in enumerate(values) if value is None or value == -1 or value != value]
    if without:
        raise InputError(
            f"{len(without)} of {len(values)} images in {tables.source} have no label in column {column!r} "
            "(nothing, or -1 as where labels are withheld); take those files or rows away"
        )
    names = _class_names(tables, column)
    if not names:
        return labels_of(as_text(values), f"column {column!r} of {tables.source}")
    given = np.array(values, dtype=np.int64)
    if given.min() < 0 or given.max() >= len(names):
        raise InputError(
            f"expected labels from 0 to {len(names) - 1} in column {column!r} of {tables.source}, got "
            f"{given.min()} to {given.max()}; save the data set again"
        )
    occurring, labels = np.unique(given, return_inverse=True)
    return labels.astype(np.int64), tuple(names[index] for index in occurring.tolist())


def _ids(tables: _Tables, image: str, splits: Shaped[np.ndarray, " n"] | None) -> Shaped[np.ndarray, " n"]:
    paths: list[str | None] = []
    if "path" in _children(tables.schema.field(image)):
        paths = [path for table in tables.tables for path in table.names(image)]
    if paths and all(paths) and len(set(paths)) == len(paths):
        return np.array([str(path).replace("\\", "/") for path in paths])
    of_split = splits if splits is not None else np.full(sum(tables.lengths), "")
    ids = np.empty(len(of_split), dtype=object)
    for split in np.unique(of_split).tolist():
        at = np.flatnonzero(of_split == split)
        ids[at] = [f"{split}/{position:05d}".lstrip("/") for position in range(len(at))]
    return ids.astype(str)


def _text(tables: _Tables, column: str) -> list[str]:
    """A column as text, classes by their names."""
    names = _class_names(tables, column)
    values = tables.values(column)
    if not names:
        return as_text(values)
    return ["" if value is None or value < 0 else names[value] for value in values]


def _others(tables: _Tables, taken: Sequence[str | None]) -> dict[str, Shaped[np.ndarray, " n"]]:
    """What is neither taken nor nested nor bytes."""
    nested = ("struct", "list", "large_list", "fixed_size", "map", "binary", "large_binary", "extension")
    kept = {}
    for column in tables.schema:
        if column.name not in taken and not str(column.type).startswith(nested):
            once: dict[str, str] = {}
            texts = [once.setdefault(text, text) for text in _text(tables, column.name)]
            kept[column.name] = np.array(texts, dtype=object)
    return kept

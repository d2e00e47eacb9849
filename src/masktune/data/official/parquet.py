"""Labelled images as the hub keeps them: SPLIT-00000-of-00001.parquet, SPLIT.parquet, SPLIT/0000.parquet."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from masktune.data.decode import opened
from masktune.data.image_tables import ImagesInTables, ImageTable, open_table
from masktune.data.official.folders import files_in
from masktune.data.official.rows import Rows, of_files
from masktune.errors import DataDamaged, InputError, MissingExtra

_SHARD = re.compile(r"(.+)-(\d+)-of-(\d+)\.parquet")
_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "labels")
_SIDE = 32
"""Pixels of an image, both ways."""


@dataclass(frozen=True, slots=True)
class Look:
    """What tells a data set from another one of ten classes in the same columns."""

    title: str
    """As people write it."""
    image: str
    """The hub's name of the column with images."""
    classes: tuple[str, ...]
    """Names of the classes."""

    def strange(self, table: ImageTable) -> str:
        """What another data set's table has, for a person; "" where nothing is strange.

        The hub's files name the classes; a copy that lost the names is told by its columns alone.
        """
        names = _class_names(table.schema)
        if names:
            return "" if names == self.classes else f"the classes {', '.join(names[:3])}, ..."
        if self.image in table.schema.names:
            return ""
        return f"no names of classes and no column {self.image!r}, in which the hub has its images"


def find_shards(root: Path, folders: Sequence[str], splits: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each split, of the first of these folders that has some; {} if none has.

    A file of several that is not there is among them.
    """
    for home in (root / folder for folder in folders):
        found = {split: _shards_of(home, split) for split in splits}
        if any(found.values()):
            return found
    return {}


def missing_shards(files: Mapping[str, Sequence[Path]], root: Path) -> list[str]:
    """Names of the files that should be there and are not."""
    missing = [f"{split}-00000-of-00001.parquet" for split, found in files.items() if not found]
    every = [path for found in files.values() for path in found]
    return missing + [path.relative_to(root).as_posix() for path in every if not path.is_file()]


def seems_parquet(root: Path, folders: Sequence[str], look: Look) -> bool:
    """Whether one of these folders has a data set's train or test as Parquet; it is opened and no more."""
    every = find_shards(root, folders, ("train", "test")).values()
    first = next((path for found in every for path in found if path.is_file()), None)
    try:
        return first is not None and not look.strange(open_table(first))
    except (DataDamaged, MissingExtra):
        return False


def read_shards(files: Mapping[str, Sequence[Path]], look: Look) -> Rows:
    """Labels of all rows, and where their images lie; of the first image alone the size is looked at.

    Raises:
        DataDamaged, StorageError: a file is no Parquet, or cannot be read.
        InputError: no columns with images and labels, labels that cannot be, or another data set.
        MissingExtra: pyarrow is not installed.
    """
    tables = [open_table(path) for found in files.values() for path in found]
    image, label = _columns(tables)
    for table in tables:
        if strange := look.strange(table):
            raise InputError(f"expected {look.title} in {table.path}, got {strange}; name another folder")
    labels = [value for table in tables for value in table.values(label)]
    classes = len(look.classes)
    wrong = [value for value in labels if not isinstance(value, int) or not 0 <= value < classes]
    if wrong:
        raise InputError(
            f"expected labels from 0 to {classes - 1} in column {label!r} of {tables[0].path}, got "
            f"{wrong[0]!r} ({len(wrong):,} such rows)"
        )
    lengths = [table.length for table in tables]
    ends = np.cumsum([0, *(len(found) for found in files.values())]).tolist()
    counts = {split: sum(lengths[ends[at] : ends[at + 1]]) for at, split in enumerate(files)}
    contents = ImagesInTables(tables, image, *of_files(lengths))
    _check_size(contents, look)
    return Rows(np.array(labels, dtype=np.int64), counts, contents)


def _shards_of(home: Path, split: str) -> list[Path]:
    names = sorted(files_in(home))
    shards = [match for name in names if (match := _SHARD.fullmatch(name)) and match[1] == split]
    if shards:
        of = shards[0][3]
        return [home / f"{split}-{at:0{len(of)}d}-of-{of}.parquet" for at in range(int(of))]
    if f"{split}.parquet" in names:
        return [home / f"{split}.parquet"]
    return [home / split / name for name in sorted(files_in(home / split)) if name.endswith(".parquet")]


def _class_names(schema: Any) -> tuple[str, ...]:
    """The names of the classes that the hub writes into a file; none where it has none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return next(tuple(features[name]["names"]) for name in _LABEL_COLUMNS if name in features)
    except (KeyError, TypeError, ValueError, StopIteration):
        return ()


def _check_size(contents: ImagesInTables, look: Look) -> None:
    """MNIST has digits in the same columns, of another size."""
    try:
        with opened(contents.read(0) if len(contents) else b"") as image:
            size = image.size
    except DataDamaged:  # `masktune data check --decode` tells which cannot be read.
        return
    if size != (_SIDE, _SIDE):
        raise InputError(
            f"expected {look.title}'s images of {_SIDE}x{_SIDE} pixels, got one of {size[0]}x{size[1]} in "
            f"{contents.where(0)}; name another folder"
        )


def _columns(tables: Sequence[ImageTable]) -> tuple[str, str]:
    """Names of the columns with images and with labels; mirrors differ in them."""
    known = tables[0].schema.names
    images, labels = ([name for name in names if name in known] for names in (_IMAGE_COLUMNS, _LABEL_COLUMNS))
    for table in tables:
        names = table.schema.names
        if not (images and labels and names == known):
            raise InputError(
                f"expected columns {' or '.join(_IMAGE_COLUMNS)} and {' or '.join(_LABEL_COLUMNS)}, alike in "
                f"all files, got {', '.join(names)} in {table.path}; name a folder of one data set"
            )
    return images[0], labels[0]

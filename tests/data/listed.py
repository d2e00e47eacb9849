"""Tiny folders, tables and data sets for the tests of what is listed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masktune.data.contents import FilesOnDisk
from masktune.data.samples import Samples


def fill(root: Path, *names: str) -> Path:
    """Make empty files; nothing that lists images opens them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def make(labels, *, ids=None, splits=None, groups=None, subjects=None, classes=("cat", "dog"), columns=None):
    """Samples whose files do not exist."""
    ids = [f"{position:03d}.png" for position in range(len(labels))] if ids is None else ids
    array = lambda values: None if values is None else np.array(values)  # noqa: E731
    return Samples(
        ids=np.array(ids, dtype=str),
        labels=np.array(labels, dtype=np.int64),
        classes=classes,
        contents=FilesOnDisk(tuple(f"/nowhere/{name}" for name in ids)),
        splits=array(splits),
        groups=array(groups),
        subjects=array(subjects),
        columns=columns or {},
    )


def image(content, path=None):
    return {"bytes": content, "path": path}


def parquet(path, images, labels, row_group_size=2, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({"image": images, "label": labels} | columns), path, row_group_size=row_group_size
    )
    return path


def numbered(count, first=0, paths=True):
    return [image(b"image %d" % n, f"{n}.png" if paths else None) for n in range(first, first + count)]


def animals():
    """Of `datasets` itself: two splits, two columns with named classes, a class that no image has."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "picture": datasets.Image(decode=False),
            "kind": datasets.ClassLabel(names=["wolf", "cat", "dog"]),
            "place": datasets.ClassLabel(names=["sea", "land"]),
            "age": datasets.Value("int32"),
        }
    )

    def part(count, first):
        rows = {
            "picture": numbered(count, first),
            "kind": [2, 1] * (count // 2),
            "place": [0, 1] * (count // 2),
            "age": list(range(count)),
        }
        return datasets.Dataset.from_dict(rows, features=features)

    return datasets.DatasetDict({"train": part(6, 0), "val": part(2, 6)})

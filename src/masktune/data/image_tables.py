"""Arrow and Parquet files that hold images, read a row at a time and never as a whole."""

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from masktune.data.contents import read_file
from masktune.data.tables import first_line, import_parquet
from masktune.errors import DataDamaged
from masktune.files import storage_errors

_KEPT = 256 * 2**20
"""Bytes of images that are kept of each Parquet file: images are wanted in any order, and a Parquet file is
unpacked in groups of rows (100 in files made by the hub)."""


@runtime_checkable
class ImageTable(Protocol):
    """A file with images in one of its columns."""

    path: str
    schema: Any
    """As pyarrow's."""
    length: int
    """The number of rows."""

    def values(self, column: str) -> list[Any]:
        """A column that holds no images."""

    def names(self, column: str) -> list[str | None]:
        """The paths that are stored with the images of a column."""

    def image(self, column: str, row: int) -> Any:
        """Bytes, or a dict of `bytes` and `path`."""


def open_table(path: Path) -> ImageTable:
    """Open a Parquet file, or an Arrow stream as `datasets` writes it.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: it is truncated or something else.
        MissingExtra: pyarrow is not installed.
    """
    pyarrow, _ = import_parquet()
    try:
        with storage_errors(path, "read"):
            return ParquetTable(str(path)) if path.suffix == ".parquet" else ArrowTable(str(path))
    except pyarrow.ArrowException as error:
        raise DataDamaged(
            f"{path} is truncated or damaged ({first_line(error)}); save or download it again"
        ) from error


class ArrowTable:
    """An Arrow stream; memory-mapped, so only what is asked for is read."""

    def __init__(self, path: str) -> None:
        pyarrow, _ = import_parquet()
        self.path = path
        self._table = pyarrow.ipc.open_stream(pyarrow.memory_map(path)).read_all()
        self.schema = self._table.schema
        self.length = int(self._table.num_rows)

    def __reduce__(self) -> tuple[type["ArrowTable"], tuple[str]]:
        return ArrowTable, (self.path,)

    def values(self, column: str) -> list[Any]:
        """A column that holds no images."""
        found: list[Any] = self._table.column(column).to_pylist()
        return found

    def names(self, column: str) -> list[str | None]:
        """The paths that are stored with the images of a column."""
        return _names(self._table.column(column))

    def image(self, column: str, row: int) -> Any:
        """Bytes, or a dict of `bytes` and `path`."""
        return self._table.column(column)[row].as_py()


class ParquetTable:
    """A Parquet file; a group of rows is unpacked when one of its images is wanted, and kept for a while."""

    def __init__(self, path: str) -> None:
        _, parquet = import_parquet()
        self.path = path
        self._file = parquet.ParquetFile(path, memory_map=True)
        self.schema = self._file.schema_arrow
        groups = range(self._file.num_row_groups)
        sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
        self.length = sum(sizes)
        self._starts = np.cumsum([0, *sizes]).tolist()
        self._kept: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["ParquetTable"], tuple[str]]:
        return ParquetTable, (self.path,)

    def values(self, column: str) -> list[Any]:
        """A column that holds no images."""
        found: list[Any] = self._file.read(columns=[column]).column(0).to_pylist()
        return found

    def names(self, column: str) -> list[str | None]:
        """The paths that are stored with the images of a column."""
        return _names(self._file.read(columns=[f"{column}.path"]).column(0))

    def image(self, column: str, row: int) -> Any:
        """Bytes, or a dict of `bytes` and `path`."""
        group = bisect_right(self._starts, row) - 1
        with self._lock:  # pyarrow's readers are not made for several threads at once.
            images = self._group(column, group)
        return images[row - self._starts[group]].as_py()

    def _group(self, column: str, group: int) -> Any:
        key = (column, group)
        if key not in self._kept:
            self._kept[key] = self._file.read_row_group(group, columns=[column]).column(0)
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True, slots=True, eq=False)
class ImagesInTables:
    """Images that lie in tables; `Contents`."""

    tables: Sequence[ImageTable]
    column: str
    table_of: Int64[np.ndarray, " n"]
    """(n,) which of the tables."""
    rows: Int64[np.ndarray, " n"]
    """(n,) which row of it, from 0."""

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, position: int) -> bytes:
        """The content of an image, of a file on disk where the table has only its path; else b"".

        Raises:
            DataNotFound: that file does not exist.
            StorageError: it cannot be read.
            DataDamaged: the table is damaged; the message continues a sentence that begins with `where`.
        """
        pyarrow, _ = import_parquet()
        table = self.tables[self.table_of[position]]
        try:
            image = table.image(self.column, int(self.rows[position]))
        except (pyarrow.ArrowException, OSError) as error:
            raise DataDamaged(f"is damaged ({first_line(error)})") from error
        if isinstance(image, dict):
            if image["bytes"] is None and image["path"]:
                return read_file(str(Path(table.path).parent / image["path"]))
            image = image["bytes"]
        return bytes(image or b"")

    def where(self, position: int) -> str:
        """The file and the row in it, from 0."""
        return f"{self.tables[self.table_of[position]].path}[{self.rows[position]}]"

    def select(self, positions: Int64[np.ndarray, " m"]) -> "ImagesInTables":
        """Some of the images, in this order."""
        return replace(self, table_of=self.table_of[positions], rows=self.rows[positions])

    def fingerprint(self) -> str:
        """sha256 of the rows, and of the files' sizes and times of change.

        Raises:
            StorageError: a file cannot be read any more.
        """
        digest = hashlib.sha256(self.table_of.tobytes() + self.rows.tobytes())
        for table in self.tables:
            with storage_errors(Path(table.path), "read"):
                stat = Path(table.path).stat()
            digest.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def _names(images: Any) -> list[str | None]:
    from pyarrow import compute

    found: list[str | None] = compute.struct_field(images, "path").to_pylist()
    return found

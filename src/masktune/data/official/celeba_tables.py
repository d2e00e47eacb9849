"""CelebA's two tables, attributes and partition, as its makers' text files or as Kaggle's CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.errors import DataDamaged
from masktune.files import storage_errors

_ZERO, _ONE = ord("0"), ord("1")


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """What is known of each face."""

    names: tuple[str, ...]
    """Of the attributes: "Blond_Hair"."""
    files: Shaped[np.ndarray, " n"]
    """(n,) names of image files: "000001.jpg"."""
    values: Bool[np.ndarray, "n k"]
    """True where a face has the attribute."""


def read_attributes(path: Path) -> Attributes:
    """Read list_attr_celeba: names of attributes, then a row a face, with -1 or 0 where it has not.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: no such table, or cut off.
    """
    lines = _lines(_text(path).replace(" -1", " 0"))  # All at once: a row at a time takes twice as long.
    promised, number, header = _header(lines, path)
    # A text file names only the attributes, a CSV file the column of file names too.
    names = header[1:] if header[0].lower() in ("image_id", "filename", "file", "image") else header
    files, rows = [], []
    for number, line in lines:
        name, _, rest = line.partition(" ")
        row = rest.replace(" ", "")
        if len(row) != len(names):
            raise DataDamaged(
                f"expected a file and {len(names)} attributes, -1 or 1, in each row of {path}, got "
                f"{line[:60]!r} in row {number}; get it again"
            )
        files.append(name)
        rows.append(row)
    flags = np.frombuffer("".join(rows).encode(), np.uint8).reshape(len(rows), len(names))
    _check_flags(flags, path)
    if promised is not None and promised != len(files):
        raise DataDamaged(f"{path} promises {promised:,} images and has {len(files):,}; get it again")
    return Attributes(tuple(names), np.array(files, dtype=str), flags == _ONE)


def read_partition(path: Path) -> tuple[Shaped[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Read list_eval_partition: names of files, and 0, 1, 2 for train, validation, test.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: no such table.
    """
    words = _text(path).split()
    if words[1:] and not words[1].isdecimal():
        words = words[2:]  # The names of columns, in CSV.
    files, numbers = words[::2], words[1::2]
    wrong = [at for at, number in enumerate(numbers) if number not in ("0", "1", "2")]
    if wrong or not files or len(files) != len(numbers):
        where = f"image {wrong[0] + 1} has something else" if wrong else "it is cut off"
        raise DataDamaged(f"expected a file and 0, 1 or 2 in each row of {path}, but {where}; get it again")
    return np.array(files), np.array(numbers).astype(np.int64)


def rows_of(path: Path) -> tuple[list[str], list[int]]:
    """The first word of each row of a table, and the row's number; to say where something stands.

    Raises:
        StorageError, DataDamaged: it cannot be read any more.
    """
    lines = list(_lines(_text(path)))
    return [line.split(" ", 1)[0] for _, line in lines], [number for number, _ in lines]


def _text(path: Path) -> str:
    """Its content; commas are blanks, as no field holds either."""
    with storage_errors(path, "read"):
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace(",", " ")
    except UnicodeDecodeError as error:
        raise DataDamaged(f"{path} is no text; get it again") from error


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Rows that are not blank, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(map(str.strip, text.splitlines()), 1) if line)


def _header(lines: Iterator[tuple[int, str]], path: Path) -> tuple[int | None, int, list[str]]:
    """How many images the first line promises, if it does; then the row with names, and its number."""
    promised = None
    for number, line in lines:
        if not line.isdecimal():
            return promised, number, line.split()
        promised = int(line)
    raise DataDamaged(f"expected names of attributes in {path}, got none; get it again")


def _check_flags(flags: np.ndarray, path: Path) -> None:
    wrong = np.flatnonzero(((flags != _ZERO) & (flags != _ONE)).any(1))
    if len(wrong) or not len(flags):
        what = f"something else for image {wrong[0] + 1}" if len(wrong) else "no images"
        raise DataDamaged(f"expected attributes as -1 or 0 and 1 in {path}, got {what}; get it again")

"""A CSV or Parquet file as columns of text, each row with its number."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from masktune.errors import DataDamaged, DataNotFound, InputError, MissingExtra, near
from masktune.files import storage_errors

_DELIMITERS = (",", ";", "\t", "|")
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of text of one length."""

    columns: dict[str, list[str]]
    """By name, as written but without spaces around; so are the values. A missing value is ""."""
    numbers: list[int]
    """Of the rows, as a spreadsheet or an editor counts them: the names of a CSV file stand in row 1."""


def read_table(path: str | Path) -> Table:
    """Read a table; what it is tells its content, not its name.

    CSV: UTF-8 or UTF-16, with or without a byte order mark; commas, semicolons, tabs or bars, whichever the
    row of names has most of; blank rows are skipped, columns without a name are left out.

    Raises:
        DataNotFound: there is no such file.
        StorageError: it cannot be read.
        DataDamaged: no text, or Parquet that cannot be read.
        InputError: empty, no rows, a name twice, a row with too many or too few fields.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    path = Path(path)
    with storage_errors(path, "read"):
        if not path.exists():
            beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataNotFound(f"no file {path}{near(path.name, beside)}")
        if path.is_dir():
            raise InputError(f"expected a CSV or Parquet file, got the folder {path}")
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET)) == _PARQUET
        table = _from_parquet(path) if is_parquet else _from_csv(path.read_bytes(), path)
    if not table.numbers:
        raise InputError(f"{path} has names of columns, but no rows; write a row for each image")
    return table


def _from_csv(content: bytes, path: Path) -> Table:
    text = _text(content, path)
    # Some versions of Excel write the delimiter into a first row of its own.
    told = re.match(r"sep=(.)\r?\n", text)
    rows = _rows(text, told[1] if told else _delimiter(text), path)
    if told:
        next(rows)
    names = _names([name.strip() for _, row in islice(rows, 1) for name in row], path)
    numbers, kept = [], []
    for number, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"expected {len(names)} fields in each row of {path}, as in the row of names, got {len(row)} "
                f"in row {number}; put fields with commas or quotes in them into quotes"
            )
        numbers.append(number)
        kept.append(row)
    columns = {
        name: [value.strip() for value in values]
        for name, values in zip(names, zip(*kept, strict=True), strict=False)
    }
    columns.pop("", None)
    return Table(columns, numbers)


def _rows(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with their numbers."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    start = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataDamaged(
                f"{path} cannot be read from row {start} on: {error}; is a quote not closed, or one too many?"
            ) from error
        if any(field.strip() for field in row):
            yield start, row
        start = reader.line_num + 1


def _delimiter(text: str) -> str:
    """The one that the first row with content has most of, outside of quotes; commas if it has none."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _text(content: bytes, path: Path) -> str:
    if content.startswith(b"PK\x03\x04"):
        raise DataDamaged(f"{path} is a workbook or an archive, not a table; save it as CSV")
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in content[:2]:
        encoding = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataDamaged(
            f"expected UTF-8 in {path}, got the byte 0x{content[error.start]:02x} in row {row}; save it as "
            "UTF-8"
        ) from error


def _names(names: list[str], path: Path) -> list[str]:
    """The names of columns, checked."""
    if not names:
        raise InputError(f"{path} is empty; write a first row path,label, then a row for each image")
    seen: dict[str, str] = {}
    for name in names:
        if name and name.casefold() in seen:
            raise InputError(
                f"expected names of columns that differ in {path}, got {seen[name.casefold()]!r} and "
                f"{name!r}; rename one"
            )
        seen[name.casefold()] = name
    return names


def _from_parquet(path: Path) -> Table:
    pyarrow, parquet = import_parquet()
    try:
        with parquet.ParquetFile(path) as file:
            _check_is_text(file.schema_arrow, path)
            table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataDamaged(
            f"{path} cannot be read as Parquet ({first_line(error)}); write it again"
        ) from error
    names = _names([name.strip() for name in table.column_names], path)
    columns = {
        name: as_text(column.to_pylist())
        for name, column in zip(names, table.columns, strict=True)
        if name and not name.startswith("__index_level_")  # pandas' row names.
    }
    return Table(columns, list(range(1, table.num_rows + 1)))


def _check_is_text(schema: Any, path: Path) -> None:
    for column in schema:
        if str(column.type).startswith(("struct", "binary", "large_binary")):
            raise InputError(
                f"column {column.name!r} of {path} holds {column.type}, not text; a table that holds the "
                "images themselves is given as hub:PATH"
            )


def import_parquet() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        MissingExtra: they are not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Parquet files need pyarrow; type: pip install 'masktune[tables]'") from error
    return pa, parquet


def as_text(values: Sequence[object]) -> list[str]:
    """Each value as text, "" for None."""
    return ["" if value is None else str(value).strip() for value in values]


def first_line(error: Exception) -> str:
    """What an error of a library says, on one line."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__

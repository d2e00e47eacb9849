"""What came out of a run, as `results.json`: one row a number, written last."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from masktune.errors import DataDamaged, InputError, RunFolderError
from masktune.runs.jsons import read_object, write_json
from masktune.runs.record import AWAY, DataRecord
from masktune.runs.rows import Row
from masktune.runs.versions import versions

SCHEMA = "masktune.results/1"


@dataclass(frozen=True, slots=True)
class Results:
    """The content of a `results.json`."""

    command: str
    """The command, such as "reproduce"."""
    versions: dict[str, str]
    """Versions of masktune, torch, numpy and Python that finished the run."""
    data: list[DataRecord]
    """The data sets."""
    rows: list[Row]
    """The numbers."""


def write_results(path: Path, *, command: str, data: Sequence[DataRecord], rows: Sequence[Row]) -> None:
    """Write a `results.json`, complete or not at all."""
    head = {"schema": SCHEMA, "command": command, "versions": versions()}
    body = {"data": [asdict(entry) for entry in data], "rows": [row.to_json() for row in rows]}
    write_json(path, head | body)


def read_results(path: Path) -> Results:
    """Read a `results.json`.

    Raises:
        DataNotFound: there is no such file.
        DataDamaged: it is damaged.
        RunFolderError: it is of another version of the format.
    """
    entries = read_object(path)
    schema = entries.pop("schema", None)
    if schema != SCHEMA:
        raise RunFolderError(f"{path} has the schema {schema!r}, this masktune reads {SCHEMA!r}; {AWAY}")
    try:
        data = [DataRecord(**entry) for entry in entries["data"]]
        rows = [Row.from_json(row) for row in entries["rows"]]
        return Results(**entries | {"data": data, "rows": rows})
    except (KeyError, TypeError, InputError) as error:
        raise DataDamaged(f"{path} is damaged: {error}") from error

"""Dataclasses on disk: arrays as one `.npz`, a field an array, no pickles; settings as plain values."""

import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from masktune.errors import DataDamaged
from masktune.files import complete_file

Record = TypeVar("Record")


_PLAIN = (str, int, float, type(None))


def plain_fields(record: Any) -> dict[str, Any]:
    """A dataclass's fields as plain values by name, for `run.json`; what is no plain value by its text."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value if isinstance(value, _PLAIN) else repr(value) for name, value in values.items()}


def save_fields(record: Any, path: Path) -> None:
    """Write a dataclass whose fields are arrays, complete or not at all."""
    with complete_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **{field.name: getattr(record, field.name) for field in fields(record)})


def load_fields(kind: type[Record], path: Path, remedy: str) -> Record:
    """Read what `save_fields` wrote.

    Raises:
        DataDamaged: it is truncated or something else; `remedy` says what to do.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return kind(**{field.name: arrays[field.name] for field in fields(kind)})  # type: ignore[arg-type]
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataDamaged(f"{path} is damaged ({error}); {remedy}") from error

"""Dataclasses on disk: arrays as one `.npz`, a field an array, no pickles; settings as plain values."""

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from masktune.errors import DataDamaged
from masktune.files import complete_file

Record = TypeVar("Record")
Keys = Mapping[str, Iterable[str]]
"""Of each field that is a mapping, which keys it has."""

_PLAIN = (str, int, float, type(None))
_DAMAGE = (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on files that are no, or only half, archives of these arrays."""


def plain_fields(record: Any) -> dict[str, Any]:
    """A dataclass's fields as plain values by name, for `run.json`; what is no plain value by its text."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value if isinstance(value, _PLAIN) else repr(value) for name, value in values.items()}


def flat_fields(record: Any) -> dict[str, Any]:
    """A dataclass's fields by name, the entries of a mapping by "field/key"."""
    flat: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Mapping):
            flat |= {f"{field.name}/{key}": entry for key, entry in value.items()}
        else:
            flat[field.name] = value
    return flat


def from_flat(kind: type[Record], flat: Mapping[str, Any], keys: Keys | None = None) -> Record:
    """What `flat_fields` gave; numbers and words that came back from disk as arrays are themselves again."""
    keys, values = keys or {}, dict[str, Any]()
    for field in fields(kind):  # type: ignore[arg-type]
        name = field.name
        if name in keys:
            values[name] = {key: flat[f"{name}/{key}"] for key in keys[name]}
        else:
            value = flat[name]
            values[name] = value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    return kind(**values)


def save_fields(record: Any, path: Path) -> None:
    """Write a dataclass of arrays, mappings of arrays and words, complete or not at all."""
    with complete_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **flat_fields(record))


def load_fields(kind: type[Record], path: Path, remedy: str, keys: Keys | None = None) -> Record:
    """Read what `save_fields` wrote; `keys` of the fields that are mappings.

    Raises:
        DataDamaged: it is truncated or something else; `remedy` says what to do.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return from_flat(kind, arrays, keys)
    except _DAMAGE as error:
        raise DataDamaged(f"{path} is damaged ({error}); {remedy}") from error

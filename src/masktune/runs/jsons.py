"""JSON that any reader takes: plain numbers, null for what is not a number, and errors in one line."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from masktune.errors import DataDamaged, DataNotFound
from masktune.files import storage_errors, write_text


def plain(value: object) -> Any:
    """The value as JSON knows it: NaN and infinity become null, tuples and sets lists, paths text."""
    match value:
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case set() | frozenset():
            return sorted(plain(entry) for entry in value)
        case list() | tuple():
            return [plain(entry) for entry in value]
        case np.generic():
            return plain(value.item())
        case float():
            return float(value) if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Path():
            return value.as_posix()
    raise TypeError(f"expected something that JSON can hold, got {type(value).__name__}")


def write_json(path: Path, value: object) -> None:
    """Write a JSON file, complete or not at all."""
    write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        DataNotFound: there is no such file.
        DataDamaged: it is not JSON, or not an object.
    """
    if not path.exists():
        raise DataNotFound(f"there is no {path}")
    try:
        with storage_errors(path, "read"):
            value = json.loads(path.read_bytes())
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise DataDamaged(
            f"{path} is damaged: it is not JSON ({reason}); restore it or start anew"
        ) from error
    if not isinstance(value, dict):
        raise DataDamaged(f"{path} is damaged: expected a JSON object, got a {type(value).__name__}")
    return value

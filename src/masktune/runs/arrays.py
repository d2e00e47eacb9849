"""Predictions as `.npz` files: plain arrays, no pickles."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.evaluation import Predictions
from masktune.files import complete_file, storage_errors

_FIELDS = {
    "logits": "logits",
    "labels": "labels",
    "ids": "ids",
    "groups": "groups",
    "subjects": "subjects",
    "split": "splits",
    "head": "head",
}
"""Key in the file -> field of `Predictions`; the first three are always there."""
_NEEDED = ("logits", "labels", "ids")

_DAMAGE = (
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on files that are no, or only half, archives of plain arrays."""


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions, complete or not at all; equal predictions give equal bytes.

    The names of the classes are not part of the format.
    """
    fields = {key: getattr(predictions, field) for key, field in _FIELDS.items()}
    arrays = {key: array for key, array in fields.items() if array is not None}
    # A handle, because with a name numpy would add ".npz" to it.
    with complete_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_predictions(path: Path) -> Predictions:
    """Read predictions; keys that are not ours are left alone.

    Raises:
        DataNotFound: there is no such file.
        DataDamaged: it is truncated, no `.npz`, holds Python objects, or its arrays do not fit together.
    """
    if not path.exists():
        raise DataNotFound(f"there is no predictions file {path}")
    with storage_errors(path, "read"):
        content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as arrays:
            missing = [key for key in _NEEDED if key not in arrays]
            if missing:
                raise InputError(f"expected the arrays logits, labels and ids, got no {', '.join(missing)}")
            return Predictions(**{field: arrays[key] for key, field in _FIELDS.items() if key in arrays})
    except InputError as error:
        raise DataDamaged(f"{path} holds no predictions: {error}") from error
    except _DAMAGE as error:
        raise DataDamaged(f"{path} is truncated or no .npz of plain arrays; make it anew") from error

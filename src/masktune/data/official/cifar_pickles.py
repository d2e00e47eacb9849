"""CIFAR-10's files as its makers pickled them, read without running what a pickle may hold."""

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int64, UInt8

from masktune.errors import DataDamaged
from masktune.files import storage_errors

_RECONSTRUCT = np.empty(0).__reduce__()[0]
"""What makes an array from a pickle; numpy moved it, so it is asked rather than named."""

_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}
"""All that these files need beside numbers, bytes, lists and dicts."""

_SIDE = 32
_VALUES = 3 * _SIDE * _SIDE

_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    UnicodeDecodeError,
    SystemError,
)
"""What the unpickler raises on files that are damaged, or are something else."""


class _Restricted(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="bytes")  # The files are Python 2's.

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no batch of CIFAR-10 needs")
        return _ALLOWED[module, name]


def read_labels(path: Path) -> Int64[np.ndarray, " n"]:
    """Labels of one batch, 0 to 9.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: it is no batch of CIFAR-10, or cut off.
    """
    labels = _batch(path)[b"labels"]
    if not isinstance(labels, list) or any(label not in range(10) for label in labels):
        raise DataDamaged(f"{path} is no batch of CIFAR-10: expected labels from 0 to 9; get it again")
    return np.array(labels, dtype=np.int64)


def read_images(path: str) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Images of one batch.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: it is no batch of CIFAR-10, or cut off.
    """
    planes = _batch(Path(path))[b"data"].reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _batch(path: Path) -> dict[bytes, Any]:
    with storage_errors(path, "read"), path.open("rb") as file:
        try:
            found = _Restricted(file).load()
        except _BROKEN as error:
            raise DataDamaged(
                f"{path} is no batch of CIFAR-10, or damaged ({error or type(error).__name__}); get it again"
            ) from error
    if not isinstance(found, dict) or not {b"data", b"labels"} <= found.keys():
        raise DataDamaged(f"{path} is no batch of CIFAR-10: expected data and labels; get it again")
    data, labels = found[b"data"], found[b"labels"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), _VALUES):
        shape = getattr(data, "shape", type(data).__name__)
        raise DataDamaged(
            f"{path} is no batch of CIFAR-10: expected bytes of shape ({len(labels)}, {_VALUES}), got "
            f"{shape}; get it again"
        )
    return found

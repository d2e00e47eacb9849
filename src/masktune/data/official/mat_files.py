"""SVHN's .mat files (MATLAB 5): images and labels of cropped digits."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from masktune.errors import DataDamaged
from masktune.files import storage_errors

_SIDE = 32

_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
"""What scipy raises on files that are damaged, or are something else; NotImplementedError on MATLAB 7.3."""


def read_digits(path: Path) -> Int64[np.ndarray, " n"]:
    """The digits, 0 to 9: what the file calls 10 is a 0. The images are not unpacked.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: it has no such images and labels, or is cut off.
    """
    shapes = {name: shape for name, shape, _ in _mat(path, "whosmat")}
    count = shapes.get("X", (0,))[-1]
    if shapes.get("X") != (_SIDE, _SIDE, 3, count) or shapes.get("y") != (count, 1):
        raise DataDamaged(
            f"expected X of shape (32, 32, 3, n) and y of shape (n, 1) in {path}, got {shapes or 'nothing'}; "
            "get it again"
        )
    labels: Int64[np.ndarray, " n"] = _mat(path, "loadmat", variable_names=["y"])["y"][:, 0].astype(np.int64)
    if count and not 1 <= labels.min() <= labels.max() <= 10:
        raise DataDamaged(
            f"expected labels from 1 to 10 in {path}, got {labels.min()} to {labels.max()}; get it again"
        )
    return labels % 10


def read_crops(path: str) -> UInt8[np.ndarray, "n 32 32 3"]:
    """All images of the file.

    Raises:
        StorageError: it cannot be read.
        DataDamaged: it is cut off.
    """
    images = _mat(Path(path), "loadmat", variable_names=["X"])["X"]
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2), dtype=np.uint8)


def _mat(path: Path, function: str, **options: Any) -> Any:
    """What one of scipy's functions tells of a file; it raises almost anything where one is damaged."""
    from scipy import io

    with storage_errors(path, "read"), path.open("rb") as file:
        try:
            return getattr(io, function)(file, **options)
        except (io.matlab.MatReadError, *_BROKEN) as error:
            if getattr(error, "errno", None):
                raise
            what = str(error).split("\n", 1)[0] or type(error).__name__
            raise DataDamaged(f"{path} is no MATLAB 5 file, or damaged ({what}); get it again") from error

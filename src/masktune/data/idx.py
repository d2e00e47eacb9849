"""MNIST's own file format (IDX), packed or unpacked, read from a folder that may be read-only."""

import gzip
import hashlib
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from masktune.errors import DataDamaged, DataNotFound
from masktune.files import storage_errors

Part = Literal["train", "test"]

_STEMS: dict[Part, str] = {"train": "train", "test": "t10k"}


def read_mnist(root: str | Path, part: Part) -> tuple[UInt8[np.ndarray, "n 28 28"], UInt8[np.ndarray, " n"]]:
    """Read one part of MNIST from torchvision's layout (`root/MNIST/raw`) or from the folder itself.

    Returns:
        images (60000 or 10000, 28, 28) with 0 to 255, 0 = paper; digits (60000 or 10000,) with 0 to 9.

    Raises:
        DataNotFound: a file is not there; the message says where it was looked for and how to get it.
        DataDamaged: a file is truncated or holds something else.
    """
    images = _read(_find(Path(root), f"{_STEMS[part]}-images-idx3-ubyte"), dimensions=3)
    digits = _read(_find(Path(root), f"{_STEMS[part]}-labels-idx1-ubyte"), dimensions=1)
    if len(images) != len(digits) or images.shape[1:] != (28, 28) or digits.max(initial=0) > 9:
        raise DataDamaged(
            f"expected 28x28 images and as many digits from 0 to 9 in {root}, got images {images.shape} and "
            f"{len(digits)} digits up to {digits.max(initial=0)}; get MNIST's four files again"
        )
    return images, digits


def fingerprint(root: str | Path) -> str:
    """sha256 of MNIST's content in `root`; the same for packed and unpacked files."""
    digest = hashlib.sha256()
    for part in _STEMS:
        for array in read_mnist(root, part):
            digest.update(array.tobytes())
    return digest.hexdigest()


def _find(root: Path, name: str) -> Path:
    folders = (root / "MNIST" / "raw", root / "raw", root)
    for folder in folders:
        for candidate in (folder / name, folder / f"{name}.gz"):
            with storage_errors(candidate, "read"):
                if candidate.is_file():
                    return candidate
    raise DataNotFound(
        f"no MNIST at {root}: looked for {name} and {name}.gz in {', '.join(str(f) for f in folders)}; "
        f"put MNIST's four files there, or let torchvision fetch them: "
        f"python -c \"import torchvision; torchvision.datasets.MNIST('{root}', download=True)\""
    )


def _read(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    with storage_errors(path, "read"):
        stat = path.stat()
    return _parse(path, dimensions, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)  # A recipe reads MNIST's four files once a split and seed; unpacking takes a second.
def _parse(path: Path, dimensions: int, changed: int, size: int) -> UInt8[np.ndarray, "..."]:
    damaged = f"{path} is truncated or damaged; get it again"
    try:
        with storage_errors(path, "read"):
            content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataDamaged(damaged) from error
    # Header: 0 0, 8 = unsigned bytes, the number of dimensions, then each size as a big-endian 32-bit number.
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataDamaged(f"{path} is no MNIST file (IDX with {dimensions} dimensions); get it again")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    if len(content) - start != np.prod(shape, dtype=np.int64):
        raise DataDamaged(damaged)
    array = np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    array.flags.writeable = False
    return array

"""Images at the size that a net wants, decoded once and kept as one memory-mapped file.

A folder of the user's choice holds, for each data set and input spec, a folder named by their hash with

    images.npy      uint8 or float32 (n, h, w, c); memory-mapped when read
    sizes.npy       int64 (n, 2): height and width of each source
    manifest.json   written last, so a folder without it is not complete
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8
from numpy.lib import format as npy

from masktune.data.pixels import as_floats
from masktune.errors import DataDamaged, InputError, StorageError
from masktune.files import complete_file, make_folder, storage_errors, write_text
from masktune.types import InputSpec

SCHEMA = "masktune.cache/1"
_READ = ("size", "channels", "resize", "crop_share", "interpolation", "range")
"""What of a spec changes the kept pixels; mean and std do not."""

Part = tuple[UInt8[np.ndarray, "b h w c"] | Float32[np.ndarray, "b h w c"], Int64[np.ndarray, "b 2"]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredImages:
    """Kept images."""

    images: Shaped[np.ndarray, "n h w c"]
    """uint8, or float32 in [0, 1]; memory-mapped."""
    sizes: Int64[np.ndarray, "n 2"]
    """Height and width of each source."""
    rows: Int64[np.ndarray, " m"] | None = None
    """Which of them a selection has; None for all."""

    def read(
        self, positions: Int64[np.ndarray, " b"]
    ) -> tuple[Shaped[np.ndarray, "b h w c"], Int64[np.ndarray, "b 2"]]:
        """Images, copied into memory, and the sizes of their sources."""
        at = positions if self.rows is None else self.rows[positions]
        return np.array(self.images[at]), self.sizes[at]

    def select(self, positions: Int64[np.ndarray, " b"]) -> "StoredImages":
        """Some of them, in this order."""
        return replace(self, rows=positions if self.rows is None else self.rows[positions])


def cache_key(digests: Shaped[np.ndarray, " n"], spec: InputSpec) -> str:
    """Names what is kept: the files' content in the order of the samples, and how they are fitted."""
    read = {name: asdict(spec)[name] for name in _READ}
    return hashlib.sha256(f"{SCHEMA} {read} {' '.join(digests.tolist())}".encode()).hexdigest()[:20]


def open_stored(folder: Path, key: str) -> StoredImages | None:
    """What is kept under that key; None where nothing is, or not all of it.

    Raises:
        DataDamaged: the files do not belong together.
    """
    at = folder / key
    with storage_errors(at, "read"):
        if not (at / "manifest.json").is_file():
            return None
        try:
            shape = json.loads((at / "manifest.json").read_text(encoding="utf-8"))["shape"]
            images = np.load(at / "images.npy", mmap_mode="r", allow_pickle=False)
            sizes = np.load(at / "sizes.npy", allow_pickle=False)
        except (FileNotFoundError, ValueError, KeyError, TypeError, EOFError) as error:
            raise DataDamaged(f"the cache in {at} is damaged ({error}); remove that folder") from error
    if list(images.shape) != shape or len(sizes) != len(images):
        raise DataDamaged(f"the cache in {at} is damaged (not as long as it says); remove that folder")
    return StoredImages(images, sizes)


def store(
    folder: Path, key: str, spec: InputSpec, n: int, parts: Iterator[Part], *, floats: bool
) -> StoredImages:
    """Keep the images of all parts; what was begun is gone if this does not come to its end.

    Raises:
        StorageError: more than the disk has free, or it cannot be written.
    """
    shape, dtype = (n, *spec.size, spec.channels), np.dtype(np.float32 if floats else np.uint8)
    needed = cache_bytes(n, spec, floats=floats)
    free = shutil.disk_usage(make_folder(folder)).free
    if needed > free:
        raise StorageError(
            f"expected {needed / 1e9:.3g} GB of free disk for the cache in {folder}, got {free / 1e9:.3g}; "
            "choose another folder for --cache, or go without"
        )
    at, sizes = folder / key, []
    with complete_file(at / "images.npy") as part, part.open("wb") as file:
        # Written, not mapped: a map on a full disk ends the process.
        npy.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
        for images, sources in parts:
            file.write(_as(images, dtype).tobytes())
            sizes.append(sources)
    with complete_file(at / "sizes.npy") as part, part.open("wb") as file:
        np.save(file, np.concatenate(sizes))
    write_text(at / "manifest.json", json.dumps({"schema": SCHEMA, "shape": shape}) + "\n")
    stored = open_stored(folder, key)
    assert stored is not None
    return stored


def cache_bytes(n: int, spec: InputSpec, *, floats: bool) -> int:
    """What keeping so many images takes on disk."""
    return n * spec.size[0] * spec.size[1] * spec.channels * (4 if floats else 1)


def _as(images: Shaped[np.ndarray, "b h w c"], dtype: np.dtype[np.generic]) -> Shaped[np.ndarray, "b h w c"]:
    """The same pixels in the number type that is kept; a batch of bytes may stand among floats.

    Raises:
        InputError: floats where bytes were announced.
    """
    if dtype == np.float32:
        return as_floats(images)
    if images.dtype != dtype:
        raise InputError(
            f"expected {dtype} images for the cache, as they were checked, got {images.dtype}; check them "
            "again, under the range of the spec"
        )
    return images

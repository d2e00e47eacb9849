"""Images that lie in an array of a file, as CIFAR-10's pickles and SVHN's .mat have them.

They are handed on as PPM files, a header of 13 bytes and the values: writing and decoding one of 32x32 takes
51 microseconds, as a BMP 74, as a PNG without compression 184, as a TIFF 405 (one core of an AMD EPYC, Pillow
13.0); all lossless.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import final

import numpy as np
from jaxtyping import Int64, UInt8

from masktune.data.official.rows import of_files
from masktune.errors import DataDamaged
from masktune.files import storage_errors

Colours = UInt8[np.ndarray, "n h w 3"]


@final
class ArrayFile:
    """A file whose images are one array: read whole when the first of them is wanted, then kept.

    Args:
        path: of the file.
        load: a function of a module, so that other processes find it: from the path to (n, h, w, 3), uint8.
    """

    def __init__(self, path: str, load: Callable[[str], Colours]) -> None:
        self.path = path
        self._load = load
        self._images: Colours | None = None
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["ArrayFile"], tuple[str, Callable[[str], Colours]]]:
        return ArrayFile, (self.path, self._load)

    def images(self) -> Colours:
        """All images of the file, (n, h, w, 3)."""
        with self._lock:  # Several threads ask for the first image at once.
            if self._images is None:
                self._images = self._load(self.path)
            return self._images


def images_of(
    paths: Sequence[Path], labels: Sequence[Int64[np.ndarray, " _"]], load: Callable[[str], Colours]
) -> "ImagesInArrays":
    """The images of some files, one after the other; `labels` tell how many each has, `load` reads one."""
    files = tuple(ArrayFile(str(path), load) for path in paths)
    return ImagesInArrays(files, *of_files([len(part) for part in labels]))


@dataclass(frozen=True, slots=True, eq=False)
class ImagesInArrays:
    """Images that lie in arrays of files; `Contents`."""

    files: tuple[ArrayFile, ...]
    file_of: Int64[np.ndarray, " n"]
    """(n,) which of the files."""
    rows: Int64[np.ndarray, " n"]
    """(n,) which image of it, from 0."""

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, position: int) -> bytes:
        """An image as a PPM file.

        Raises:
            DataNotFound, StorageError: its file is not there any more, or cannot be read.
            DataDamaged: it is damaged; the message continues a sentence that begins with `where`.
        """
        file = self.files[self.file_of[position]]
        try:
            image = file.images()[self.rows[position]]
        except DataDamaged as error:
            raise DataDamaged(str(error).removeprefix(f"{file.path} ")) from error
        return as_ppm(image)

    def where(self, position: int) -> str:
        """The file and the image in it, from 0."""
        return f"{self.files[self.file_of[position]].path}[{self.rows[position]}]"

    def select(self, positions: Int64[np.ndarray, " m"]) -> "ImagesInArrays":
        """Some of the images, in this order."""
        return replace(self, file_of=self.file_of[positions], rows=self.rows[positions])

    def fingerprint(self) -> str:
        """sha256 of the rows, and of the files' sizes and times of change.

        Raises:
            StorageError: a file cannot be read any more.
        """
        digest = hashlib.sha256(self.file_of.tobytes() + self.rows.tobytes())
        for file in self.files:
            with storage_errors(Path(file.path), "read"):
                stat = Path(file.path).stat()
            digest.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def as_ppm(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """The bytes of an image file that every decoder reads, lossless and without compression."""
    height, width, _ = image.shape
    return b"P6 %d %d 255\n" % (width, height) + image.tobytes()

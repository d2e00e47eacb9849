"""Where the bytes of images come from; nothing is decoded here."""

import hashlib
import os
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from masktune.errors import DataNotFound, StorageError


@runtime_checkable
class Contents(Protocol):
    """The bytes of images, read one at a time and by several threads at once; positions count from 0."""

    def __len__(self) -> int:
        """The number of images."""

    def read(self, position: int) -> bytes:
        """The content of an image file.

        Raises:
            DataNotFound: it is not there any more.
            StorageError: it cannot be read; both messages begin with what `where` gives.
        """

    def where(self, position: int) -> str:
        """What messages call the image: its path."""

    def select(self, positions: Int64[np.ndarray, " m"]) -> "Contents":
        """Some of the images, in this order."""

    def fingerprint(self) -> str:
        """A sha256 that changes when a file is written again; no content is read for it."""


@dataclass(frozen=True, slots=True, eq=False)
class FilesOnDisk:
    """Images that are files, each by its path; strings, as `Path` objects take several times the memory."""

    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, position: int) -> bytes:
        """The content of a file.

        Raises:
            DataNotFound: it is not there any more.
            StorageError: it cannot be read.
        """
        return read_file(self.paths[position])

    def where(self, position: int) -> str:
        """Its path."""
        return self.paths[position]

    def select(self, positions: Int64[np.ndarray, " m"]) -> "FilesOnDisk":
        """Some of the files, in this order."""
        return FilesOnDisk(tuple(self.paths[position] for position in positions.tolist()))

    def missing(self) -> list[int]:
        """Positions of the files that do not exist; each folder is listed once, however many it holds."""
        listed: dict[str, frozenset[str]] = {}
        absent = []
        for position, path in enumerate(self.paths):
            folder, name = os.path.split(path)
            if folder not in listed:
                listed[folder] = _files_in(folder)
            # The listing may spell a name otherwise: some disks ignore case, or compose accents differently.
            if name not in listed[folder] and not (listed[folder] and os.path.isfile(path)):  # noqa: PTH113
                absent.append(position)
        return absent

    def fingerprint(self) -> str:
        """sha256 of the sizes and times of change, in this order; the files may move together.

        Raises:
            DataNotFound: a file is not there any more.
            StorageError: a folder cannot be read.
        """
        digest = hashlib.sha256()
        for path in self.paths:
            try:
                stat = os.stat(path)  # noqa: PTH116
            except OSError as error:
                raise _unreadable(path, error) from error
            digest.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def read_file(path: str) -> bytes:
    """The content of a file.

    Raises:
        DataNotFound: it does not exist.
        StorageError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a `Path` for each read costs as much as a small read.
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from error


def _files_in(folder: str) -> frozenset[str]:
    """Names of the files in a folder, links to files among them; none if it cannot be listed."""
    try:
        with os.scandir(folder or ".") as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()


def _unreadable(path: str, error: OSError) -> DataNotFound | StorageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DataNotFound(f"{path} does not exist any more; was it moved since the images were listed?")
    return StorageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")

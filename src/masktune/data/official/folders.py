"""Looking for the files of a data set; a folder is listed once, however many files it holds."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from masktune.data.folder import IMAGE_ENDINGS
from masktune.errors import DataNotFound, InputError, near
from masktune.files import storage_errors


def existing_folder(root: str | Path, name: str) -> Path:
    """The folder that a user named for a data set.

    Raises:
        DataNotFound: it does not exist; near names are listed.
        InputError: it is a file.
        StorageError: it cannot be looked at.
    """
    path = Path(root)
    with storage_errors(path, "read"):
        if path.is_dir():
            return path
        if path.exists():
            raise InputError(f"expected the folder of a data set, got the file {path}; name a folder")
        parent = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links stay as they are.
        beside = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
    raise DataNotFound(
        f"no folder {path}{near(path.name, beside)}; name another, or get the data set with "
        f"`masktune data get {name} {path}`"
    )


def home_of(root: Path, folders: Iterable[str], marks: Sequence[str]) -> Path | None:
    """The root, or the first of these folders in it, that holds one of the marks; None if none does."""
    for home in (root, *(root / name for name in folders)):
        if any((home / mark).exists() for mark in marks):
            return home
    return None


def images_in(folder: Path) -> list[str]:
    """Names of the image files in a folder, sorted; none where there is no such folder.

    Raises:
        StorageError: it cannot be read.
    """
    return sorted(name for name in files_in(folder) if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS)  # noqa: PTH122


def files_in(folder: Path) -> list[str]:
    """Names of the files in a folder but for hidden ones, unsorted; none where there is no such folder.

    Raises:
        StorageError: it cannot be read.
    """
    return _names(folder, files=True)


def absent(home: Path, names: Sequence[str]) -> list[str]:
    """Which of these files, named with `/` from `home`, are not there; each folder is listed once.

    Raises:
        StorageError: a folder cannot be read.
    """
    listed: dict[str, frozenset[str]] = {}
    missing = []
    for name in names:
        folder, _, file = name.rpartition("/")
        if folder not in listed:
            listed[folder] = frozenset(files_in(home / folder))
        if file not in listed[folder]:
            missing.append(name)
    # Some disks spell a name otherwise than it is written: in capitals, or with accents apart.
    return [name for name in missing if not (listed[name.rpartition("/")[0]] and (home / name).is_file())]


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder but for hidden ones, sorted; none where there is no such folder.

    Raises:
        StorageError: it cannot be read.
    """
    return sorted(_names(folder, files=False))


def first_bytes(path: str, count: int) -> bytes:
    """How a file begins.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors(Path(path), "read"), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of many files.
        return file.read(count)


def _names(folder: Path, *, files: bool) -> list[str]:
    with storage_errors(folder, "read"):
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
                return [entry.name for entry in visible if (entry.is_file() if files else entry.is_dir())]
        except (FileNotFoundError, NotADirectoryError):
            return []

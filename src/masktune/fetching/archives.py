"""What an archive holds, member by member, whether it is a zip, a tar or a single gzipped file."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal, Protocol, runtime_checkable

from masktune.errors import DataDamaged
from masktune.fetching.sources import packing_of
from masktune.files import storage_errors

CHUNK = 1 << 18

Kind = Literal["file", "folder", "link", "other"]

_PADDING = 1 << 26
"""Bytes that may follow a tar's end; they are zeros that fill a tape's block."""


@runtime_checkable
class Content(Protocol):
    """What can be read of a member."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""

    def close(self) -> None:
        """No more is read."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive."""

    name: str
    """As it stands in the archive; not to be trusted."""
    kind: Kind
    """A link is symbolic or hard; other are devices, pipes and the like."""
    link: str
    """Of a link, where it leads, as it stands in the archive; else ""."""
    open: Callable[[], Content | None]
    """The content; of a link, that of the file in the archive that it leads to, None where there is none."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Iterator[Member], Callable[[], int]]]:
    """Yield the members, to be read in this order, and how many bytes of the archive have been read so far.

    Raises:
        DataDamaged: it is truncated, damaged or no such archive.
        StorageError: it cannot be read.
    """
    with storage_errors(path, "read"), path.open("rb") as raw, archive_errors(path):
        members = {"zip": _zip, "tar": _tar, "gz": _gz}[packing_of(path.name) or "gz"]
        yield members(raw, path), raw.tell


@contextmanager
def archive_errors(path: Path) -> Iterator[None]:
    """Turn what the standard library raises of a damaged archive into one sentence."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataDamaged(
            f"{path} is truncated, damaged or no such archive ({error}); get it again"
        ) from error
    except (
        RuntimeError,
        NotImplementedError,
    ) as error:  # What zipfile says of a password or an unknown packing.
        raise DataDamaged(f"{path} cannot be unpacked ({error}); get it again") from error


def _zip(raw: IO[bytes], path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                yield Member(info.filename, "link", "another place", lambda: None)
                continue
            plain = stat.S_IFMT(mode) in (0, stat.S_IFREG)
            kind: Kind = "folder" if info.is_dir() else "file" if plain else "other"
            yield Member(info.filename, kind, "", partial(archive.open, info))


def _tar(raw: IO[bytes], path: Path) -> Iterator[Member]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    with tarfile.open(fileobj=raw, mode="r:gz" if packed else "r:") as archive:
        for info in archive:
            yield Member(info.name, _kind(info), info.linkname, partial(_content, archive, info))
        _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuse half a tar: tarfile takes a damaged header for the end, and gzip compares its sum at the end."""
    assert archive.fileobj is not None  # It is open.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it has no end")
    for _ in range(_PADDING // CHUNK):
        if not archive.fileobj.read(CHUNK):
            return
    raise tarfile.ReadError("it goes on after its end")


def _kind(info: tarfile.TarInfo) -> Kind:
    if info.issym() or info.islnk():
        return "link"
    return "folder" if info.isdir() else "file" if info.isreg() else "other"


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Content | None:
    try:
        return archive.extractfile(info)
    except KeyError:  # A link to nothing in the archive.
        return None


def _gz(raw: IO[bytes], path: Path) -> Iterator[Member]:
    yield Member(path.stem, "file", "", lambda: gzip.GzipFile(fileobj=raw))

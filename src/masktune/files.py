"""Writing files so that what exists is complete: a temporary name first, then one rename.

Every room that writes uses this, so a full disk or a missing right is one plain sentence everywhere.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from masktune.errors import MasktuneError, StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than this disk or your limits allow",
    errno.EACCES: "permission denied; choose a folder you may write to",
    errno.EPERM: "permission denied; choose a folder you may write to",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EISDIR: "there is a folder of that name",
}


@contextmanager
def storage_errors(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an OSError inside the block into a `StorageError` that says what to do."""
    try:
        yield
    except MasktuneError:  # Some of them are OSErrors too, and say more.
        raise
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
        raise StorageError(f"cannot {doing} {path}: {reason}") from error


def make_folder(path: Path) -> Path:
    """Make a folder and its parents; say in one line why when that fails."""
    with storage_errors(path, "make the folder"):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it becomes `path`, else it goes away.

    The rename is atomic and the content is on disk before it, so a reader, or a run that goes on after a
    kill, never meets half a file.
    """
    make_folder(path.parent)
    with storage_errors(path):
        # Not tempfile.mkstemp, which makes private files; ours get the rights that any new file gets.
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.open("xb").close()
            yield part
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove a folder and all in it; where there is none nothing happens."""
    with storage_errors(path, "remove"):
        if path.exists():
            shutil.rmtree(path)


def sha256_of(path: Path | None) -> str | None:
    """Of a file's content; None where none is given."""
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8")

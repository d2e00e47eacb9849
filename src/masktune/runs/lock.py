"""One writer a folder: a lock that the system takes back when its holder dies, however it dies."""

import errno
from pathlib import Path
from typing import IO

from masktune.errors import RunFolderError
from masktune.files import storage_errors

try:
    import fcntl
except ImportError:  # Windows has no such locks; runs go on there without one.
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".masktune.lock"


def take_lock(folder: Path) -> IO[bytes] | None:
    """Lock a folder until the returned file is closed; None where the system or the disk has no locks.

    Raises:
        RunFolderError: another process holds the lock.
    """
    if fcntl is None:
        return None
    path = folder / LOCK_NAME
    with storage_errors(path):
        file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise RunFolderError(
                f"{folder} is in use by another masktune process; wait for it, or choose another folder"
            ) from error
        return None
    return file

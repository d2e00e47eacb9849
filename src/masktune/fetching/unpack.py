"""An archive becomes a folder, or a file: whole or not there, and nothing outside it is touched.

No link is ever made and nothing of the archive but names and content is used: no owners, no rights.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from masktune.errors import DataDamaged
from masktune.fetching.archives import CHUNK, Member, archive_errors, opened
from masktune.fetching.measure import amount, step
from masktune.fetching.sources import packing_of
from masktune.files import complete_file, make_folder, remove_folder, storage_errors
from masktune.types import Progress, silent

_GONE = "nothing of it was kept; remove it and get it from a place that you trust"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may become; images and digits are far below, a bomb is far above."""

    times: int = 20
    """Bytes, as a multiple of the archive's own size. MNIST's images, the emptiest of all, come to 5."""
    least: int = 1_000_000
    """Bytes that any archive may become, however small it is."""
    members: int = 1_000_000
    """Files and folders; the largest known archive has 202,600."""

    def bytes_of(self, archive: Path) -> int:
        """What this archive may become."""
        return max(self.least, self.times * archive.stat().st_size)


LIMITS = Limits()


def unpack(
    archive: Path,
    target: Path,
    *,
    holds: Sequence[str] = (),
    limits: Limits = LIMITS,
    progress: Progress = silent,
) -> None:
    """Unpack beside the target, under a hidden name that becomes the target's when all is there.

    Args:
        archive: a zip, tar, tar.gz, or one gzipped file.
        target: the folder to make (of one gzipped file, the file); nothing, or an empty folder, is there.
            The archive's folder of that name becomes it, and what lies beside that is left out; without one,
            the whole archive becomes it.
        holds: paths that the new folder has.
        limits: against bombs.
        progress: is told how much of the archive has been read.

    Raises:
        DataDamaged: the archive is truncated, not the expected one, or not to be trusted; nothing is left.
        StorageError: it cannot be written; nothing is left.
    """
    make_folder(target.parent)
    if packing_of(archive.name) == "gz":
        with complete_file(target) as part:
            _write_all(archive, lambda name: part, limits, progress)
        return
    hidden = target.with_name(f".{target.name}.unpacking")
    remove_folder(hidden)
    make_folder(hidden)
    try:
        _write_all(archive, hidden.joinpath, limits, progress)
        found = hidden / target.name if (hidden / target.name).is_dir() else hidden
        absent = [path for path in holds if not (found / path).exists()]
        if absent:
            raise DataDamaged(
                f"expected {target.name} with {', '.join(holds)} in {archive}, but it has no "
                f"{', '.join(absent)}; get another copy"
            )
        with storage_errors(target):
            found.replace(target)
    finally:
        remove_folder(hidden)


def _write_all(
    archive: Path, place: Callable[[PurePosixPath], Path], limits: Limits, progress: Progress
) -> None:
    with storage_errors(archive, "read"):
        size, left = archive.stat().st_size, limits.bytes_of(archive)
    with opened(archive) as (members, read_so_far):
        for number, member in enumerate(members, 1):
            if number > limits.members:
                raise DataDamaged(f"{archive} holds more than {limits.members:,} files; {_GONE}")
            left -= write_member(member, place(checked_name(member, archive)), archive, left)
            if left < 0:
                raise DataDamaged(
                    f"{archive} unpacks to more than {amount(limits.bytes_of(archive))}; {_GONE}"
                )
            progress(step(f"unpacking {archive.name}", min(read_so_far(), size - 1), size))
    progress(step(f"unpacking {archive.name}", size, size))


def checked_name(member: Member, archive: Path) -> PurePosixPath:
    """A member's name without its dots.

    Raises:
        DataDamaged: name or kind could touch anything outside.
    """
    name = PurePosixPath(member.name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or re.match("[A-Za-z]:", str(name)):
        raise DataDamaged(f"{archive} holds a name that leads out of its folder, {member.name!r}; {_GONE}")
    if member.kind == "other":
        raise DataDamaged(f"{archive} holds {member.name!r}, which is no file, folder or link; {_GONE}")
    return name


def write_member(member: Member, path: Path, archive: Path, most: int) -> int:
    """Write one member, and no more than a little over `most` bytes; returns how many.

    Raises:
        DataDamaged: the archive is damaged, or the member a link to nothing in it.
        StorageError: it cannot be written.
    """
    if member.kind == "folder":
        make_folder(path)
        return 0
    content = member.open()
    if content is None:
        raise DataDamaged(
            f"{archive} holds a link that leads out of it or to nothing, {member.name!r} to {member.link!r}; "
            f"{_GONE}"
        )
    if not path.parent.exists():
        make_folder(path.parent)
    done = 0
    # The archive's errors inside: some of them are OSErrors, but not of writing.
    with storage_errors(path), archive_errors(archive), closing(content), path.open("wb") as file:
        while done <= most and (chunk := content.read(CHUNK)):
            done += file.write(chunk)
    return done

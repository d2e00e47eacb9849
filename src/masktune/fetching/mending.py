"""What was unpacked, held against its archive: files that are damaged or gone are unpacked anew."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from masktune.data.names import first_three
from masktune.errors import InputError
from masktune.fetching.archives import CHUNK, Member, archive_errors, opened
from masktune.fetching.download import Tell
from masktune.fetching.measure import step
from masktune.fetching.sources import packing_of
from masktune.fetching.unpack import LIMITS, checked_name, write_member
from masktune.files import complete_file, storage_errors
from masktune.types import Progress


@dataclass(slots=True)
class _Compared:
    """Files of an archive, and which of them are not the same on the disk."""

    files: int = 0
    wrong: list[Path] = field(default_factory=list)


def mend(archive: Path, target: Path, *, tell: Tell, progress: Progress) -> bool:
    """Unpack anew what of `target` is not as in its archive; returns whether there was any.

    A file that is replaced stays as `NAME.damaged`. Files that the archive does not have are not touched.

    Args:
        archive: intact; `target` is what `unpack` makes of it.
        target: the folder, or the file of one gzipped file.
        tell: is told which files are unpacked anew.
        progress: is told how much of the archive has been read.

    Raises:
        InputError: most of the folder's files differ, so it is something else.
        DataDamaged: the archive is damaged.
        StorageError: something cannot be read or written.
    """
    found = {True: _Compared(), False: _Compared()}
    for own, path, member in _places(archive, target, "comparing", progress):
        found[own].files += 1
        if not _same(member, path, archive):
            found[own].wrong.append(path)
    own = found[True].files > 0
    files, wrong = found[own].files, found[own].wrong
    if not wrong:
        return False
    number = f"{len(wrong):,} of {files:,} files"
    if files > 1 and 2 * len(wrong) > files:
        raise InputError(
            f"expected {target} as {archive} has it, but {number} are others or not there; remove or rename "
            "it, then run the same command again"
        )
    names = first_three([path.relative_to(target.parent).as_posix() for path in wrong])
    tell(f"damaged or gone, so unpacked anew from {archive}: {names}; what was there stays as NAME.damaged")
    _unpack_anew(archive, target, own, frozenset(wrong), progress)
    return True


def _unpack_anew(archive: Path, target: Path, own: bool, wanted: frozenset[Path], progress: Progress) -> None:
    for here, path, member in _places(archive, target, "unpacking", progress):
        if here != own or path not in wanted:
            continue
        with complete_file(path) as part:
            write_member(member, part, archive, LIMITS.bytes_of(archive))
            with storage_errors(path):
                if path.exists():
                    path.replace(path.with_name(f"{path.name}.damaged"))


def _places(
    archive: Path, target: Path, doing: str, progress: Progress
) -> Iterator[tuple[bool, Path, Member]]:
    """Each file of the archive: is it in the archive's folder of the target's name, and where does it go?

    Where there is such a folder it alone became the target, else all of the archive did.
    """
    size = archive.stat().st_size
    with opened(archive) as (members, read_so_far):
        for member in members:
            progress(step(f"{doing} {archive.name}", min(read_so_far(), size - 1), size))
            if member.kind == "folder":
                continue
            name = checked_name(member, archive)
            if packing_of(archive.name) == "gz":
                yield True, target, member
            elif name.parts[0] == target.name:
                yield True, target.parent / name, member
            else:
                yield False, target / name, member
    progress(step(f"{doing} {archive.name}", size, size))


def _same(member: Member, path: Path, archive: Path) -> bool:
    """Whether a file has a member's content."""
    content = member.open() if path.is_file() else None
    if content is None:
        return False
    with storage_errors(path, "read"), archive_errors(archive), closing(content), path.open("rb") as file:
        while expected := content.read(CHUNK):
            if file.read(len(expected)) != expected:
                return False
        return not file.read(1)

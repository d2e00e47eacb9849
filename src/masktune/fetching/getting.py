"""A data set from the network to a root folder: the only code that fetches without being asked for a name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from masktune.data.official.checking import Found, check
from masktune.data.official.registry import OFFICIAL
from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.fetching.checksums import differs
from masktune.fetching.connection import check_address, host
from masktune.fetching.download import PATIENCE, Patience, Tell, download
from masktune.fetching.mending import mend
from masktune.fetching.not_fetched import NotFetched
from masktune.fetching.origins import origin_of
from masktune.fetching.sources import Origin, Part, Source
from masktune.fetching.trouble import Unusable
from masktune.fetching.unpack import unpack
from masktune.files import storage_errors
from masktune.types import Progress, silent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Got:
    """What `get` did."""

    made: tuple[str, ...]
    """What it made under the root; nothing where all was there already."""
    archives: tuple[str, ...]
    """Archives under the root that are no longer needed."""
    found: Found | None
    """What the check of the data set says; None where its checksums say all there is to say."""


def get(
    name: str,
    root: str | Path,
    *,
    source: str | None = None,
    tell: Tell = _log.info,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
) -> Got:
    """Fetch and unpack the files of a data set; what is there already is verified, and else stays as it is.

    A part of the data set is there whole or not at all. After an error or an interruption the same call goes
    on where this one stopped. An archive that somebody has put under the root is used instead of fetched.
    What was unpacked is held against published checksums or its archive, and what is damaged unpacked anew.

    Args:
        name: one of `ORIGINS`.
        root: folder to make or to add to.
        source: an address to try before the known ones: of the file, or, ending with `/`, of the folder that
            has the files. Size and checksum, where known, stay what they are.
        tell: is told what is fetched from where, and why a source failed.
        progress: is told how much has come, and been unpacked.
        patience: with each server.

    Raises:
        InputError: an unknown name, an address that fits no file, a folder that is not whole.
        NotFetched: no source has a file; holds the steps to take by hand.
        DataDamaged: an archive under the root is damaged or not to be trusted.
        StorageError: the disk is full or not ours to write.
        MasktuneError: what the check of the data set raises.
    """
    origin, root = origin_of(name), Path(root)
    if root.is_file():
        raise InputError(f"expected a folder for {name}, got the file {root}; name another place")
    with_sources = _with_source(origin, source)
    made = [part.makes for part in with_sources if _bring(part, root, origin, tell, progress, patience)]
    archives = [part.file for part in origin.parts if part.packing and (root / part.file).exists()]
    tell(f"checking {root}")
    stood = [part.makes for part in origin.parts if part.makes not in made]
    return Got(tuple(made), tuple(archives), _checked(origin, root, stood))


def _checked(origin: Origin, root: Path, stood: Sequence[str]) -> Found | None:
    """What the check of the data set says; None where its checksums say all there is to say."""
    if origin.data_set not in OFFICIAL:
        return None
    try:
        return check(origin.data_set, root)
    except (InputError, DataNotFound, DataDamaged) as error:
        if not stood:
            raise
        # Or it would say to run the very command that is running.
        raise InputError(
            f"{error}; what is there is not fetched anew: first remove or rename {' and '.join(stood)} in "
            f"{root}"
        ) from error


def _with_source(origin: Origin, url: str | None) -> Sequence[Part]:
    """The parts, with the user's address before the known ones where it fits."""
    if url is None:
        return origin.parts
    check_address(url)
    names = [Path(part.file).name for part in origin.parts]
    fits = [url.endswith("/") or len(names) == 1 or urlsplit(url).path.endswith(f"/{name}") for name in names]
    if not any(fits):
        raise InputError(
            f"expected the address of one of {', '.join(names)}, or of their folder with / at its end, got "
            f"{url}"
        )
    return [
        replace(part, sources=(_named(part, url), *part.sources)) if fit else part
        for part, fit in zip(origin.parts, fits, strict=True)
    ]


def _named(part: Part, url: str) -> Source:
    address = url + Path(part.file).name if url.endswith("/") else url
    return replace(part.sources[0], url=address)


def _bring(
    part: Part, root: Path, origin: Origin, tell: Tell, progress: Progress, patience: Patience
) -> bool:
    """Make one part stand under the root; returns whether it had to."""
    archive, target = root / part.file, root / part.makes
    with storage_errors(root, "read"):
        packed = part.packing is not None and archive.exists()
        stands = target.exists() and not (target.is_dir() and not any(target.iterdir()))
    if stands:
        return _verify(part, root, packed, tell, progress)
    if packed:
        _check_found(archive, part)
        tell(f"unpacking {archive}, which is there already")
        unpack(archive, target, holds=part.holds, progress=progress)
        return True
    reasons = []
    for source in part.sources:
        tell(f"fetching {part.file} from {host(source.url)}")
        try:
            download(source, archive, tell=tell, progress=progress, patience=patience)
            if part.packing:
                _unpack_fetched(archive, target, part, progress)
            return True
        except Unusable as trouble:
            reasons.append((host(source.url), str(trouble)))
            tell(": ".join(reasons[-1]))
    raise NotFetched(part.file, root, reasons, origin.by_hand)


def _verify(part: Part, root: Path, packed: bool, tell: Tell, progress: Progress) -> bool:
    """Is a part that is there what it should be? Returns whether some of it was unpacked anew."""
    archive, target = root / part.file, root / part.makes
    if not part.packing:
        _check_found(target, part)
    elif wrong := _wrong_files(part, target):
        if not packed:
            raise InputError(f"{wrong[0]}; remove or rename {target}, and the same command fetches it anew")
        _check_found(archive, part)
        return mend(archive, target, tell=tell, progress=progress)
    elif packed and not part.unpacked and _compared(part, archive, target, tell, progress):
        return True
    _check_holds(target, part.holds)
    tell(f"{target} is there already")
    if part.packing and not (packed or part.unpacked):
        tell(f"without {archive.name} the content of {target} cannot be compared")
    return False


def _check_holds(target: Path, holds: Sequence[str]) -> None:
    """Refuse something else, or half of it, that has a part's name."""
    absent = [path for path in holds if not (target / path).exists()]
    if absent:
        raise InputError(
            f"expected {target} whole or not there, but it has no {', '.join(absent)}; remove or rename it, "
            "then run the same command again"
        )


def _wrong_files(part: Part, target: Path) -> list[str]:
    """What is wrong with unpacked files of which checksums are published, a sentence each."""
    wrong = []
    for name, checksum in part.unpacked.items():
        path = target / name
        if what := differs(path, checksum) if path.exists() else "it is not there":
            wrong.append(f"{path} is damaged: {what}")
    return wrong


def _compared(part: Part, archive: Path, target: Path, tell: Tell, progress: Progress) -> bool:
    """Hold what was unpacked against its archive, and mend it; a damaged archive is of no use for that."""
    trouble = _otherness(archive, part)
    try:
        if not trouble:
            return mend(archive, target, tell=tell, progress=progress)
    except DataDamaged as error:
        trouble = str(error)
    tell(f"{archive} is damaged itself, so the content of {target} cannot be compared: {trouble}")
    return False


def _check_found(file: Path, part: Part) -> None:
    """A file that was not fetched by this call: by an earlier one, or by hand."""
    if other := _otherness(file, part):
        raise InputError(
            f"{file} is another file: {other}; remove it, and the same command fetches the right one"
        )


def _otherness(file: Path, part: Part) -> str:
    """Why a file is none of those that the sources have; "" where it may be one."""
    wrong = [differs(file, checksum) for checksum in {source.checksum for source in part.sources}]
    return wrong[0] if all(wrong) else ""


def _unpack_fetched(archive: Path, target: Path, part: Part, progress: Progress) -> None:
    """A fetched archive that cannot be unpacked is not kept: the source is at fault."""
    try:
        unpack(archive, target, holds=part.holds, progress=progress)
    except DataDamaged as trouble:
        archive.unlink()
        raise Unusable(str(trouble)) from trouble

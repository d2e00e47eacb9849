"""One file from one address onto the disk: resumed, checked, and whole or not there."""

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from masktune.errors import StorageError
from masktune.fetching.checksums import differs
from masktune.fetching.connection import CHUNK, Answer, asked, check_address, host
from masktune.fetching.kept import Kept
from masktune.fetching.looks import ENOUGH, oddity
from masktune.fetching.measure import amount, step
from masktune.fetching.sources import Source
from masktune.fetching.trouble import BrokeOff, NothingLeft, Unusable
from masktune.files import make_folder, storage_errors
from masktune.types import Number, Progress, silent

_log = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Is told, in a sentence, what is going on."""

MOST = 100 * 1000**3
"""Bytes after which a server that never says how much there is, is believed to have no end."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    tries: int = 5
    """In a row that bring no new byte."""
    pause: Number = 1
    """Seconds before the second try; twice as many before each further one."""
    timeout: Number = 30
    """Seconds without an answer or a byte."""


PATIENCE = Patience()


def download(
    source: Source,
    target: Path,
    *,
    tell: Tell = _log.info,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
) -> None:
    """Fetch a file. What came of it stays in `NAME.part` when this breaks off, and is gone on with next time.

    Args:
        source: address, and what is known of the file there.
        target: where it will stand, whole; nothing stands there yet.
        tell: is told when the connection breaks off.
        progress: is told how much has come.
        patience: with the server.

    Raises:
        Unusable: the source has no such file, or not now; says why.
        StorageError: it cannot be written.
    """
    check_address(source.url)
    kept = Kept(target)
    continued = kept.size > 0
    while True:
        _fetch_patiently(source, kept, tell, progress, patience)
        if not (wrong := differs(kept.path, source.checksum)):
            break
        kept.forget()
        if not continued:
            raise Unusable(f"what came is another file: {wrong}")
        continued = False  # The bytes of an earlier call may have been of another file: once more, anew.
    kept.finish()


def _fetch_patiently(source: Source, kept: Kept, tell: Tell, progress: Progress, patience: Patience) -> None:
    failed = 0
    while True:
        before = kept.size
        try:
            _fetch(source, kept, progress, patience.timeout)
            return
        except BrokeOff as trouble:
            failed = 1 if kept.size > before else failed + 1
            if failed >= patience.tries or not (trouble.reached or kept.size):
                raise Unusable(str(trouble)) from trouble
            pause = patience.pause * 2 ** (failed - 1)
            tell(f"{host(source.url)}: {trouble}; trying again in {pause:g} s")
            time.sleep(pause)


def _fetch(source: Source, kept: Kept, progress: Progress, timeout: Number) -> None:
    """One request; returns when all bytes have come."""
    version = kept.version(source.url, source.checksum)
    size = kept.size if version is not None else 0
    if size and size == source.size:
        return
    try:
        with asked(source.url, {"Range": f"bytes={size}-"} if size else {}, timeout) as answer:
            # Not by If-Range: the answer says which version it is of, so it does not matter who compares.
            if answer.start > 0 and (answer.start != size or (version and answer.version != version)):
                kept.forget()
                raise BrokeOff("the file there has changed")
            beginning = _beginning(answer, kept.target.name) if answer.start == 0 else b""
            total = _total(source, answer)
            _check_space(kept, total)
            if answer.start == 0:
                kept.begin(source.url, answer.version, source.checksum)
            _receive(answer, beginning, kept, total, progress)
    except NothingLeft:
        kept.forget()
        raise
    if total is not None and kept.size < total:
        raise BrokeOff(f"the connection broke off after {kept.size:,} of {total:,} bytes")


def _total(source: Source, answer: Answer) -> int | None:
    """Bytes of the whole file, as known or as the server says; refused where the two differ."""
    if None not in (source.size, answer.total) and source.size != answer.total:
        raise Unusable(f"the file there has {answer.total:,} bytes, not the expected {source.size:,}")
    return source.size or answer.total


def _beginning(answer: Answer, name: str) -> bytes:
    """The first bytes, looked at before any is kept."""
    beginning = b""
    while len(beginning) < ENOUGH and (more := answer.read(ENOUGH - len(beginning))):
        beginning += more
    if beginning and (odd := oddity(name, beginning)):
        raise Unusable(odd)
    return beginning


def _receive(answer: Answer, beginning: bytes, kept: Kept, total: int | None, progress: Progress) -> None:
    with storage_errors(kept.path), kept.open() as file:
        done, chunk = file.tell(), beginning or answer.read(CHUNK)
        while chunk:
            done += len(chunk)
            if done > (total or MOST):
                kept.forget()
                raise Unusable(f"it sends more than the {amount(total or MOST)} that the file has")
            file.write(chunk)
            _tell(progress, kept.target.name, done, total)
            chunk = answer.read(CHUNK)
        file.flush()
        os.fsync(file.fileno())
    if total is None:
        _tell(progress, kept.target.name, done, done)


def _tell(progress: Progress, name: str, done: int, total: int | None) -> None:
    """Where the server does not say how much there is, nothing honest can be said before the end."""
    if total is not None:
        progress(step(f"fetching {name}", done, total))


def _check_space(kept: Kept, total: int | None) -> None:
    folder = make_folder(kept.target.parent)
    needed, free = (total or 0) - kept.size, shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"expected {amount(needed)} of free disk at {folder} for {kept.target.name}, got {amount(free)}; "
            "free some space or choose another folder"
        )

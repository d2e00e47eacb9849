"""Doing a job: its own lock, what it needs first, and a word on why it failed where it did."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from masktune.bench.bench import Bench
from masktune.bench.job import Job, place_in
from masktune.bench.model_run import Done
from masktune.errors import MasktuneError, RunFolderError, StorageError
from masktune.files import make_folder, storage_errors
from masktune.runs import RunFolder
from masktune.runs.jsons import read_object, write_json
from masktune.runs.lock import take_lock
from masktune.training.devices import cpu_threads
from masktune.types import Progress, silent

FAILED = "failed.json"
"""In a job's folder: why it failed when it was last tried."""

BEGUN = "job.json"
"""In a job's folder, before anything else: which job it is."""

_PAUSE = 2.0
"""Seconds between two looks at a job that another process is at."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    job: str
    """Its name."""
    failed: str | None = None
    """Why, in one line; None where it is done."""


Engine = Callable[[Bench, Sequence[Job], RunFolder, Progress], Iterator[Outcome]]
"""Does all these jobs, each after those that it needs, and tells of each as it ends."""


def is_done(bench: Bench, job: Job, folder: RunFolder) -> bool:
    """Whether a job is finished: its numbers are there."""
    check_same_job(job, folder)
    return (place_of(job, folder) / "rows.json").exists()


def check_same_job(job: Job, folder: RunFolder) -> None:
    """Refuse to go on from what another job of the same method left: its file or its settings were others.

    Raises:
        RunFolderError: it did.
    """
    path = place_of(job, folder) / BEGUN
    if path.exists() and (begun := read_object(path).get("name")) != job.name:
        raise RunFolderError(
            f"{path.parent} holds another {job.method}, {begun}, and this would be {job.name}: its code or "
            "its settings have changed since; delete that folder, or choose another --out"
        )


def place_of(job: Job, folder: RunFolder) -> Path:
    """The folder of its model."""
    return place_in(folder.path, job)


def done_by(job: Job, folder: RunFolder) -> Done:
    """What a finished job left behind."""
    return Done.read(place_of(job, folder) / "rows.json")


def failure_of(job: Job, folder: RunFolder) -> str:
    """Why a job failed, in one line, as it was last tried."""
    path = place_of(job, folder) / FAILED
    return str(read_object(path).get("why", "unknown")) if path.exists() else "it was not run"


def in_process(bench: Bench, jobs: Sequence[Job], folder: RunFolder, progress: Progress) -> Iterator[Outcome]:
    """One job after the other, in this process."""
    failed: dict[str, str] = {}
    for job in jobs:
        outcome = attempt(bench, job, folder, progress, before=failed)
        if outcome.failed is not None:
            failed[job.name] = outcome.failed
        yield outcome


def attempt(
    bench: Bench,
    job: Job,
    folder: RunFolder,
    progress: Progress = silent,
    *,
    before: dict[str, str] | None = None,
) -> Outcome:
    """Do one job; what goes wrong in it is its outcome, and stops no other.

    `before` says of jobs that failed why; who needs one of them fails too.

    Raises:
        RunFolderError: another process is at it.
        StorageError: the disk is full, or cannot be written: no other job would fare better.
    """
    missing = [need for need in job.needs if before and need in before]
    if before and missing and (not job.any_of or len(missing) == len(job.needs)):
        why = f"{missing[0]} failed, which it needs: {before[missing[0]]}"
        return failed_job(bench, job, folder, why)
    with _locked(bench, place_of(job, folder)):
        if is_done(bench, job, folder):
            return Outcome(job.name)
        bench.here.first_does(lambda: write_json(place_of(job, folder) / BEGUN, {"name": job.name}))
        try:
            with cpu_threads(job.threads):
                bench.run_of(job, folder, progress).done()
        except StorageError:
            raise
        except MasktuneError as error:
            return failed_job(bench, job, folder, " ".join(str(error).split()))
        except Exception as error:  # noqa: BLE001 - somebody's method, or memory: the other jobs go on.
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return failed_job(bench, job, folder, said, trace=traceback.format_exc())
        if bench.here.first:
            with storage_errors(place_of(job, folder), "clean"):
                (place_of(job, folder) / FAILED).unlink(missing_ok=True)
    return Outcome(job.name)


def with_needs(bench: Bench, job: Job, folder: RunFolder, progress: Progress = silent) -> Outcome:
    """Do a job alone, as one of an array does: what it needs is done first, or waited for where another
    process is at it.
    """
    failed: dict[str, str] = {}
    for need in job.needs:
        outcome = _waited_for(bench, bench.job(need), folder, progress)
        if outcome.failed is not None:
            failed[need] = outcome.failed
    return attempt(bench, job, folder, progress, before=failed)


def _waited_for(bench: Bench, job: Job, folder: RunFolder, progress: Progress) -> Outcome:
    while True:
        if is_done(bench, job, folder):
            return Outcome(job.name)
        try:
            return with_needs(bench, job, folder, progress)
        except RunFolderError:  # Another process is at it.
            time.sleep(_PAUSE)


def failed_job(bench: Bench, job: Job, folder: RunFolder, why: str, *, trace: str | None = None) -> Outcome:
    """Write down why a job failed; beside it where in whose code, if that is known."""

    def write() -> None:
        said = {"job": job.name, "why": why, "trace": None if trace is None else trace.splitlines()}
        write_json(place_of(job, folder) / FAILED, said)

    bench.here.first_does(write)
    return Outcome(job.name, why)


@contextmanager
def _locked(bench: Bench, place: Path) -> Iterator[None]:
    """No other process is at this job for as long as this one lives."""
    lock = bench.here.first_alone(lambda: take_lock(make_folder(place)))
    try:
        yield
    finally:
        if lock is not None:
            lock.close()

"""A bench from its plan to its numbers: jobs that are done stay done, jobs that fail stop no other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from masktune.bench.bench import Bench
from masktune.bench.imported import Imported
from masktune.bench.job import Job
from masktune.bench.jobs import (
    Engine,
    Outcome,
    done_by,
    failure_of,
    in_process,
    is_done,
    place_of,
    with_needs,
)
from masktune.bench.model_run import Done
from masktune.bench.plan import Plan
from masktune.bench.search import RECORD, Search
from masktune.errors import RunFolderError
from masktune.runs import Results, Row, RunFolder, read_record
from masktune.runs.record import AWAY
from masktune.runs.versions import versions
from masktune.training.devices import ALONE, Processes
from masktune.training.run_folder import open_for_all
from masktune.types import Progress, Step, silent


@dataclass(frozen=True, slots=True)
class Benched:
    """What came out of a bench."""

    bench: Bench
    out: Path
    done: Mapping[tuple[str, int, str], Done]
    """By data set, seed and method."""
    failed: Mapping[str, str]
    """Names of jobs that failed, and why."""
    searches: Mapping[tuple[str, int, str], Search]
    """What was tried of methods that were searched; by data set, seed and method."""
    results: Results

    @property
    def rows(self) -> list[Row]:
        """All numbers, those of imported methods included."""
        return self.results.rows


Finish = Callable[[Benched], None]
"""What is done with the numbers before `results.json` says that all is done: tables, plots."""


def open_bench(plan: Plan, out: Path, here: Processes = ALONE) -> Bench:
    """The jobs of a plan, as they were if the bench in that folder has begun.

    Raises:
        as `Bench.of`; RunFolderError: the folder's run.json is damaged.
    """
    if not (out / "run.json").exists():
        return Bench.of(plan, here)
    begun = read_record(out / "run.json")
    if begun.command != "bench":
        raise RunFolderError(f"{out} holds a run of `masktune {begun.command}`, and no bench; {AWAY}")
    return Bench.of(plan.grown(begun.settings), here, begun.settings)


def run_bench(
    bench: Bench,
    out: Path,
    *,
    engine: Engine = in_process,
    imported: Sequence[Imported] = (),
    argv: Sequence[str] = (),
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Benched:
    """Do what is not done yet, and gather the numbers of all.

    Args:
        bench: what to do.
        out: the run folder; new, empty, or that of the same bench, which then goes on.
        engine: in this process, or on Ray.
        imported: methods that were run elsewhere.
        argv: the command line, for the record.
        progress: is called with each step.
        finish: is called on the first process when all numbers are there.

    Raises:
        RunFolderError: `out` holds something else, or is in use.
        InputError, DataNotFound: imported predictions are of other images; the engine cannot be used.
        StorageError: the disk is full.
    """
    for one in imported:
        one.check(bench)
    with _opened(bench, out, argv) as folder:
        left = [job for job in bench.jobs if not is_done(bench, job, folder)]
        start = time.perf_counter()
        for ended, outcome in enumerate(engine(bench, left, folder, progress) if left else (), start=1):
            seconds = (time.perf_counter() - start) / ended * (len(left) - ended)
            at = len(bench.jobs) - len(left) + ended
            said = _ended(bench.job(outcome.job), outcome, seconds)
            progress(
                Step("bench", at, len(bench.jobs), unit="jobs", ended=f"{at} of {len(bench.jobs)}: {said}")
            )
        gathered = bench.here.first_does(lambda: _gathered(bench, out, folder, imported))
        if bench.here.first:
            if finish is not None:
                finish(gathered)
            folder.write_results(gathered.results.rows)
        bench.here.wait()
    return gathered


def run_one(
    bench: Bench, name: str, out: Path, *, argv: Sequence[str] = (), progress: Progress = silent
) -> Outcome:
    """Do one job of a bench, and first those that it needs, beside other processes in the same folder.

    Raises:
        InputError: there is no such job.
        RunFolderError: `out` holds something else, or another process is at the job.
        StorageError: the disk is full.
    """
    job = bench.job(name)
    folder = RunFolder.join(
        out,
        command="bench",
        argv=argv,
        settings=bench.settings,
        data=bench.data,
        threads=job.threads,
        device=bench.here.device.type,
    )
    return with_needs(bench, job, folder, progress)


def _opened(bench: Bench, out: Path, argv: Sequence[str]) -> RunFolder:
    return open_for_all(
        out,
        bench.here,
        command="bench",
        argv=argv,
        settings=bench.settings,
        data=bench.data,
        threads=max(job.threads for job in bench.jobs),
    )


def _ended(job: Job, outcome: Outcome, seconds: float) -> str:
    """A line for a person who waits."""
    left = f"; about {seconds / 60:.0f} min left" if seconds >= 60 else ""
    return f"{job} is done{left}" if outcome.failed is None else f"{job} failed: {outcome.failed}{left}"


def _gathered(bench: Bench, out: Path, folder: RunFolder, imported: Sequence[Imported]) -> Benched:
    done: dict[tuple[str, int, str], Done] = {}
    failed: dict[str, str] = {}
    rows: list[Row] = []
    searches: dict[tuple[str, int, str], Search] = {}
    for job in bench.jobs:
        key = job.dataset, job.seed, job.method
        if not is_done(bench, job, folder):
            failed[job.name] = failure_of(job, folder)
            rows += [] if job.trial is not None else [_failed_row(bench, job)]
            continue
        one = done_by(job, folder)
        rows += one.rows
        if job.trial is None:
            done[key] = one
        if job.any_of:
            searches[key] = Search.read(place_of(job, folder) / RECORD)
    for method in imported:
        for (dataset, seed), one in method.rows(bench, folder).items():
            done[dataset, seed, method.name] = one
            rows += one.rows
    return Benched(bench, out, done, failed, searches, Results("bench", versions(), bench.data, rows))


def _failed_row(bench: Bench, job: Job) -> Row:
    """A number that is not there; why stands in the job's folder and in the table."""
    main = bench.recipes[job.dataset].shown.main
    return Row(
        dataset=job.dataset,
        variant=next(one.variant for one in bench.data if one.name == job.dataset),
        method=job.method,
        config="failed",
        seed=job.seed,
        split=main.split,
        metric=main.metric,
        value=None,
        n=0,
        supervision=bench.methods[job.dataset][job.typed].supervision,
    )

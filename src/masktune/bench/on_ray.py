"""The jobs of a bench as tasks of Ray: on a cluster that is running, or on this machine alone."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from masktune.bench.bench import Bench
from masktune.bench.job import Job
from masktune.bench.jobs import Outcome, attempt, failed_job
from masktune.bench.plan import Plan
from masktune.errors import InputError, MissingExtra
from masktune.runs import RunFolder, read_record
from masktune.training.devices import Processes
from masktune.types import Progress, Step

_LOOK = 1.0
"""Seconds between two looks at what has ended."""

_STORE = 200 * 2**20
"""Bytes of shared memory of a cluster of our own; what goes through it are names and outcomes."""

_ANSWER = 5.0
"""Seconds that a cluster has to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRay:
    """An engine; it holds what one may choose of it. Results are the same whatever is chosen."""

    address: str | None = None
    """Of a running cluster: auto, or HOST:PORT; None starts one on this machine, and stops it at the end."""
    retries: int = 3
    """How often a job is tried again whose worker died."""
    memory: float | None = None
    """GB that a job needs; None lets Ray start as many as there are CPUs."""

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise InputError(f"expected 0 retries or more, got {self.retries}")
        if self.memory is not None and self.memory <= 0:
            raise InputError(f"expected a positive number of GB a job, got {self.memory}")

    def __call__(
        self, bench: Bench, jobs: Sequence[Job], folder: RunFolder, progress: Progress
    ) -> Iterator[Outcome]:
        """All jobs, as many at a time as the cluster has room for.

        Raises:
            MissingExtra: Ray is not installed.
            InputError: no cluster at the address, or none of its machines is large enough for a job.
        """
        ray = _library()
        with _cluster(ray, self.address):
            self._check_room(ray, jobs, on_gpu=bench.here.device.type == "cuda")
            waiting = self._started(ray, bench, jobs, folder)
            while waiting:
                progress(Step("jobs on Ray", len(jobs) - len(waiting), len(jobs), unit="jobs"))
                ended, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK)
                for reference in ended:
                    job = waiting.pop(reference)
                    try:
                        yield ray.get(reference)
                    except ray.exceptions.RayError as error:
                        yield failed_job(bench, job, folder, _why(ray, error))

    def _started(self, ray: Any, bench: Bench, jobs: Sequence[Job], folder: RunFolder) -> dict[Any, Job]:
        """A task for each job; it waits for those that it needs."""
        task = ray.remote(work)
        started: dict[str, Any] = {}
        for job in jobs:
            own = {
                "num_cpus": job.threads,
                "num_gpus": 1 if bench.here.device.type == "cuda" else 0,
                "max_retries": self.retries,
                "name": job.name,
            }
            if self.memory is not None:
                own["memory"] = int(self.memory * 1e9)
            needed = [started[need] for need in job.needs if need in started]
            out = str(folder.path.resolve())
            started[job.name] = task.options(**own).remote(
                bench.plan, out, job.name, str(Path.cwd()), *needed
            )
        names = {job.name: job for job in jobs}
        return {reference: names[name] for name, reference in started.items()}

    def _check_room(self, ray: Any, jobs: Sequence[Job], *, on_gpu: bool) -> None:
        """A job that fits on no machine would wait for ever."""
        most = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
        threads = max((job.threads for job in jobs), default=1)
        if threads > most:
            raise InputError(
                f"expected a machine with {threads} CPUs in the cluster, as many as a job has threads, and "
                f"the largest has {most:g}; --threads {max(1, int(most))} makes other jobs that fit"
            )
        if on_gpu and not any(node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]):
            raise InputError(
                "expected a GPU in the cluster, as this machine has one; --device cpu needs none"
            )


def work(plan: Plan, out: str, name: str, cwd: str, *needed: Outcome) -> Outcome:
    """One job in a worker of Ray; `needed` are the outcomes of the jobs that it goes on from.

    What was typed as a relative path is meant from `cwd`, where the bench was started.
    """
    os.chdir(cwd)
    failed = {outcome.job: outcome.failed for outcome in needed if outcome.failed is not None}
    bench = _bench(plan, out)
    folder = RunFolder(Path(out), read_record(Path(out) / "run.json"), None)
    return attempt(bench, bench.job(name), folder, before=failed)


@lru_cache(maxsize=1)
def _bench(plan: Plan, out: str) -> Bench:
    """Once a worker: its data are opened once, however many jobs it does."""
    record = read_record(Path(out) / "run.json")
    device = "cuda" if record.device == "cuda" and torch.cuda.is_available() else "cpu"
    return Bench.of(plan, Processes(device=torch.device(device)), begun=record.settings)


def _why(ray: Any, error: BaseException) -> str:
    """Why a task gave no outcome: an error of ours that stops all (a full disk), or the end of its worker."""
    if isinstance(error, ray.exceptions.RayTaskError):
        cause = error.cause if isinstance(error.cause, Exception) else error
        return f"{type(cause).__name__}: {_first_line(cause)}"
    return f"its worker died, again and again: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _library() -> Any:
    # Both are read when Ray starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            'expected Ray for --engine ray, which is not installed; type: pip install "masktune[ray]"'
        ) from error
    return ray


def _check_answers(address: str) -> None:
    """Ray itself would knock for minutes at a door behind which nobody is."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # "auto", or something that Ray may know.
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER):
            pass
    except (OSError, OverflowError) as error:
        raise InputError(
            f"expected a running Ray cluster at {address}, found none ({_first_line(error)}); start one with "
            "`ray start --head`, or leave --address out"
        ) from error


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """Joined for the length of the block; one that was there before is joined and not left."""
    if ray.is_initialized():
        yield
        return
    if address is not None:
        _check_answers(address)
    own = signal.getsignal(signal.SIGTERM)
    alone: dict[str, Any] = {}
    if address is None:
        alone = {"include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **alone)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"expected a running Ray cluster at {address}, found none ({_first_line(error)}); start one with "
            "`ray start --head`, or leave --address out"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, own)  # Ray sets one of its own, which exits without a word.
    try:
        yield
    finally:
        ray.shutdown()

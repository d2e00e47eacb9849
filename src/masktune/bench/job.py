"""A job: one method on one data set with one seed, as plain data with a name made from its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from masktune.bench.named import in_order, is_own
from masktune.bench.recipe import METHODS, STARTS_FRESH
from masktune.bench.search import in_words
from masktune.methods import Method
from masktune.models import user_code
from masktune.runs import RunFolder
from masktune.runs.jsons import plain


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Job:
    """One method on one data set with one seed."""

    name: str
    """Made from data set, seed, method, threads and settings: a job of another name has other numbers."""
    dataset: str
    """Its name in results."""
    seed: int
    method: str
    """Its name in results."""
    typed: str
    """The same as it was typed: a name, or file.py:Class, wherever that lies."""
    threads: int
    """Of the CPU; the same bits come out wherever it runs with as many."""
    settings: Mapping[str, Any]
    """All else that its numbers depend on."""
    trial: int | None = None
    """Which setting of a search it tries; None for a row of the table."""
    needs: tuple[str, ...] = ()
    """Names of the jobs that must be finished first: it goes on from what they left."""
    any_of: bool = False
    """Whether one of those is enough: of what a search tries some may fail."""

    @classmethod
    def of(cls, typed: str, needs: tuple[str, ...], *, any_of: bool = False, **content: Any) -> "Job":
        """The job of this content, with its name."""
        digest = hashlib.sha256(json.dumps(plain(content), sort_keys=True).encode()).hexdigest()
        trial = "" if content.get("trial") is None else f"-try{content['trial']}"
        name = f"{content['dataset']}-seed{content['seed']}-{content['method']}{trial}-{digest[:10]}"
        return cls(name=name, typed=typed, needs=needs, any_of=any_of, **content)

    def __str__(self) -> str:
        trial = "" if self.trial is None else f", try {self.trial}"
        return f"{self.dataset}, seed {self.seed}, {self.method}{trial}"


def jobs_of(
    dataset: str,
    seeds: Sequence[int],
    methods: Mapping[str, Method],
    tried: Mapping[str, Sequence[Mapping[str, Any]]],
    threads: int,
    settings: Mapping[str, Any],
) -> list[Job]:
    """The jobs of a data set, each after those that it needs.

    Args:
        dataset: its name in results.
        seeds: one job a method and seed.
        methods: as typed.
        tried: what a search tries of each, as typed; a method without any is run as it is.
        threads: of the CPU.
        settings: what the numbers of all of them depend on.
    """
    jobs: list[Job] = []
    for seed in seeds:
        made: dict[str, Job] = {}
        for typed in sorted(methods, key=_rank):
            method = methods[typed]
            content: dict[str, Any] = {
                "dataset": dataset,
                "seed": seed,
                "method": method.name,
                "threads": threads,
            }
            about = {**settings, "method": _described(method), "code": _code_of(typed)}
            needs = tuple(made[name].name for name in _needs(method.name, made))
            tries = [
                Job.of(typed, needs, **content, trial=at, settings=about | {"tried": in_words(one)})
                for at, one in enumerate(tried.get(typed, ()))
            ]
            if tries:
                needs = tuple(job.name for job in tries)
            made[method.name] = Job.of(typed, needs, **content, settings=about, any_of=bool(tries))
            jobs += [*tries, made[method.name]]
    return jobs


def place_in(out: Path, job: Job) -> Path:
    """The folder of a job's model within that of a bench."""
    place = RunFolder.model_path(out, job.dataset, job.seed, job.method)
    return place if job.trial is None else place / "trials" / f"{job.trial:02d}"


def _needs(method: str, made: Mapping[str, Job]) -> Sequence[str]:
    """What a method goes on from: stage 1, and for the controls the maps that MaskTune made."""
    if method == "erm" or method in STARTS_FRESH:
        return ()
    if method in ("random_mask", "least_salient_mask"):
        return [name for name in ("masktune", "random_mask", "erm") if name in made and name != method][:1]
    return ("erm",)


def _rank(typed: str) -> tuple[int, int]:
    """ERM first, then MaskTune, whose maps its controls use, then the others in the order of tables."""
    first = {"erm": 0, "masktune": 1}.get(typed, 2)
    names = in_order(list(METHODS))
    return first, names.index(typed) if typed in names else len(names)


def _described(method: Method) -> str:
    """Its settings; of an object without fields its class, for its text would name a place in memory."""
    return repr(method) if is_dataclass(method) else type(method).__qualname__


def _code_of(typed: str) -> str | None:
    return user_code.sha256_of(typed) if is_own(typed) else None

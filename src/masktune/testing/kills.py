"""A fit that is ended in its middle: at which moments, and what the method makes of it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from masktune.methods.base import Task
from masktune.seeds import generator
from masktune.testing.attempts import Attempts, Seen, hash_of, in_words
from masktune.testing.dataset_checks import in_a_line
from masktune.types import Step, silent


class Killed(BaseException):
    """Raised in the middle of a fit, as Ctrl-C is."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step that a fit tells, or a read of images."""

    kind: Literal["step", "read"]
    number: int
    """Counted from 0."""


class Watch:
    """Counts the moments of a fit at which it can be killed; kills it at one of them, if one is given."""

    def __init__(self, at: Moment | None = None) -> None:
        self.at = at
        self.steps: list[str] = []
        self.reads = 0
        self.struck = False

    def over(self, task: Task) -> Task:
        """The same task, watched."""
        train, validation = Seen(task.train, self._read), Seen(task.validation, self._read)
        return replace(task, train=train, validation=validation, progress=self._step)

    def moments(self, *parts: object) -> list[Moment]:
        """The first, the middle and the last step, and one that a seed of these parts draws.

        They are reads of images where no step was told, and none where there were no reads either.
        """
        n = len(self.steps) or self.reads
        if n == 0:
            return []
        drawn = int(torch.randint(n, (), generator=generator("kill", *parts)))
        return [Moment("step" if self.steps else "read", at) for at in sorted({0, n // 2, n - 1, drawn})]

    def named(self, moment: Moment) -> str:
        """A moment in words: "step 3 of 13 ('erm, epoch 1 of 2')"."""
        if moment.kind == "read":
            return f"read {moment.number + 1} of {self.reads} of its images"
        return f"step {moment.number + 1} of {len(self.steps)} ({self.steps[moment.number]!r})"

    def _step(self, step: Step) -> None:
        self._passes("step", len(self.steps))
        self.steps.append(step.what)

    def _read(self) -> None:
        self._passes("read", self.reads)
        self.reads += 1

    def _passes(self, kind: str, number: int) -> None:
        if self.at is not None and self.at.kind == kind and number >= self.at.number:
            self.struck = True
            raise Killed


def killed(attempts: Attempts, wanted: str, task: Task, notes: list[str]) -> Iterator[str]:
    """Kill fits at several moments, each in a new folder, and fit again there.

    Args:
        attempts: the method.
        wanted: hash of the weights that a fit gives which is left alone.
        task: what it is fitted to.
        notes: gets what kills cannot show, a sentence each.

    Yields:
        What is wrong; after the first thing it looks no further.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, watch = Path(name), Watch()
        whole = attempts.fitted(watch.over(replace(task, folder=folder / "whole")))
        if hash_of(whole) != wanted:
            yield f"folder: with a folder to keep its states in: {in_words(whole)}"
            return
        notes += _notes(watch, folder / "whole")
        for moment in watch.moments(task.seed):
            said = _killed_at(moment, attempts, wanted, replace(task, folder=folder / str(moment.number)))
            if said is not None:
                yield f"killed at {watch.named(moment)}: {said}"
                return


def _killed_at(moment: Moment, attempts: Attempts, wanted: str, task: Task) -> str | None:
    watch = Watch(moment)
    try:
        attempts.fit(watch.over(task))
    except Killed:
        again = attempts.fitted(replace(task, progress=silent))
        return None if hash_of(again) == wanted else f"fitted again in the same folder: {in_words(again)}"
    except Exception as error:  # noqa: BLE001 - whatever a stranger's method raises is to be named.
        return f"what ended it came out as {in_a_line(error)}; let a BaseException through"
    # A step that comes by the clock may come once and not the next time.
    return "it went on; let a BaseException through" if watch.struck else None


def _notes(watch: Watch, folder: Path) -> Iterator[str]:
    if not watch.steps and not watch.reads:
        yield "it tells no steps and reads no images, so there was no moment to kill it at"
    elif not watch.steps:
        yield "it tells task.progress no steps, so it was killed at reads of its images instead"
    if not any(path.is_file() for path in folder.rglob("*")):
        yield "it keeps nothing in task.folder, so a run that is killed begins anew"

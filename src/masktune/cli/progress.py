"""What a person sees while they wait: a bar in a terminal, plain lines when the output is piped."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from masktune.types import Progress as OnStep
from masktune.types import Step, silent

EVERY = 15.0
"""Seconds between two plain lines of one piece of work."""


@contextmanager
def shown_progress(quiet: bool, least: float = 0.0) -> Iterator[OnStep]:
    """Yield what to call with each step; shows nothing when quiet. All goes to stderr.

    Pieces of work that take less than `least` seconds get no plain line.
    """
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield bar.show
    else:
        yield _Lines(least).show


class _Bar:
    """One bar for the present piece of work; nothing of it stays in the terminal at the end."""

    def __init__(self) -> None:
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f} of {task.total:.0f} {task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self.what = ""
        self.task = self.bars.add_task("", total=None, note="", unit="", visible=False)

    def __enter__(self) -> "_Bar":
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def show(self, step: Step) -> None:
        if step.ended:
            self.bars.console.print(step.ended, highlight=False, markup=False, soft_wrap=True)
            return
        if step.what != self.what:
            self.what = step.what
            self.bars.reset(self.task, total=step.total, description=step.what, visible=True)
        self.bars.update(self.task, completed=step.done, note=step.note, unit=step.unit)


class _Lines:
    """A line when a piece of work ends, and one now and then while a long one goes on."""

    def __init__(self, least: float = 0.0) -> None:
        self.least = least
        self.what = ""
        self.first = 0
        """What was done when the piece of work was first heard of; a resumed run begins late."""
        self.start = self.said = 0.0

    def show(self, step: Step) -> None:
        if step.ended:
            print(step.ended, file=sys.stderr, flush=True)
            return
        now = time.monotonic()
        if step.what != self.what:
            self.what, self.first, self.start, self.said = step.what, step.done, now, now
        passed = now - self.start
        if step.done >= step.total and passed < self.least:
            self.what = ""
        elif step.done >= step.total:
            self._say(f"{step.what}: {step.total} {step.unit} in {passed:.1f} s", step.note)
            self.what = ""
        elif now - self.said >= EVERY:
            self.said = now
            done = step.done - self.first
            left = f", {passed * (step.total - step.done) / done:.0f} s left" if done else ""
            self._say(f"{step.what}: {step.done} of {step.total} {step.unit}{left}", step.note)

    def _say(self, text: str, note: str) -> None:
        print(f"{text}, {note}" if note else text, file=sys.stderr, flush=True)

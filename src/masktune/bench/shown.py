"""What the table of a recipe shows, and what is said of how far its numbers reach."""

from dataclasses import dataclass
from typing import Literal

from masktune.runs import Row

StatusWord = Literal["run at official scale", "stand-in only", "never run"]


@dataclass(frozen=True, slots=True)
class Column:
    """A number of each method."""

    title: str
    """As the table calls it."""
    split: str
    """Of the images it was counted on."""
    metric: str
    """Its name in the results file."""
    group: str | None = None
    """The group that it is about; None for all images, or the worst group, which bears its own name."""

    @property
    def is_worst(self) -> bool:
        """Whether it is that of the worst group, whichever that is."""
        return self.metric.startswith("worst_group_accuracy")

    @property
    def is_hidden(self) -> bool:
        """Whether it is a share of what masks hide, and no accuracy."""
        return "hidden" in self.metric or "masks" in self.metric

    def holds(self, row: Row) -> bool:
        """Whether a row is this number."""
        same = row.split == self.split and row.metric == self.metric
        return same and (self.is_worst or row.group == self.group)


@dataclass(frozen=True, slots=True)
class Published:
    """A number that somebody published, to stand beside ours."""

    method: str
    column: str
    """Title of its column."""
    value: float
    """A fraction."""
    source: str
    """Who says so."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a recipe has been run on so far, by us."""

    word: StatusWord
    command: str = ""
    """What was typed."""
    hardware: str = ""
    weights: str = ""
    """Tag of the weights that it started from."""
    seen: str = ""
    """The range of the headline's number over seeds, in words."""

    def __str__(self) -> str:
        told = (self.command and f"`{self.command}`", self.hardware, self.weights, self.seen)
        return "; ".join((self.word, *(one for one in told if one)))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a recipe's table shows."""

    columns: tuple[Column, ...]
    headline: str
    """Title of the column by which MaskTune is held against its controls."""
    where: str
    """The headline in a sentence: "on conflicting"."""
    explained: str
    """A sentence below the table."""
    by_group: tuple[Column, ...] = ()
    """Numbers that are shown of each group, in tables of their own."""
    thing: str | None = None
    """What the images are of, where it is known in which pixels it lies."""
    notes: tuple[str, ...] = ()
    """What a person has to know of the data or of this variant, a sentence each without its full stop."""
    published: tuple[Published, ...] = ()
    """Numbers to show beside ours."""
    status: Status | None = None
    """What it has been run on; None of a recipe that is run whole in our tests."""

    @property
    def main(self) -> Column:
        """The headline's column."""
        return next(column for column in self.columns if column.title == self.headline)

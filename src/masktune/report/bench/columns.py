"""A data set's table as text: columns, a row a method, notes below; Markdown, LaTeX and HTML show it."""

from dataclasses import dataclass

from masktune.bench import Standing, Standings

AVERAGES = {
    "accuracy": "raw mean",
    "accuracy_train_weighted": "train-weighted",
    "accuracy_group_mean": "group mean",
}
"""By metric, as the table calls them."""

LABELS = {"none": "none", "validation_groups": "validation", "train_groups": "training"}
"""Which images' group labels were read."""

RULES = {
    "last": "last epoch",
    "validation_accuracy": "accuracy",
    "worst_class": "worst class",
    "worst_group": "worst group",
    "flip_rate": "flip rate",
    "worst_inferred_group": "worst inferred group",
}
"""What epoch or settings were chosen by, on validation."""


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in a cell."""

    main: str
    under: str = ""
    """Smaller, below it."""
    cited: str | None = None
    """Key of a source in `references.bib`."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column beside that of the method."""

    title: str
    over: str = ""
    """What it has in common with its neighbours."""
    number: bool = True

    @property
    def full(self) -> str:
        """Its title where nothing stands over it."""
        return f"{self.over}: {self.title}" if self.over else self.title


@dataclass(frozen=True, slots=True)
class TableRow:
    """A method."""

    line: Standing
    cells: tuple[Text, ...]
    """One a column; none where every seed failed."""
    notes: tuple[int, ...]
    """Numbers of its notes, from 1."""
    failed: str = ""
    """Why there is no number at all."""


@dataclass(frozen=True, slots=True)
class BenchTable:
    """A data set's table, ready to be shown."""

    of: Standings
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    """Sentences; the first is note 1."""

    @property
    def title(self) -> str:
        """Data set with its variant, and the net."""
        variant = f" ({self.of.variant})" if self.of.variant else ""
        return f"{self.of.dataset}{variant}, {self.of.net}"

    @property
    def changed(self) -> str:
        """Settings that are not the recipe's own, of all rows; empty where there are none."""
        configs = {line.config for line in self.of.lines if line.averages} - {None, "imported"}
        return ", ".join(sorted(map(str, configs)))

    @property
    def overs(self) -> list[tuple[str, int]]:
        """What stands over the columns, and over how many."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and column.over and found[-1][0] == column.over:
                found[-1] = (column.over, found[-1][1] + 1)
            else:
                found.append((column.over, 1))
        return found

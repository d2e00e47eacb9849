"""Rows of a run as tables of records: means over seeds, and differences on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from masktune.bench.recipe import METHODS
from masktune.bench.shown import Column, Published, Shown
from masktune.evaluation import Comparison, compare, compare_worst_groups, holm
from masktune.runs import Row, load_predictions


@dataclass(frozen=True, slots=True)
class Cell:
    """One number over seeds."""

    mean: float
    std: float | None
    """Sample standard deviation; None for one seed."""
    values: tuple[float, ...]
    """One a seed, in the order of the seeds."""


@dataclass(frozen=True, slots=True)
class Line:
    """One method of the table."""

    method: str
    cells: dict[str, Cell]
    """By column."""
    epochs: int
    seconds: float
    """Mean over seeds."""
    supervision: str
    selection: str
    published: dict[str, Published]
    """Somebody's number for the same column, where there is one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """MaskTune minus another method on the same images of one split, with one seed: of the accuracy, or of
    the worst group's.
    """

    method: str
    seed: int
    comparison: Comparison
    p_holm: float
    """Its p-value, corrected for all differences of the run."""


@dataclass(frozen=True, slots=True)
class GroupTable:
    """One number of each group and method."""

    title: str
    methods: tuple[str, ...]
    cells: dict[str, dict[str, Cell]]
    """By group, then method."""
    counts: dict[str, int]
    """Images that each group's number was counted on; the fewest over methods and seeds."""


def group_tables(rows: Sequence[Row], shown: Shown) -> list[GroupTable]:
    """The tables of `shown.by_group` for which there are numbers."""
    tables = []
    for column in shown.by_group:
        own = [row for row in rows if (row.split, row.metric) == (column.split, column.metric)]
        groups = list(dict.fromkeys(row.group for row in own if row.group is not None))
        methods = tuple(name for name in METHODS if any(row.method == name for row in own))
        if not groups:
            continue
        cells = {group: _cells_of_group(own, methods, group) for group in groups}
        counts = {group: min(row.n for row in own if row.group == group) for group in groups}
        tables.append(GroupTable(column.title, methods, cells, counts))
    return tables


def worst_groups(rows: Sequence[Row], shown: Shown) -> list[Row]:
    """The worst group of each method and seed, where the headline is about it; methods in their order."""
    if not shown.main.is_worst:
        return []
    found = [row for row in rows if shown.main.holds(row)]
    return sorted(found, key=lambda row: (list(METHODS).index(row.method), row.seed))


def table(rows: Sequence[Row], shown: Shown) -> list[Line]:
    """One line a method, mean and standard deviation over seeds."""
    lines = []
    for method in METHODS:
        own = [row for row in rows if row.method == method]
        if not own:
            continue
        cells = {column.title: _cell(own, column) for column in shown.columns}
        seconds = {row.seed: row.seconds or 0.0 for row in own}
        lines.append(
            Line(
                method=method,
                cells={title: cell for title, cell in cells.items() if cell is not None},
                epochs=own[0].epochs or 0,
                seconds=float(np.mean(list(seconds.values()))),
                supervision=own[0].supervision,
                selection=own[0].selection or "",
                published={entry.column: entry for entry in shown.published if entry.method == method},
            )
        )
    return lines


def differences(out: Path, rows: Sequence[Row], shown: Shown) -> list[Difference]:
    """MaskTune minus each other method by the headline, seed by seed, from predictions in the run folder."""
    split, by = shown.main.split, compare_worst_groups if shown.main.is_worst else compare
    found: list[tuple[str, int, Comparison]] = []
    for seed in sorted({row.seed for row in rows}):
        methods = [name for name in METHODS if any(row.seed == seed and row.method == name for row in rows)]
        if "masktune" in methods:
            place = out / "models" / rows[0].dataset / f"seed-{seed}"
            said = {name: load_predictions(place / name / "predictions" / f"{split}.npz") for name in methods}
            ours = said.pop("masktune")
            found += [(name, seed, by(theirs, ours, seed=seed)) for name, theirs in said.items()]
    corrected = holm([comparison.p_value for _, _, comparison in found])
    return [Difference(*entry, float(p)) for entry, p in zip(found, corrected, strict=True)]


def _cells_of_group(rows: Sequence[Row], methods: Sequence[str], group: str) -> dict[str, Cell]:
    cells = {
        method: cell_of([row for row in rows if (row.method, row.group) == (method, group)])
        for method in methods
    }
    return {method: cell for method, cell in cells.items() if cell is not None}


def _cell(rows: Sequence[Row], column: Column) -> Cell | None:
    return cell_of([row for row in rows if column.holds(row)])


def cell_of(rows: Sequence[Row]) -> Cell | None:
    """One number over seeds; None where no seed has it."""
    by_seed = {row.seed: row.value for row in rows}
    values = tuple(float(by_seed[seed]) for seed in sorted(by_seed) if by_seed[seed] is not None)  # type: ignore[arg-type]
    if not values:
        return None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), std, values)

"""Rows of a run as tables of records: means over seeds, and differences on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from masktune.bench.recipe import METHODS, Published
from masktune.evaluation import Comparison, compare, holm
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
    """MaskTune minus another method on the same images of one split, with one seed."""

    method: str
    seed: int
    comparison: Comparison
    p_holm: float
    """McNemar's p, corrected for all differences of the run."""


COLUMNS: dict[str, tuple[str, str]] = {
    "raw": ("raw", "accuracy"),
    "aligned": ("aligned", "accuracy"),
    "conflicting": ("conflicting", "accuracy"),
    "shortcut hidden": ("train", "shortcut_hidden"),
    "image hidden": ("train", "image_hidden"),
}
"""What the table of the digit recipes shows: split and metric by column."""


def table(rows: Sequence[Row], published: Sequence[Published] = ()) -> list[Line]:
    """One line a method, mean and standard deviation over seeds."""
    lines = []
    for method in METHODS:
        own = [row for row in rows if row.method == method]
        if not own:
            continue
        cells = {column: _cell(own, *place) for column, place in COLUMNS.items()}
        seconds = {row.seed: row.seconds or 0.0 for row in own}
        lines.append(
            Line(
                method=method,
                cells={column: cell for column, cell in cells.items() if cell is not None},
                epochs=own[0].epochs or 0,
                seconds=float(np.mean(list(seconds.values()))),
                supervision=own[0].supervision,
                selection=own[0].selection or "",
                published={entry.split: entry for entry in published if entry.method == method},
            )
        )
    return lines


def differences(out: Path, rows: Sequence[Row], split: str) -> list[Difference]:
    """MaskTune minus each other method on `split`, seed by seed, from the predictions in the run folder."""
    found: list[tuple[str, int, Comparison]] = []
    for seed in sorted({row.seed for row in rows}):
        methods = [name for name in METHODS if any(row.seed == seed and row.method == name for row in rows)]
        if "masktune" in methods:
            place = out / "models" / rows[0].dataset / f"seed-{seed}"
            said = {name: load_predictions(place / name / "predictions" / f"{split}.npz") for name in methods}
            ours = said.pop("masktune")
            found += [(name, seed, compare(theirs, ours, seed=seed)) for name, theirs in said.items()]
    corrected = holm([comparison.p_value for _, _, comparison in found])
    return [Difference(*entry, float(p)) for entry, p in zip(found, corrected, strict=True)]


def _cell(rows: Sequence[Row], split: str, metric: str) -> Cell | None:
    by_seed = {row.seed: row.value for row in rows if row.split == split and row.metric == metric}
    values = tuple(float(by_seed[seed]) for seed in sorted(by_seed) if by_seed[seed] is not None)  # type: ignore[arg-type]
    if not values:
        return None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), std, values)

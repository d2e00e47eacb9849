"""Results and estimates in the terminal."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from masktune.bench import Cell, Difference, Estimate, Line, Shown
from masktune.export import Exported, ExportEstimate
from masktune.findings import Scanned, ScanSettings
from masktune.intake import Prepared, TrialRun
from masktune.report import in_percent, published_in, sentences_on, summary_of_scan, titles_of, verdict_of


def show_table(out: Path, lines: Sequence[Line], found: Sequence[Difference], of: Shown) -> None:
    """The table of a run, what it says, and where the rest lies; fits into 80 columns."""
    columns = titles_of(lines, of)
    console = Console()
    if len(columns) <= MOST_COLUMNS:
        console.print(_by_method(lines, columns, of))
    else:
        for start in range(0, len(lines), MOST_COLUMNS):
            console.print(_by_number(lines[start : start + MOST_COLUMNS], columns, of))
    for sentence in (*published_in(lines), verdict_of(lines, found, of)):
        console.print(sentence, highlight=False)
    files = [name for name in ("summary.md", "results.json", "masks.png") if (out / name).exists()]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True)


MOST_COLUMNS = 5
"""Numbers, or methods, that fit beside each other into 80 columns."""


def _by_method(lines: Sequence[Line], columns: Sequence[str], of: Shown) -> Table:
    """A row a method."""
    shown = _table()
    shown.add_column("method", no_wrap=True)
    for column in columns:
        width = 11 if "hidden" not in column else None
        shown.add_column(
            column, justify="right", min_width=width, style="bold" if column == of.headline else None
        )
    for line in lines:
        shown.add_row(line.method, *(_short(line.cells.get(column), column) for column in columns))
    return shown


def _by_number(lines: Sequence[Line], columns: Sequence[str], of: Shown) -> Table:
    """A column a method, its name broken at each "_", and a row a number: where there are many of these."""
    shown = _table()
    shown.add_column("", overflow="fold")
    for line in lines:
        shown.add_column(line.method.replace("_", "_\n"), justify="right", min_width=11, no_wrap=True)
    for column in columns:
        cells = (_short(line.cells.get(column), column) for line in lines)
        shown.add_row(column, *cells, style="bold" if column == of.headline else None)
    return shown


def _table() -> Table:
    return Table(title="Accuracy and hidden shares in %", title_justify="left", box=HORIZONTALS, padding=0)


def show_export(out: Path, exported: Exported) -> None:
    """What was made, and where it lies."""
    console = Console()
    for sentence in sentences_on(exported):
        console.print(sentence, highlight=False)
    what = exported.settings.what
    names = (what, "unreadable.txt", "images.csv", "summary.md", "results.json", "masks.png")
    files = [f"{name}/" if (out / name).is_dir() else name for name in names if (out / name).exists()]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True)


def say(kind: str, sentences: Iterable[str], quiet: bool) -> None:
    """Sentences for a person who waits, on stderr."""
    if not quiet:
        for sentence in sentences:
            print(f"{kind}: {sentence}", file=sys.stderr)


_STYLES = {"problem": "bold red", "hint": "yellow", "passed": "green", "not_applicable": "dim"}


def show_scan(out: Path, scanned: Scanned) -> None:
    """The findings as a table, the summary, and where the rest lies."""
    table = Table(box=HORIZONTALS, padding=(0, 1, 0, 0), show_header=False)
    for finding in scanned.findings:
        verdict = finding.verdict.replace("_", " ")
        table.add_row(finding.code, Text(verdict, _STYLES[finding.verdict]), Text(finding.reason))
    console = Console()
    console.print(table)
    for paragraph in summary_of_scan(scanned)[:2]:
        console.print(paragraph, highlight=False, markup=False)
    names = (
        "report.html",
        "report.json",
        "summary.md",
        "review.csv",
        "images.csv",
        "results.json",
        "masks.png",
    )
    files = [name for name in names if (out / name).exists()]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True, markup=False)


PASSES = 7.0
"""Forward passes an image that a scan takes, all findings included.

Measured 6.9 on a busy machine (docs/results/scan.md): an estimate that is a little long disappoints nobody.
"""


def show_scan_estimate(out: Path, settings: ScanSettings, prepared: Prepared, first: TrialRun) -> None:
    """What a scan would do, and how long it would take."""
    count = len(prepared.files)
    seconds = count * (1 / first.reading + PASSES / first.predicting)
    console = Console()
    for line in (
        *(f"{name}: {value}" for name, value in settings.to_record().items()),
        f"images: {count} in {len(prepared.files.classes)} classes",
        f"estimate: {seconds / 60:.1f} minutes, {10 + count / 200:.0f} MB in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


_LONG = ("classes of the net", "sha256 of code")
"""Settings for the record alone."""


def show_export_estimate(out: Path, estimate: ExportEstimate) -> None:
    """What an export would do, and how long it would take."""
    console = Console()
    images = ", ".join(f"{name} {count}" for name, count in list(estimate.images.items())[:20])
    more = f" and {len(estimate.images) - 20} more" if len(estimate.images) > 20 else ""
    for line in (
        *(f"{name}: {value}" for name, value in estimate.settings.items() if name not in _LONG),
        f"device: {estimate.device}, {estimate.threads} threads",
        f"images: {images}{more}",
        f"measured: {estimate.speed:.1f} images/s, reading and encoding included",
        f"estimate: {estimate.seconds / 60:.1f} minutes, {estimate.megabytes:.0f} MB in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _short(cell: Cell | None, column: str) -> str:
    """One digit, and no spread of the hidden shares; summary.md has it."""
    return in_percent(replace(cell, std=None) if cell and "hidden" in column else cell, digits=1)


def show_estimate(out: Path, estimate: Estimate) -> None:
    """What a run would do, and how long it would take."""
    console = Console()
    counts = ", ".join(f"{name} {count}" for name, count in estimate.images.items())
    speeds = (
        f"{estimate.training_speed:.0f} images/s in training, {estimate.prediction_speed:.0f} in prediction"
    )
    for line in (
        *(f"{name}: {value}" for name, value in estimate.settings.items()),
        f"device: {estimate.device}, {estimate.threads} threads",
        f"images: {counts}",
        f"measured: {speeds}",
        f"estimate: {estimate.seconds / 60:.1f} minutes, {estimate.megabytes:.0f} MB in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True)

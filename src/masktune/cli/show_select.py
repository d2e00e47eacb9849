"""A selection in the terminal."""

from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from masktune.abstention import Selected
from masktune.report import SelectTable, notes_of, tables_of, verdict_of_select

SHOWN = {
    "areas": (0, 1, 2, 5),
    "coverage": (0, 1, 2, 4, 6),
    "risks": (0, 1, 2, 3, 4),
    "groups": (0, 1, 2, 4, 5, 8),
}
"""Tables and their columns that fit a terminal; all of them are in the summary."""


def show_select(selected: Selected, out: Path) -> None:
    """What it says, its main tables, and where the rest lies."""
    console = Console()
    for one in tables_of(selected):
        if one.id in SHOWN:
            console.print(_table(one, ("sr", "head", selected.settings.scores[0])))
    for sentence in verdict_of_select(selected):
        console.print(f"- {sentence}", highlight=False, markup=False)
    for note in notes_of(selected):
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(
        f"Written to {out}: summary.md, report.html, results.json, plots, predictors/",
        highlight=False,
        soft_wrap=True,
    )


def _table(one: SelectTable, scores: tuple[str, ...]) -> Table:
    """Rows of these scores; the second column names a row's."""
    table = Table(title=one.title, title_justify="left", box=HORIZONTALS, padding=(0, 1, 0, 0))
    kept = [at for at in SHOWN[one.id] if at < len(one.head)]
    for at in kept:
        table.add_column(one.head[at], justify="left" if at < 2 else "right", overflow="fold")
    for row in one.rows:
        if row[1] in scores:
            table.add_row(*(row[at] for at in kept))
    return table

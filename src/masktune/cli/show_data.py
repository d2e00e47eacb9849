"""What was found of an official data set, in the terminal."""

from collections.abc import Sequence
from itertools import pairwise

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from masktune.data.official.checking import Found, Row
from masktune.data.official.facts import Facts

_BESIDE = 4
"""Splits that fit beside each other into 80 columns; the Backgrounds Challenge has eight, with IN-9L ten."""


def show_found(found: Found, facts: Facts, root: str) -> None:
    """The variant, the counts, and what a user should know; fits into 80 columns."""
    console = Console()
    meaning = f" ({facts.variants[found.variant]})" if found.whole else ""  # Else a note says it.
    state = "whole" if found.whole else "not whole"
    _say(console, f"{found.title} in {root}: variant {found.variant}{meaning}, {state}")
    splits = list(dict.fromkeys(row.split for row in found.rows))
    first = len(splits) % _BESIDE or _BESIDE
    for start, stop in pairwise((0, *range(first, len(splits) + 1, _BESIDE))):
        console.print(_counts(found.rows, splits[start:stop]))
    for note in found.notes:
        _say(console, f"note: {note}")
    if found.whole:
        _say(console, "All counts are those of this variant.")
    _say(console, f"sha256 of ids, labels, splits and groups: {found.sha256}")


def _counts(rows: Sequence[Row], splits: Sequence[str | None]) -> Table:
    """A row a group, or a class where there are no groups, a column a split."""
    names = list(dict.fromkeys(row.group or row.label for row in rows))
    counts = {(row.split, row.group or row.label): row.n for row in rows}
    table = Table(box=HORIZONTALS, padding=0, show_footer=True)
    table.add_column("", footer="all")
    for split in splits:
        total = sum(counts.get((split, name), 0) for name in names)
        table.add_column(split or "images", justify="right", footer=f"{total:,}")
    for name in names:
        table.add_row(name, *(f"{counts.get((split, name), 0):,}" for split in splits))
    return table


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, highlight=False, soft_wrap=True, markup=False)

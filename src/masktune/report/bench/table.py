"""The table of one data set: never two backbones, variants or data sets in one, as no `Standings` has."""

from collections.abc import Sequence

from masktune.bench import Standing, Standings
from masktune.errors import InputError
from masktune.report.bench.cells import columns_of
from masktune.report.bench.columns import BenchTable, TableRow, Text
from masktune.report.page.numbers import DASH


def table_of(one: Standings) -> BenchTable:
    """The table of one data set; columns of which no row has anything are left out.

    Raises:
        InputError: of some rows the worst group is known and of others not, so that they are no one metric.
    """
    _check_one_metric(one)
    made = [(column, cell) for column, cell in columns_of(one) if any(map(cell, one.lines))]
    notes: list[str] = []
    rows = []
    for line in one.lines:
        own = _notes_on(line)
        numbers = tuple(range(len(notes) + 1, len(notes) + 1 + len(own)))
        notes += own
        if line.averages:
            cells = tuple(cell(line) or Text(DASH) for _, cell in made)
            rows.append(TableRow(line, cells, numbers))
        else:
            rows.append(TableRow(line, (), numbers, f"no number: {_why(line)}"))
    return BenchTable(one, tuple(column for column, _ in made), tuple(rows), tuple(notes))


def _check_one_metric(one: Standings) -> None:
    having = [line.method for line in one.lines if line.averages and line.worst is not None]
    lacking = [line.method for line in one.lines if line.averages and line.worst is None]
    if having and lacking:
        raise InputError(
            f"expected rows of one metric in the table of {one.dataset}; the worst group is known of "
            f"{', '.join(having)}, and not of {', '.join(lacking)}"
        )


def _notes_on(line: Standing) -> list[str]:
    notes = []
    if line.failed and line.averages:
        notes.append(f"{line.method} has numbers of {_seeds(line.seeds)} only: {_why(line)}.")
    if line.config == "imported":
        notes.append(
            f"{line.method} was run elsewhere and comes as predictions: labels and rule are as declared, and "
            "which net it is, is not known here."
        )
    return notes


def _why(line: Standing) -> str:
    """Why seeds failed; those with the same reason together."""
    by_reason: dict[str, list[int]] = {}
    for seed, why in line.failed:
        by_reason.setdefault(why.rstrip("."), []).append(seed)
    told = [f"{_seeds(seeds)} failed, {why}" for why, seeds in by_reason.items()]
    return "; ".join(told) or "it was not run"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"

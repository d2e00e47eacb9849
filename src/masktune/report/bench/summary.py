"""`summary.md` of a bench: command, how to read it, a table a data set, what failed, what columns mean."""

from collections.abc import Mapping, Sequence

from masktune.bench import Search, Try
from masktune.report.bench.columns import BenchTable, TableRow, Text
from masktune.report.bench.words import about, guide, legend
from masktune.report.markdown import escaped, listed, table


def summary_of_bench(
    tables: Sequence[BenchTable],
    failed: Mapping[str, str],
    command: str,
    plots: Mapping[str, str],
    searches: Mapping[tuple[str, int, str], Search] | None = None,
) -> str:
    """The Markdown.

    Args:
        tables: one a data set.
        failed: names of jobs that failed, and why.
        command: what was typed.
        plots: names of the scatters' files by data set; of some there is none.
        searches: what was tried of methods, by data set, seed and method.
    """
    names = ", ".join(table.of.dataset for table in tables)
    parts = [
        f"# Bench: {escaped(names)}",
        f"`{command}`",
        "\n".join(f"{at}. {escaped(line)}" for at, line in enumerate(guide(tables), 1)),
        *(part for one in tables for part in _of(one, plots.get(one.of.dataset))),
    ]
    if failed:
        parts += ["## Jobs that failed", listed(f"{name}: {why}" for name, why in failed.items())]
    parts += _searched(searches or {})
    parts += ["## What the columns mean", listed(f"{title}: {meaning}" for title, meaning in legend(tables))]
    return "\n\n".join(parts) + "\n"


def _searched(searches: Mapping[tuple[str, int, str], Search]) -> list[str]:
    """All that was tried, not only what was chosen."""
    if not searches:
        return []
    rule = next(iter(searches.values())).rule
    head = ["data", "seed", "method", "tried", f"{rule} on validation, %", ""]
    cells = [
        [dataset, str(seed), method, one.settings, _scored(one), "chosen" if one.chosen else ""]
        for (dataset, seed, method), search in searches.items()
        for one in search.tries
    ]
    told = (
        f"Settings were tried at random, and {rule} on validation images chose one for each seed; only that "
        "one was asked about the test images. Samples and seconds of its row are those of all tries."
    )
    return ["## Search", told, table(head, cells)]


def _scored(one: Try) -> str:
    return f"failed: {one.failed}" if one.score is None else f"{100 * one.score:.1f}"


def _of(one: BenchTable, plot: str | None) -> list[str]:
    head = ["Method", *(column.full for column in one.columns)]
    parts = [
        f"## {escaped(one.title)}",
        escaped(" ".join(about(one))),
        table(head, (_cells(row, len(one.columns)) for row in one.rows)),
    ]
    if one.notes:
        parts.append("\n".join(f"{at}. {escaped(note)}" for at, note in enumerate(one.notes, 1)))
    if plot is not None:
        parts.append(f"![Worst group against average accuracy, each seed]({plot})")
    return parts


def _cells(row: TableRow, columns: int) -> list[str]:
    marks = ", ".join(map(str, row.notes))
    method = f"{row.line.method} (note {marks})" if marks else row.line.method
    if row.failed:
        return [method, row.failed, *[""] * (columns - 1)]
    return [method, *map(_text, row.cells)]


def _text(cell: Text) -> str:
    return f"{cell.main} ({cell.under})" if cell.under else cell.main

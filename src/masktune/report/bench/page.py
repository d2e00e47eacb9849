"""`table.html`: the tables of a bench on one page that asks nobody for anything."""

from collections.abc import Mapping, Sequence

from masktune.report.bench.columns import BenchTable
from masktune.report.bench.scatter import scatter_plot
from masktune.report.bench.words import about, guide, legend
from masktune.report.page import Kind, Page, Section, render_page


def render_bench(
    tables: Sequence[BenchTable],
    failed: Mapping[str, str],
    *,
    command: str,
    made: str = "",
    versions: Mapping[str, str] = {},
) -> str:
    """The HTML, complete in itself.

    Args:
        tables: one a data set.
        failed: names of jobs that failed, and why.
        command: what was typed.
        made: the day.
        versions: of libraries.
    """
    sections = [
        Section("reading", "How to read it", "bench_guide.html.j2", {"lines": guide(tables)}),
        *(_section(at, one) for at, one in enumerate(tables, 1)),
    ]
    if failed:
        sections.append(
            Section("failed", "Jobs that failed", "bench_words.html.j2", {"words": [*failed.items()]})
        )
    sections.append(
        Section("columns", "What the columns mean", "bench_words.html.j2", {"words": legend(tables)})
    )
    page = Page(
        title=f"Bench: {', '.join(table.of.dataset for table in tables)}",
        command="bench",
        kind=Kind(images=False, names=True),  # Folders of data stand in the command.
        summary=(),
        sections=sections,
        facts=_facts(tables, command, versions),
        made=made,
    )
    return render_page(page)


def _section(at: int, one: BenchTable) -> Section:
    plot = scatter_plot(one, str(at))
    context = {"table": one, "about": about(one), "plots": [] if plot is None else [plot]}
    return Section(f"table-{at}", one.title, "bench_table.html.j2", context)


def _facts(tables: Sequence[BenchTable], command: str, versions: Mapping[str, str]) -> list[tuple[str, str]]:
    data = [(f"sha256 of {one.of.dataset}", one.of.sha256) for one in tables]
    return [
        ("command", command),
        *data,
        *((f"version of {name}", version) for name, version in versions.items()),
    ]

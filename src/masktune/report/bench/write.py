"""What a bench leaves to be read: its table as Markdown, LaTeX, CSV and HTML, references, and scatters."""

import re
import shlex
from collections.abc import Sequence
from importlib.resources import files

from masktune.bench import Benched, Standings, standings
from masktune.files import complete_file, write_text
from masktune.report.bench.csv_file import csv_of
from masktune.report.bench.latex import latex_of
from masktune.report.bench.page import render_bench
from masktune.report.bench.scatter import write_scatter
from masktune.report.bench.summary import summary_of_bench
from masktune.report.bench.table import table_of
from masktune.runs import read_record

REFERENCES = "references.bib"
"""Beside the table, and in the package."""


def write_bench(benched: Benched) -> list[Standings]:
    """Write all files into the folder of the bench, which has its `run.json`; gives its tables as records.

    `summary.md`, `table.tex`, `references.bib`, `table.csv`, `table.html`, and for each data set whose groups
    are known `scatter-<dataset>.svg` and `.pdf`.

    Raises:
        InputError: rows of a table are no one variant of the data, or no one metric.
        StorageError: a file cannot be written.
    """
    out, found = benched.out, standings(benched)
    record = read_record(out / "run.json")
    command = f"masktune {shlex.join(record.argv)}"
    tables = [table_of(one) for one in found]
    stems = plot_names([one.dataset for one in found])
    drawn = {
        one.dataset: f"{stem}.svg"
        for one, stem in zip(found, stems, strict=True)
        if write_scatter(one, out / stem)
    }
    with complete_file(out / "table.csv") as part:
        part.write_bytes(csv_of(found).encode("utf-8-sig"))
    write_text(out / REFERENCES, references())
    write_text(out / "table.tex", latex_of(tables))
    made = {"command": command, "made": record.started[:10], "versions": record.versions}
    write_text(out / "table.html", render_bench(tables, benched.failed, **made))  # type: ignore[arg-type]
    write_text(out / "summary.md", summary_of_bench(tables, benched.failed, command, drawn, benched.searches))
    return found


def references() -> str:
    """The bibliography that travels with the package, as BibTeX."""
    return (files("masktune.report") / REFERENCES).read_text(encoding="utf-8")


def plot_names(datasets: Sequence[str]) -> list[str]:
    """Names of files without their endings, one a data set, no two alike."""
    names: list[str] = []
    for dataset in datasets:
        name = "scatter-" + re.sub(r"[^\w.-]+", "-", dataset)
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return names

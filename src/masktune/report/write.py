"""What a run folder gets beside its numbers: the summary and the picture."""

from collections.abc import Sequence
from pathlib import Path

from masktune.bench import Difference, Examples, Line
from masktune.files import write_text
from masktune.report.sheet import draw_examples
from masktune.report.summary import summary_of
from masktune.runs import Results, read_record


def write_report(
    out: Path, results: Results, lines: Sequence[Line], found: Sequence[Difference], headline: str
) -> None:
    """Write `summary.md`, and `masks.png` where a method of the run has masks."""
    record = read_record(out / "run.json")
    seeds = sorted({row.seed for row in results.rows})
    command = f"masktune {' '.join(record.argv)}"
    title = ", ".join(f"{data.name} ({data.variant})" if data.variant else data.name for data in results.data)
    write_text(out / "summary.md", summary_of(title, command, lines, found, headline, seeds))
    for stored in sorted((out / "models").glob(f"*/seed-{seeds[0]}/masktune/{Examples.file_name}")):
        draw_examples(Examples.load(stored), out / "masks.png")

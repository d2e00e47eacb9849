"""What a run folder gets beside its numbers: the summary and the picture."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from masktune.bench import METHODS, Difference, Line
from masktune.files import write_text
from masktune.report.sheet import draw_examples
from masktune.report.summary import summary_of
from masktune.runs import Examples, Results, read_record


def write_report(
    out: Path, results: Results, lines: Sequence[Line], found: Sequence[Difference], headline: str
) -> None:
    """Write `summary.md`, and `masks.png` where a method of the run has masks."""
    seeds = sorted({row.seed for row in results.rows})
    command = f"masktune {shlex.join(read_record(out / 'run.json').argv)}"
    title = ", ".join(f"{data.name} ({data.variant})" if data.variant else data.name for data in results.data)
    write_text(out / "summary.md", summary_of(title, command, lines, found, headline, seeds))
    models = out / "models" / results.rows[0].dataset / f"seed-{seeds[0]}"
    for method in reversed(list(METHODS)):  # MaskTune if it was run, else a control with masks.
        if (stored := models / method / Examples.file_name).exists():
            draw_examples(Examples.load(stored), out / "masks.png")
            return

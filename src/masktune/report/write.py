"""What a run folder gets beside its numbers: the summary and the picture."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from masktune.bench import METHODS, Difference, Line, Shown
from masktune.files import write_text
from masktune.report.sheet import draw_examples
from masktune.report.summary import About, summary_of
from masktune.runs import Examples, Results, read_record


def write_report(
    out: Path,
    results: Results,
    lines: Sequence[Line],
    found: Sequence[Difference],
    shown: Shown,
    images: Mapping[str, int],
) -> None:
    """Write `summary.md`, and `masks.png` where a method of the run has masks; `images` is by split."""
    first = min(row.seed for row in results.rows)
    models = out / "models" / results.rows[0].dataset / f"seed-{first}"
    # MaskTune's if it was run, else those of a control with masks.
    stored = [
        path for name in reversed(list(METHODS)) if (path := models / name / Examples.file_name).exists()
    ]
    about = About(
        title=", ".join(f"{one.name} ({one.variant})" if one.variant else one.name for one in results.data),
        command=f"masktune {shlex.join(read_record(out / 'run.json').argv)}",
        sha256=results.data[0].sha256,
        images=images,
        pictures=bool(stored),
    )
    if stored:
        draw_examples(Examples.load(stored[0]), out / "masks.png")
    write_text(out / "summary.md", summary_of(about, results.rows, lines, found, shown))

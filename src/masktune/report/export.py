"""What an export says of itself: a few sentences, `summary.md`, and the picture."""

import shlex
from pathlib import Path

from masktune.export import Exported
from masktune.files import write_text
from masktune.report.sheet import draw_examples
from masktune.runs import Row, read_record


def sentences_on(exported: Exported) -> list[str]:
    """How much is hidden, where nothing is and why, and how good the classifier is where that can be told."""
    count = exported.statistics
    layer, share = exported.settings.layer, 100 * count.hidden_share
    said = [f"{count.n} images: {share:.1f} % of what the net sees is hidden on average (layer {layer})."]
    if exported.skipped:
        said.append(f"{len(exported.skipped)} images could not be read and are left out; see unreadable.txt.")
    if count.empty:
        said.append(
            f"In {count.empty} nothing is hidden: {count.no_evidence} maps have no positive value, in "
            f"{count.above_maximum} the threshold lies above the maximum; images.csv says which."
        )
    rates = [_rate(row) for row in exported.results.rows if row.metric == "accuracy"]
    if rates:
        said.append(f"Accuracy of the classifier on the images as they are: {', '.join(rates)}.")
    return said


def write_export_report(out: Path, exported: Exported) -> None:
    """Write `summary.md` and `masks.png`."""
    record = read_record(out / "run.json")
    title = ", ".join(data.name for data in exported.results.data)
    rows = [
        f"| {row.split} | {row.metric} | {row.group or ''} | {_number(row)} | {row.n} |"
        for row in exported.results.rows
    ]
    parts = [
        f"# {title}: {exported.settings.what}",
        f"`masktune {shlex.join(record.argv)}`",
        *sentences_on(exported),
        "\n".join(
            ["| split | metric | group | value, 95 % interval | images |", "|---|---|---|---|---|", *rows]
        ),
    ]
    write_text(out / "summary.md", "\n\n".join(parts) + "\n")
    draw_examples(exported.examples, out / "masks.png")


def _rate(row: Row) -> str:
    return f"{_number(row)} on {row.split} ({row.n} images)"


def _number(row: Row) -> str:
    if row.value is None:
        return "–"
    interval = (
        "" if row.low is None or row.high is None else f" ({100 * row.low:.1f} to {100 * row.high:.1f})"
    )
    return f"{100 * row.value:.1f} %{interval}"

"""What a scan leaves: `report.html`, `report.json`, `summary.md`, `review.csv`, `images.csv`, `masks.png`."""

import csv
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from masktune.files import storage_errors, write_text
from masktune.findings.review_file import write_review
from masktune.findings.shown import Scanned, Shown
from masktune.findings.store import load_scanned, save_scanned
from masktune.masking import Threshold, hidden_from_low
from masktune.report.page import render_scan
from masktune.report.page.veil import Veil
from masktune.report.report_json import report_json
from masktune.report.scan_summary import summary_of_scan
from masktune.report.sheet import draw_examples
from masktune.report.told import Told, told_of
from masktune.runs import Examples, read_record
from masktune.runs.jsons import write_json
from masktune.runs.versions import versions

_IN_SHEET = 12


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A report that was drawn again."""

    page: Path
    """Where the page is."""
    kept: tuple[str, ...]
    """What was asked for and is not told, since the run keeps it to itself: "pictures", "names"."""


def write_scan(out: Path, scanned: Scanned, told: Told = Told()) -> None:  # noqa: B008 - it is frozen.
    """Write all files into a folder."""
    if scanned.review is not None:
        write_review(out / "review.csv", scanned.review, scanned.sha256)
    write_text(out / "images.csv", _table(scanned))
    save_scanned(scanned, out)
    write_told(out, scanned, told)


def redraw_scan(run: Path, told: Told) -> Redrawn:
    """Write the report of a finished scan again, from what it left; it never tells more than it did.

    Raises:
        DataNotFound, DataDamaged: no finished scan there.
    """
    scanned, record = load_scanned(run), read_record(run / "run.json")
    kind = told_of(run, record.to_json())
    command = f"masktune {shlex.join(record.argv)}"
    write_told(run, scanned, replace(told.within(kind), command=command, made=record.started[:10]))
    return Redrawn(run / "report.html", told.beyond(kind))


def write_told(out: Path, scanned: Scanned, told: Told) -> None:
    """Write the files that tell what was found: `report.html`, `report.json`, `summary.md`, `masks.png`.

    Tables and record of a scan keep all names, for those who have the images; they are not written.
    """
    shown = Veil.of(scanned).scanned(scanned) if told.pseudonymous else scanned
    _write_sheet(out / "masks.png", shown, told)
    command = "" if told.pseudonymous else told.command
    summary = summary_of_scan(shown)
    how: dict[str, Any] = {
        "command": command,
        "made": told.made,
        "versions": versions(),
        "pseudonymous": told.pseudonymous,
    }
    write_json(out / "report.json", report_json(scanned, summary, **how))
    write_text(out / "report.html", render_scan(scanned, images=told.images, summary=summary, **how))
    head = [f"# {shown.name}: scan", *([f"`{command}`"] if command else [])]
    write_text(out / "summary.md", "\n\n".join([*head, *summary]) + "\n")


def _write_sheet(path: Path, shown: Scanned, told: Told) -> None:
    """Draw the sheet; where it cannot be drawn, one that is there stays only if it tells nothing too much."""
    if told.images and shown.shown and shown.threshold is not None:
        draw_examples(_examples(shown.shown, shown.threshold), path)
    elif not told.images or told.pseudonymous:
        with storage_errors(path, "remove"):
            path.unlink(missing_ok=True)


def _table(scanned: Scanned) -> str:
    """One row an image: what was said of it, and where the salient area is hidden."""
    observed = scanned.observed
    predictions, text = observed.predictions, io.StringIO()
    classes = observed.net_classes
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "split", "label", "predicted", "confidence", "after_hiding", "image_hidden"])
    splits = [""] * len(observed) if predictions.splits is None else predictions.splits.tolist()
    after = observed.hidden_logits["salient"].argmax(1)
    confidence = predictions.probabilities.max(1)
    for at, sample in enumerate(observed.ids.tolist()):
        label, said = observed.data_classes[observed.labels[at]], classes[predictions.predicted[at]]
        numbers = f"{confidence[at]:.6f}", classes[after[at]], f"{observed.hidden[at]:.6f}"
        writer.writerow([sample, splits[at], label, said, *numbers])
    return text.getvalue()


def _examples(shown: Sequence[Shown], threshold: Threshold) -> Examples:
    """A few images that findings name, or the first ones, to look at."""
    order = sorted(range(len(shown)), key=lambda at: not shown[at].findings)[:_IN_SHEET]
    some = [shown[at] for at in order]
    pictures = [np.array(Image.open(io.BytesIO(one.jpeg)).convert("RGB")) for one in some]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    low = torch.from_numpy(np.stack([one.low for one in some]).astype(np.float32))
    hidden = hidden_from_low(low, (images.shape[2], images.shape[3]), threshold)
    return Examples.of(
        images=images,
        masked=torch.where(hidden[:, None], 0, images),
        low=low,
        hidden=hidden,
        titles=np.array([f"{one.label}: {one.id.rpartition('/')[2][-24:]}" for one in some]),
        captions=np.array([f"says {one.predicted}, then {one.after}" for one in some]),
    )

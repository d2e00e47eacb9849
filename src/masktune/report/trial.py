"""What a trial leaves to be read: the report, the model card, tables and pictures."""

import csv
import io
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from masktune.errors import InputError
from masktune.files import storage_errors, write_text
from masktune.masking import Threshold, hidden_from_low
from masktune.report.model_card import model_card
from masktune.report.page import render_trial
from masktune.report.page.plots import short
from masktune.report.page.trial_veil import veiled
from masktune.report.scan import Redrawn
from masktune.report.sheet import Side, draw_examples
from masktune.report.statement import statement
from masktune.report.told import Told, told_of
from masktune.report.trial_json import trial_json
from masktune.report.trial_summary import summary_file, summary_of_trial
from masktune.runs import Examples, RunRecord, read_record
from masktune.runs.jsons import write_json
from masktune.runs.versions import versions
from masktune.saliency import enlarge
from masktune.trial.store import Unsaved, load_trialled, save_trialled
from masktune.trial.trialled import BeforeAfter, Trialled

_IN_SHEET = 12


def write_trial(out: Path, trialled: Trialled, told: Told = Told()) -> None:  # noqa: B008 - it is frozen.
    """Write all files into a folder: those that tell, `images.csv`, and what they are drawn again from."""
    write_text(out / "images.csv", _table(trialled))
    save_trialled(trialled, out)
    write_trial_told(out, trialled, told)


def redraw_trial(run: Path, told: Told) -> Redrawn:
    """Write the report of a finished trial again, from what it left; it never tells more than it did.

    Raises:
        DataNotFound, DataDamaged: no finished trial there.
    """
    trialled, record = load_trialled(run), _record(run)
    kind = told_of(run, {} if record is None else record.to_json())
    within = told.within(kind)
    if record is not None:
        within = replace(within, command=f"masktune {shlex.join(record.argv)}", made=record.started[:10])
    write_trial_told(run, trialled, within)
    return Redrawn(run / "report.html", told.beyond(kind))


def statement_of(run: Path) -> str:
    """The reproducibility paragraph of a finished trial; without names where its report has none.

    Raises:
        DataNotFound, DataDamaged: no finished trial there.
        InputError: it was saved from Python, so that nobody wrote down the machine.
    """
    trialled, record = load_trialled(run), _record(run)
    if record is None:
        raise InputError(f"expected a run of `masktune tune` for the statement, but {run} has no run.json")
    names = told_of(run, record.to_json()).names
    return statement(trialled if names else veiled(trialled), record)


def write_trial_told(out: Path, trialled: Trialled, told: Told) -> None:
    """Write what tells of it: `report.html`, `report.json`, `summary.md`, `MODEL_CARD.md`, `masks.png`.

    Tables and record of a trial keep all names, for those who have the images; they are not written.
    """
    shown = veiled(trialled) if told.pseudonymous else trialled
    _write_sheet(out / "masks.png", shown, told)
    command = "" if told.pseudonymous else told.command
    how: dict[str, Any] = {
        "command": command,
        "made": told.made,
        "versions": versions(),
        "pseudonymous": told.pseudonymous,
    }
    write_json(out / "report.json", trial_json(trialled, summary_of_trial(shown), **how))
    write_text(out / "report.html", render_trial(trialled, images=told.images, **how))
    write_text(out / "summary.md", summary_file(shown, command))
    card = model_card(shown, weights=_weights_in(out), command=command, made=told.made)
    write_text(out / "MODEL_CARD.md", card)


def _record(run: Path) -> RunRecord | None:
    """What was asked; None of a trial that was saved from Python."""
    path = run / "run.json"
    return read_record(path) if path.exists() else None


def _weights_in(out: Path) -> str | None:
    """The name of the file with the tuned weights, which the run writes before its report."""
    return next((path.name for path in sorted(out.glob("tuned.*"))), None)


def _write_sheet(path: Path, shown: Trialled, told: Told) -> None:
    """Draw the sheet; where it cannot be drawn, one that is there stays only if it tells nothing too much."""
    if told.images and shown.shown and not isinstance(shown.threshold, Unsaved):
        examples, sides = _examples(shown.shown[:_IN_SHEET], shown.threshold)
        draw_examples(examples, path, sides=sides)
    elif not told.images or told.pseudonymous:
        with storage_errors(path, "remove"):
            path.unlink(missing_ok=True)


def _table(trialled: Trialled) -> str:
    """One row an image: each arm's answer, and how sure it is of it, 0 to 1."""
    text, arms = io.StringIO(), list(trialled.predictions)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "split", "label", *(name for arm in arms for name in (arm, f"{arm}_confidence"))])
    names = np.array(trialled.classes)
    for split, first in trialled.predictions[arms[0]].items():
        said = [trialled.predictions[arm][split] for arm in arms]
        answers = [names[one.predicted].tolist() for one in said]
        sure = [one.probabilities.max(1).tolist() for one in said]
        for at, (sample, label) in enumerate(
            zip(first.ids.tolist(), names[first.labels].tolist(), strict=True)
        ):
            cells = (
                cell
                for answer, confidence in zip(answers, sure, strict=True)
                for cell in (answer[at], f"{confidence[at]:.6f}")
            )
            writer.writerow([sample, split, label, *cells])
    return text.getvalue()


def _examples(shown: Sequence[BeforeAfter], threshold: Threshold) -> tuple[Examples, tuple[Side, Side]]:
    """Pictures with what the old model looks at hidden, and both models' maps with what they say."""
    pictures = [np.array(Image.open(io.BytesIO(one.jpeg)).convert("RGB")) for one in shown]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    size = images.shape[2], images.shape[3]
    before, after = (
        torch.from_numpy(np.stack(maps).astype(np.float32))
        for maps in ([one.low_before for one in shown], [one.low_after for one in shown])
    )
    hidden = hidden_from_low(before, size, threshold)
    examples = Examples.of(
        images=images,
        masked=torch.where(hidden[:, None], 0, images),
        low=before,
        hidden=hidden,
        titles=np.array([f"{one.label}: {one.id.rpartition('/')[2][-24:]}" for one in shown]),
        captions=np.full(len(shown), ""),
    )
    old = Side(examples.maps, np.array([f"old: {short(one.before)}" for one in shown]))
    tuned = Side(enlarge(after, size).numpy(), np.array([f"tuned: {short(one.after)}" for one in shown]))
    return examples, (old, tuned)

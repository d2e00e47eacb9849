"""The two tables of an export: what was found for each image, and a manifest of what was written."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from masktune.data.samples import Samples
from masktune.evaluation.predictions import softmax
from masktune.export.chunks import Chunk
from masktune.files import write_text

_ROLES = ("path", "label", "split", "group", "subject")


def write_table(path: Path, samples: Samples, classes: tuple[str, ...], found: Chunk) -> None:
    """Write one row an image: what is true, what the classifier says, and how much is hidden.

    `hidden` is a share of what the net sees; `why_empty` says why nothing is hidden, where nothing is.
    """
    names = np.array(classes)
    said = found.logits.argmax(1)
    nothing = found.hidden == 0
    why = np.where(nothing, np.where(found.empty, "no evidence", "threshold above the maximum"), "")
    columns: dict[str, Iterable[object]] = {
        "id": found.ids.tolist(),
        "split": _or_empty(samples.splits, len(samples)),
        "label": np.array(samples.classes)[samples.labels].tolist(),
        "predicted": names[said].tolist(),
        "probability": [f"{value:.4f}" for value in softmax(found.logits).max(1)],
        "explained": names[found.classes].tolist(),
        "hidden": [f"{value:.4f}" for value in found.hidden],
        "why_empty": why.tolist(),
    }
    _write(path, columns)


def write_manifest(path: Path, samples: Samples, names: Mapping[str, str]) -> None:
    """Write what makes the folder a data set again: paths as they were written, everything else as it was."""
    columns: dict[str, Iterable[object]] = {
        "path": [names[sample] for sample in samples.ids.tolist()],
        "label": np.array(samples.classes)[samples.labels].tolist(),
    }
    for name, column in (("split", samples.splits), ("group", samples.groups), ("subject", samples.subjects)):
        if column is not None:
            columns[name] = column.tolist()
    for name, column in samples.columns.items():
        # One of that name which was not read as such, as `label` beside --label-column.
        columns[f"{name} (metadata)" if name in _ROLES else name] = column.tolist()
    _write(path, columns)


def _write(path: Path, columns: Mapping[str, Iterable[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def _or_empty(column: Shaped[np.ndarray, " n"] | None, n: int) -> Sequence[object]:
    return [""] * n if column is None else column.tolist()

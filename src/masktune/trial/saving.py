"""What a trial leaves of each arm and image, as files in a folder of a person's own choice."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from masktune.files import storage_errors, write_text
from masktune.models.weights import save_weights, weights_of
from masktune.runs import save_predictions
from masktune.trial.settings import ARMS
from masktune.trial.trial import Outcome

SPLITS = "splits.csv"
"""What each image is for; a run writes it first, so that nobody need guess what `select` may still read."""


def save_arms(out: Path, outcome: Outcome) -> None:
    """Each arm's weights and predictions under `models/`, as in a run folder.

    What an earlier trial of the same name and seed has left there, and this one has not, is taken away.
    """
    trialled = outcome.trialled
    models = out / "models" / trialled.name / f"seed-{trialled.settings['seed']}"
    for arm in ARMS:
        weights = models / arm / "weights.safetensors"
        if arm in outcome.classifiers:
            save_weights(weights_of(outcome.classifiers[arm].net), weights)
        else:
            _remove(weights)
        for split in ("validation", "test", "calibration"):
            predictions = models / arm / "predictions" / f"{split}.npz"
            if split in outcome.predictions.get(arm, ()):
                save_predictions(predictions, outcome.predictions[arm][split])
            else:
                _remove(predictions)


def save_splits(out: Path, roles: Iterable[tuple[str, str]]) -> None:
    """What each image is for, by id."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("id", "role"), *roles])
    write_text(out / SPLITS, text.getvalue())


def _remove(path: Path) -> None:
    with storage_errors(path, "remove"):
        path.unlink(missing_ok=True)

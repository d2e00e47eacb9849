"""`masktune tune` in a run folder: `run.json` first, `results.json` last; it goes on where it stopped."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from masktune.errors import InputError, TrainingDiverged
from masktune.files import remove_folder, sha256_of, storage_errors, write_text
from masktune.findings.run import groups_of
from masktune.intake import Prepared
from masktune.models import LoadedModel, weights_sha256
from masktune.models.classifier import Classifier
from masktune.models.specs import describe
from masktune.models.weights import save_weights, weights_of
from masktune.runs import DataRecord, Row, RunFolder, save_predictions
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.run_folder import open_for_all
from masktune.trial.given import Given, given_of
from masktune.trial.hold_out import held_out
from masktune.trial.reviewed import REVIEW
from masktune.trial.seen import WORDS, Listed
from masktune.trial.settings import TrialSettings
from masktune.trial.store import has_trialled, load_trialled
from masktune.trial.trial import Outcome, check_start, run_trial
from masktune.trial.trialled import Trialled
from masktune.types import Progress, silent

COMMAND = "tune"

SPLITS = "splits.csv"
"""What each image is for; written first, so that nobody need guess what `select` may still read."""

Finish = Callable[[Trialled], None]


def given_to_tune(prepared: Prepared, settings: TrialSettings) -> Given:
    """What was prepared, each image with its role.

    Raises:
        InputError: nothing to tune on or to judge on, or a classifier of other classes.
    """
    files, weights = prepared.files, prepared.model.weight_file
    about = {
        "model": str(prepared.how["model"]),
        "weights": "" if weights is None else str(weights.path),
        "input": describe(files.spec),
    }
    return given_of(
        prepared.name,
        prepared.model.classifier,
        files,
        Listed.of_samples(files.samples),
        settings,
        columns=files.samples.columns,
        notes=prepared.notes,
        about={name: words for name, words in about.items() if words},
        sha256=prepared.sha256,
        fresh=prepared.model.fresh,
    )


def tune_run(
    prepared: Prepared,
    settings: TrialSettings,
    out: Path,
    *,
    answers: Path | None = None,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Trialled:
    """Run the trial of what was prepared and write all of it; `finish` writes the report.

    A run that is finished is read: nothing of it is made or written again, and `finish` is not called.
    `answers` is a review.csv of a scan of the same images that a person has filled in.

    Raises:
        RunFolderError: `out` holds something else.
        DataDamaged: what the run left cannot be read.
        InputError: nothing to tune on or to judge on, a review of other images, or a classifier of other
            classes, or one that says the same of all images.
        TrainingDiverged: no rate is small enough, or the training before the trial gave no number.
    """
    given = replace(given_to_tune(prepared, settings), reviewed=groups_of(prepared, answers))
    given.classifier.to(here.device)
    if not here.first_does(lambda: is_finished(out)):
        check_start(given, settings, here=here)  # Before there is a folder of a run that cannot be.
    began = here.first_does(lambda: not (out / "run.json").exists())
    asked = {
        **settings.to_record(),
        **prepared.how,
        "trained_on": _digest(settings.trained_on),
        "answers": sha256_of(answers),
    }
    with (
        open_for_all(
            out,
            here,
            command=COMMAND,
            argv=argv,
            settings=asked,
            data=[DataRecord(prepared.name, None, prepared.sha256)],
            weights_sha256=weights_sha256(given.classifier),
        ) as folder,
        cpu_threads(folder.threads),
    ):
        if here.first_does(lambda: is_finished(folder.path)):
            here.first_does(lambda: remove_folder(_work(folder.path)))  # One that was killed at its very end.
            return here.each_does(lambda: load_trialled(folder.path))
        here.first_does(lambda: write_text(folder.path / SPLITS, _splits(given, settings)))
        try:
            outcome = run_trial(given, settings, folder=_work(folder.path), here=here, progress=progress)
        except (InputError, TrainingDiverged):
            if began:  # No other command would be let into this folder, and this one cannot go on.
                here.first_does(lambda: _take_back(folder.path))
            raise
        if here.first:
            _write(folder, prepared.model, outcome, finish)
            remove_folder(_work(folder.path))
    return outcome.trialled


def _take_back(out: Path) -> None:
    """Remove what a run that cannot be has written; the folder itself stays if it holds anything else."""
    remove_folder(_work(out))
    with storage_errors(out, "clean"):
        for name in (SPLITS, "run.json"):
            (out / name).unlink(missing_ok=True)


def is_finished(out: Path) -> bool:
    """Whether a trial in this folder is done, and its report can be drawn of what it left."""
    return (out / "results.json").exists() and has_trialled(out)


def tuned_path(out: Path, model: LoadedModel | None) -> Path:
    """Where the tuned weights lie: with the ending that came in."""
    came = None if model is None or model.weight_file is None else model.weight_file.path.suffix
    return out / f"tuned{came or '.safetensors'}"


def write_tuned(
    out: Path, model: LoadedModel | None, trialled: Trialled, classifier: Classifier | None
) -> None:
    """The tuned weights, in the format and with the keys that came in; none where they do harm."""
    path = tuned_path(out, model)
    if classifier is None or trialled.verdict.word == "harmful":
        with storage_errors(path, "remove"):
            path.unlink(missing_ok=True)
    elif model is None or model.weight_file is None:
        save_weights(weights_of(classifier.net), path)
    else:
        model.weight_file.write(weights_of(classifier.net), path)


def rows_of(trialled: Trialled) -> list[Row]:
    """Every number of every arm, split by split."""
    rows = []
    for arm in trialled.arms:
        for split, measures in arm.measures.items():
            reviewed = split == REVIEW
            about = {
                "dataset": trialled.name,
                "method": arm.name,
                "seed": int(trialled.settings["seed"]),
                "split": "validation" if reviewed else split,
                "config": "review" if reviewed else None,
                "supervision": "none",
                "selection": "validation_accuracy" if trialled.settings["epochs"] else "last",
                "epochs": arm.epochs,
                "seconds": round(arm.seconds, 1),
            }
            rows += [Row.of(one, **about) for one in measures]
    return rows


def _write(folder: RunFolder, model: LoadedModel, outcome: Outcome, finish: Finish | None) -> None:
    """Everything that the run leaves, `results.json` last."""
    trialled, seed = outcome.trialled, int(outcome.trialled.settings["seed"])
    for name, found in outcome.predictions.items():
        for split, predictions in found.items():
            save_predictions(folder.predictions_path(trialled.name, seed, name, split), predictions)
    for name, classifier in outcome.classifiers.items():
        at = folder.model_folder(trialled.name, seed, name) / "weights.safetensors"
        save_weights(weights_of(classifier.net), at)
    write_tuned(folder.path, model, trialled, outcome.classifiers.get("masktune"))
    if finish is not None:
        finish(trialled)
    folder.write_results(rows_of(trialled))


def _splits(given: Given, settings: TrialSettings) -> str:
    """A table of all images and what they are for."""
    back = set(held_out(given.train, settings)[1].ids.tolist())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "role"])
    writer.writerows((name, "held back" if name in back else role) for name, role in given.roles.items())
    return text.getvalue()


def _work(out: Path) -> Path:
    """Where states are kept until the run is done."""
    return out / "work"


def _digest(trained_on: str | None) -> str | None:
    """What the file that names images says; the word where it is one."""
    if trained_on is None or trained_on in WORDS or not Path(trained_on).is_file():
        return trained_on
    return sha256_of(Path(trained_on))

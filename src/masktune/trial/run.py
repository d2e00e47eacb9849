"""`masktune tune` in a run folder: `run.json` first, `results.json` last; it goes on where it stopped."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import Measure
from masktune.files import remove_folder, sha256_of, storage_errors
from masktune.findings.run import groups_of
from masktune.intake import Prepared
from masktune.models import LoadedModel, weights_sha256
from masktune.models.classifier import Classifier
from masktune.models.specs import describe
from masktune.models.weights import save_weights, weights_of
from masktune.runs import DataRecord, Row, RunFolder
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.run_folder import open_for_all
from masktune.trial.given import Given, given_of
from masktune.trial.hold_out import roles_of
from masktune.trial.judging import Judged
from masktune.trial.licences import licences_of, relicensed
from masktune.trial.reviewed import REVIEW
from masktune.trial.saving import SPLITS, save_arms, save_splits
from masktune.trial.seen import WORDS, Listed
from masktune.trial.settings import ArmName, TrialSettings
from masktune.trial.store import has_trialled, load_trialled, save_trialled
from masktune.trial.trial import Outcome, check_start, run_trial
from masktune.trial.trialled import Trialled
from masktune.types import Progress, silent

COMMAND = "tune"

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
        Listed.of_samples(files.samples, prepared.checked.digests),
        settings,
        columns=files.samples.columns,
        notes=prepared.notes,
        about={name: words for name, words in about.items() if words},
        sha256=prepared.sha256,
        fresh=prepared.model.fresh,
    )


def title_of(data: str) -> str:
    """What data are called in a heading: a folder's name, a file's name behind that of its folder."""
    path = Path(data.removeprefix("hub:"))
    if not path.exists():  # A name of the hub.
        return str(path)
    path = path.resolve()
    return path.name if path.is_dir() else f"{path.parent.name}/{path.name}".lstrip("/")


def tune_run(
    prepared: Prepared,
    settings: TrialSettings,
    out: Path,
    *,
    title: str = "",
    data_license: str | None = None,
    weights_license: str | None = None,
    answers: Path | None = None,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Trialled:
    """Run the trial of what was prepared and write all of it; `finish` writes the report.

    A run that is finished is read: nothing of it is made or written again but the licences that are given,
    and `finish` is not called. `title` is what the data are called in a heading, `answers` a review.csv of a
    scan of the same images that a person has filled in.

    Raises:
        RunFolderError: `out` holds something else.
        DataDamaged: what the run left cannot be read.
        InputError: nothing to tune on or to judge on, a review of other images, or a classifier of other
            classes, or one that says the same of all images.
        TrainingDiverged: no rate is small enough, or the training before the trial gave no number.
    """
    given = given_to_tune(prepared, settings)
    given = replace(
        given,
        about={"data": title, **given.about} if title else given.about,
        licences=licences_of(data_license, weights_license, _net_with_weights(prepared.model)),
        reviewed=groups_of(prepared, answers),
    )
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
            return _read_again(folder.path, here, data_license, weights_license)
        here.first_does(lambda: save_splits(folder.path, roles_of(given, settings)))
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


def _net_with_weights(model: LoadedModel) -> nn.Module | None:
    """The net, where its weights are somebody's: random ones have no licence."""
    return None if model.weight_file is None and model.fresh else model.classifier.net


def _read_again(
    out: Path, here: Processes, data_license: str | None, weights_license: str | None
) -> Trialled:
    """A finished trial; licences that are given now are kept with it."""
    trialled = here.each_does(lambda: load_trialled(out))
    if data_license or weights_license:
        trialled = replace(trialled, licences=relicensed(trialled.licences, data_license, weights_license))
        here.first_does(lambda: save_trialled(trialled, out))
    return trialled


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
    """Every number of every arm, split by split; then what the verdict goes by."""
    rows = []
    for arm in trialled.arms:
        about = {
            "dataset": trialled.name,
            "method": arm.name,
            "seed": int(trialled.settings["seed"]),
            "supervision": "none",
            "selection": "validation_accuracy" if trialled.settings["epochs"] else "last",
            "epochs": arm.epochs,
            "seconds": round(arm.seconds, 1),
        }
        for split, measures in arm.measures.items():
            where = {"split": "validation", "config": "review"} if split == REVIEW else {"split": split}
            rows += [Row.of(one, **where, **about) for one in measures]
        scores = (measure_of(one, arm.name) for one in trialled.verdict.scores if arm.name in one.arms)
        rows += [Row.of(one, split="validation", **about) for one in scores]
    return rows


def measure_of(score: Judged, arm: ArmName) -> Measure:
    """An arm's score as `results.json` names it: in its worst class or group."""
    own = score.arms[arm]
    metric = f"verdict_{score.name}{'_equal_shares' if score.equal_shares else ''}"
    return Measure(metric, own.value, own.n, own.low, own.high, own.cell)


def _write(folder: RunFolder, model: LoadedModel, outcome: Outcome, finish: Finish | None) -> None:
    """Everything that the run leaves, `results.json` last."""
    trialled = outcome.trialled
    save_arms(folder.path, outcome)
    write_tuned(folder.path, model, trialled, outcome.classifiers.get("masktune"))
    if finish is not None:
        finish(trialled)
    folder.write_results(rows_of(trialled))


def _work(out: Path) -> Path:
    """Where states are kept until the run is done."""
    return out / "work"


def _digest(trained_on: str | None) -> str | None:
    """What the file that names images says; the word where it is one."""
    if trained_on is None or trained_on in WORDS or not Path(trained_on).is_file():
        return trained_on
    return sha256_of(Path(trained_on))

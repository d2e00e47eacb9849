"""`masktune scan` in a run folder: `run.json` first, `results.json` last; it goes on where it stopped."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from masktune.errors import InputError
from masktune.evaluation import measure, measure_hiding
from masktune.evaluation.weighted import rows_of_groups
from masktune.files import sha256_of, storage_errors
from masktune.findings.review_answers import Groups, read_review
from masktune.findings.scan import Extras, check_enough, check_muted, scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned
from masktune.findings.store import has_scanned, load_scanned
from masktune.intake import Prepared
from masktune.models import weights_sha256
from masktune.runs import DataRecord, Row, RunFolder, save_predictions
from masktune.runs.chunks import remove_chunks
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.run_folder import open_for_all
from masktune.types import Progress, silent

COMMAND = "scan"
METHOD = "untouched"

Finish = Callable[[Scanned], None]


def scan_run(
    prepared: Prepared,
    settings: ScanSettings,
    out: Path,
    *,
    muted: tuple[str, ...] = (),
    answers: Path | None = None,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Scanned:
    """Scan what was prepared and write the numbers; `finish` writes the report, before `results.json`.

    `answers` is a review.csv that a person has filled in. A run that is finished is read: nothing of it is
    made or written again, and `finish` is not called.

    Raises:
        RunFolderError: `out` holds something else.
        DataDamaged: what the run left cannot be read.
        InputError: data or codes that nothing can be said of.
    """
    check_muted(muted)
    check_enough(prepared.files)
    classifier = prepared.model.classifier.to(here.device)
    groups = groups_of(prepared, answers)
    asked = {**settings.to_record(), **prepared.how, "muted": sorted(muted), "answers": sha256_of(answers)}
    with (
        open_for_all(
            out,
            here,
            command=COMMAND,
            argv=argv,
            settings=asked,
            data=[DataRecord(prepared.name, None, prepared.sha256)],
            weights_sha256=weights_sha256(classifier),
        ) as folder,
        cpu_threads(folder.threads),
    ):
        if here.first_does(lambda: is_finished(folder.path)):
            scanned = here.each_does(lambda: load_scanned(folder.path))
        else:
            here.first_does(lambda: _not_finished(folder))
            scanned = scan_images(
                prepared.name,
                classifier,
                prepared.files,
                settings,
                muted=muted,
                extras=extras_of(prepared, groups),
                here=here,
                progress=progress,
                folder=folder.path,
            )
            if here.first:
                _write(folder, prepared, scanned, settings.seed, finish)
        if here.first:
            remove_chunks(folder.path)
    return scanned


def is_finished(out: Path) -> bool:
    """Whether a scan in this folder is done, and its report can be drawn of what it left.

    One that lacks the record of the scan, as after a kill while it was written again, is made anew.
    """
    return (out / "results.json").exists() and has_scanned(out)


def _not_finished(folder: RunFolder) -> None:
    """Take away the word that all is done, where it is not."""
    with storage_errors(folder.results_path, "remove"):
        folder.results_path.unlink(missing_ok=True)


def _write(folder: RunFolder, prepared: Prepared, scanned: Scanned, seed: int, finish: Finish | None) -> None:
    """Everything that the run leaves, `results.json` last."""
    if prepared.same_classes:
        at = folder.predictions_path(prepared.name, seed, METHOD, "all")
        save_predictions(at, scanned.observed.predictions)
    if finish is not None:
        finish(scanned)
    folder.write_results(rows_of(scanned, seed))


def groups_of(prepared: Prepared, answers: Path | None) -> Groups | None:
    """The groups that a person labelled; None without a review.

    Raises:
        InputError, DataNotFound, DataDamaged: a review that cannot be used, or of other data; or a classifier
            of other classes, of which nothing can be said to be right.
    """
    if answers is None:
        return None
    if not prepared.same_classes:
        raise InputError("expected a classifier of the data's classes for --groups, but it has its own")
    files = prepared.files
    return read_review(answers, files.ids, files.labels, files.classes, data=prepared.sha256)


def extras_of(prepared: Prepared, groups: Groups | None = None) -> Extras:
    """What the intake knows beside images and labels."""
    return Extras(
        notes=prepared.notes,
        about={"model": str(prepared.how["model"]), "input": str(prepared.how["input"])},
        digests=prepared.checked.digests,
        sha256=prepared.sha256,
        groups=groups,
    )


def rows_of(scanned: Scanned, seed: int) -> list[Row]:
    """The numbers of each split, and how much is hidden."""
    observed = scanned.observed
    splits = observed.predictions.splits
    names = np.full(len(observed), "train") if splits is None else splits
    rows = []
    for split in sorted(set(names.tolist())):
        chosen = names == split
        measures = measure_hiding(observed.hidden[chosen])
        if observed.same_classes:
            measures += measure(observed.predictions.select(chosen))
        about = {"dataset": scanned.name, "method": METHOD, "seed": seed, "split": split}
        rows += [Row.of(one, **about, supervision="none", epochs=0) for one in measures]
    if scanned.groups is not None:
        split = names[0] if len(set(names.tolist())) == 1 else "all"
        about = {"dataset": scanned.name, "method": METHOD, "seed": seed, "split": str(split)}
        found = rows_of_groups(observed.predictions, scanned.groups.sample)
        rows += [Row.of(one, **about, config="review", supervision="none", epochs=0) for one in found]
    return rows


def codes(words: Collection[str]) -> tuple[str, ...]:
    """Codes as they are written: upper case, each once."""
    return tuple(dict.fromkeys(word.strip().upper() for word in words))

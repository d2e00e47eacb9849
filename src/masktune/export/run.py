"""`masktune mask`: explain a whole data set and write what is asked for into a run folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from masktune.data.image_files import ImageFiles
from masktune.evaluation import Measure, Predictions, measure, measure_hiding
from masktune.export import chunks
from masktune.export.chunks import Chunk
from masktune.export.examples import examples_of
from masktune.export.settings import ExportSettings
from masktune.export.tables import write_manifest, write_table
from masktune.export.work import Work
from masktune.files import write_text
from masktune.masking import MapsManifest, SavedMaps, warn_if_many_empty
from masktune.masking.archive import view_of
from masktune.masking.counting import MaskStatistics
from masktune.models.classifier import Classifier
from masktune.runs import DataRecord, Examples, Results, Row, RunFolder, save_predictions
from masktune.runs.chunks import chunk_path
from masktune.runs.versions import versions
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.run_folder import open_for_all
from masktune.types import Progress, Step, silent

METHOD = "untouched"
COMMAND = "mask"


@dataclass(frozen=True, slots=True)
class Given:
    """What is exported, and where it came from, for the record."""

    name: str
    """Of the data set: its folder's or file's name."""
    files: ImageFiles
    sha256: str
    """Of the images and all that is known of them."""
    classifier: Classifier
    weights_sha256: str
    how: Mapping[str, Any] = field(default_factory=dict)
    """What else was chosen, for `run.json`."""
    skipped: tuple[str, ...] = ()
    """A sentence on each image that could not be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What came out."""

    results: Results
    settings: ExportSettings
    """With the layer that was used."""
    found: Chunk
    """What was found for each image."""
    examples: Examples
    """A few of them, to look at."""
    skipped: tuple[str, ...] = ()
    """A sentence on each image that could not be read."""

    @property
    def statistics(self) -> MaskStatistics:
        """How many masks are empty, and why."""
        nothing = self.found.hidden == 0
        return MaskStatistics(
            n=len(self.found.ids),
            no_evidence=int((nothing & self.found.empty).sum()),
            above_maximum=int((nothing & ~self.found.empty).sum()),
            hidden_total=float(self.found.hidden.sum()),
        )


Finish = Callable[[Exported], None]
"""What is done with everything before `results.json` says that all is done: summary, picture."""


def export(
    given: Given,
    settings: ExportSettings,
    out: Path,
    *,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Exported | None:
    """Write masked images, masks, maps or overlays of all images; what is there already is not made again.

    Returns:
        What came out, on the first process; None on the others.

    Raises:
        RunFolderError: `out` holds something else.
        DataDamaged: an image cannot be read.
        StorageError: a file cannot be written.
    """
    settings = resolved(given, settings, here)
    with _open(given, settings, out, argv, here) as folder, cpu_threads(folder.threads):
        work = Work(given.files, given.classifier, settings, out, here.device, progress)
        progress(Step(f"making {settings.what}", 0, len(given.files)))
        shares = here.share(len(given.files), chunks.SIZE)
        here.each_does(lambda: work.make(shares))
        return here.first_alone(lambda: _summed_up(folder, work, given, finish))


def resolved(given: Given, settings: ExportSettings, here: Processes = ALONE) -> ExportSettings:
    """The settings with the layer that is found put in; one that does not exist is said now."""
    given.classifier.to(here.device)
    images = given.files.__getitems__(range(min(2, len(given.files)))).images.to(here.device)
    found = settings.explainer(given.classifier)(images)
    return replace(settings, layer=str(found.layer), formula=found.method)


def rows_of(given: Given, settings: ExportSettings, found: Chunk) -> list[Row]:
    """The numbers: how much is hidden, and how often the classifier is right where that can be told."""
    splits = given.files.samples.splits
    names = np.full(len(found.ids), "train") if splits is None else splits
    rows = []
    for split in sorted(set(names.tolist())):
        chosen = names == split
        measures = measure_hiding(found.hidden[chosen])
        if given.classifier.classes == given.files.classes:
            measures += measure(predictions_of(given, found).select(chosen))
        rows += [_row(given, settings, split, number) for number in measures]
    return rows


def predictions_of(given: Given, found: Chunk) -> Predictions:
    """What the classifier says of the images as they are."""
    samples = given.files.samples
    return Predictions(
        logits=found.logits,
        labels=samples.labels,
        ids=found.ids,
        classes=given.classifier.classes,
        groups=samples.groups,
        subjects=samples.subjects,
        splits=samples.splits,
    )


def _row(given: Given, settings: ExportSettings, split: str, number: Measure) -> Row:
    return Row.of(
        number,
        dataset=given.name,
        method=METHOD,
        seed=settings.seed,
        split=split,
        supervision="none",
        epochs=0,
    )


def _open(
    given: Given, settings: ExportSettings, out: Path, argv: Sequence[str], here: Processes
) -> RunFolder:
    return open_for_all(
        out,
        here,
        command=COMMAND,
        argv=argv,
        settings=settings.to_record() | dict(given.how),
        data=[DataRecord(given.name, None, given.sha256)],
        weights_sha256=given.weights_sha256,
    )


def _summed_up(folder: RunFolder, work: Work, given: Given, finish: Finish | None) -> Exported:
    """All chunks together, and everything that sums the run up; `results.json` last."""
    starts = range(0, len(given.files), chunks.SIZE)
    found = chunks.together([Chunk.load(chunk_path(folder.path, start)) for start in starts])
    results = Results(COMMAND, versions(), folder.record.data, rows_of(given, work.settings, found))
    exported = Exported(results, work.settings, found, examples_of(work, found), given.skipped)
    warn_if_many_empty(exported.statistics)
    samples = given.files.samples
    if work.settings.what == "maps":
        _saved_maps(work, given, found).save(folder.path / "maps")
    else:
        write_manifest(folder.path / work.settings.what / "manifest.csv", samples, work.names)
    write_table(folder.path / "images.csv", samples, given.classifier.classes, found)
    if given.classifier.classes == samples.classes:
        at = folder.predictions_path(given.name, work.settings.seed, METHOD, "all")
        save_predictions(at, predictions_of(given, found))
    if given.skipped:
        write_text(folder.path / "unreadable.txt", "\n".join(given.skipped) + "\n")
    if finish is not None:
        finish(exported)
    folder.write_results(exported.results.rows)
    return exported


def _saved_maps(work: Work, given: Given, found: Chunk) -> SavedMaps:
    views = tuple(map(view_of, found.views.tolist()))
    manifest = MapsManifest(
        method=work.settings.formula,
        layer=work.settings.layer or "",
        classes=work.settings.classes,
        weights_sha256=given.weights_sha256,
        size=given.files.spec.size,
        grid=found.low.shape[1:],
        n=len(found.ids),
        seconds=None,
    )
    same = len(set(views)) == 1
    return SavedMaps(
        manifest=manifest,
        stored=found.low,
        ids=tuple(found.ids.tolist()),
        classes=found.classes,
        empty=found.empty,
        views=views[:1] if same else views,
    )

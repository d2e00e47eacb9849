"""A user's classifier and images, opened and held against each other before anything is computed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from masktune.data.check import Checked, check_images, usable
from masktune.data.image_files import ImageFiles
from masktune.data.samples import Samples, check_classes
from masktune.data.splits import crossing_subjects, doubles
from masktune.intake.choices import DataChoices, ModelChoices
from masktune.intake.draw import drawn_by_class
from masktune.intake.open_data import name_of, open_samples
from masktune.models import user_code
from masktune.models.load import LoadedModel, load_classifier
from masktune.models.specs import describe
from masktune.types import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What can be computed with."""

    name: str
    """Of the data set, as it stands in results."""
    files: ImageFiles
    model: LoadedModel
    checked: Checked
    """Of the images that are used."""
    notes: tuple[str, ...]
    """What a person should know before the work begins."""
    how: Mapping[str, Any]
    """What was chosen of data and model, for the record of a run: plain values by name."""

    @property
    def same_classes(self) -> bool:
        """Whether logits stand for the data's classes, so that accuracy can be told."""
        return self.model.classifier.classes == self.files.classes


def prepare(
    data: DataChoices, model: ModelChoices, *, threads: int | None = None, progress: Progress = silent
) -> Prepared:
    """List the images, load the classifier, read every file once.

    `threads` are those that read; one a core if not given.

    Raises:
        DataNotFound, DataDamaged, InputError, MissingExtra: whatever cannot be used, in one line.
        UnreadableImages: all files that cannot be read, unless they are to be skipped.
    """
    samples = open_samples(data, allow_download=model.allow_download)
    if model.classes is not None:
        samples = samples.in_order_of(model.classes)
    loaded = _loaded(samples, model)
    if data.max_images is not None:
        samples = samples.select(drawn_by_class(samples, data.max_images, model.seed))
    checked = check_images(samples, loaded.spec.range, progress=progress)
    used = usable(samples, checked, skip_unreadable=data.skip_unreadable)
    notes = (*loaded.notes, f"input: {describe(loaded.spec)}", *_notes_on(samples, used, checked))
    if len(used) < len(samples):
        check_classes(used, f"{data.data} without its unreadable images")
        checked = checked.select(checked.readable)
    preprocess = None if model.preprocess is None else user_code.function_at(model.preprocess)
    files = ImageFiles(used, loaded.spec, preprocess=preprocess, threads=threads)
    if data.cache is not None:
        files = files.cached(data.cache, checked, progress=progress)
    return Prepared(name_of(data.data), files, loaded, checked, notes, _how(data, model, loaded))


def _how(data: DataChoices, model: ModelChoices, loaded: LoadedModel) -> dict[str, Any]:
    """All that the numbers depend on; where decoded images are kept is none of it."""
    of_data = {
        name: getattr(data, name) for name in ("split", "subject_from", "skip_unreadable", "max_images")
    }
    of_model = {name: getattr(model, name) for name in ("model", "target", "head", "preprocess")}
    return of_data | of_model | {"classes": loaded.classifier.classes, "input": repr(loaded.spec)}


def _loaded(samples: Samples, model: ModelChoices) -> LoadedModel:
    return load_classifier(
        model.model,
        weights=model.weights,
        classes=samples.classes,
        head=model.head,
        target=model.target,
        overrides=model.input,
        seed=model.seed,
        allow_download=model.allow_download,
    )


def _notes_on(samples: Samples, used: Samples, checked: Checked) -> Iterator[str]:
    if len(used) < len(samples):
        yield f"{len(samples) - len(used)} of {len(samples)} images cannot be read and are skipped"
    for crossing in crossing_subjects(samples):
        yield f"{crossing}; numbers of one split then say little of the other"
    for double in doubles(checked.digests, samples):
        yield f"{double}"
    for reason, count in samples.passed_over.items():
        if reason.startswith("outside"):
            yield f"{count} files {reason} passed over"

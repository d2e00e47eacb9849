"""A user's classifier and images, opened and held against each other before anything is computed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from masktune.data.check import Checked, check_images, usable
from masktune.data.image_files import ImageFiles
from masktune.data.samples import Samples
from masktune.data.splits import crossing_subjects, doubles
from masktune.errors import InputError
from masktune.intake.choices import DataChoices, ModelChoices
from masktune.intake.draw import drawn_by_class
from masktune.intake.open_data import name_of, open_samples
from masktune.models import user_code
from masktune.models.load import LoadedModel, load_classifier
from masktune.models.specs import describe
from masktune.training.devices import ALONE, Processes
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
    def sha256(self) -> str:
        """Of all that the data are: content of the images, names, labels, splits, groups, subjects."""
        return self.files.samples.sha256_with(self.checked.sha256)

    @property
    def same_classes(self) -> bool:
        """Whether logits stand for the data's classes, so that accuracy can be told."""
        return self.model.classifier.classes == self.files.classes


def prepare(
    data: DataChoices,
    model: ModelChoices,
    *,
    threads: int | None = None,
    here: Processes = ALONE,
    progress: Progress = silent,
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
    preprocess = None if model.preprocess is None else user_code.function_at(model.preprocess)
    if preprocess is not None and data.cache is not None:
        raise InputError("expected --cache or --preprocess, got both: a changed function would go unseen")
    loaded = _loaded(samples, model)
    if data.max_images is not None:
        samples = samples.select(drawn_by_class(samples, data.max_images, model.seed))
    as_files = partial(ImageFiles, spec=loaded.spec, preprocess=preprocess, threads=threads)
    as_files(samples)  # What it cannot take is said before all files are read.
    rule = loaded.spec.range if preprocess is None else None
    checked = here.first_does(lambda: check_images(samples, rule, threads=threads, progress=progress))
    used = usable(samples, checked, skip_unreadable=data.skip_unreadable)
    notes = (*loaded.notes, f"input: {describe(loaded.spec)}", *_notes_on(samples, checked))
    if len(used) < len(samples):
        _check_what_is_left(samples, used)
        checked = checked.select(checked.readable)
    files = as_files(used)
    if data.cache is not None:
        kept = partial(files.cached, data.cache, checked, progress=progress)
        here.first_alone(kept)
        files = kept()  # Opened by all, as it is there now.
    return Prepared(name_of(data.data), files, loaded, checked, notes, _how(data, model, loaded))


def _check_what_is_left(samples: Samples, used: Samples) -> None:
    """Without the unreadable images each class that had some must still have some."""
    for label in np.unique(samples.labels):
        if not (used.labels == label).any():
            raise InputError(
                f"no image of class {samples.classes[label]!r} can be read; mend them, or leave the class out"
            )


def _how(data: DataChoices, model: ModelChoices, loaded: LoadedModel) -> dict[str, Any]:
    """All that the numbers depend on; where decoded images are kept is none of it."""
    chosen = ("split", "subject_from", "group_by", "skip_unreadable", "max_images")
    of_data = {name: getattr(data, name) for name in chosen}
    of_model = {name: getattr(model, name) for name in ("model", "target", "head", "preprocess")}
    code = [name for name in (model.model, model.preprocess) if name is not None]
    return {
        **of_data,
        **of_model,
        "sha256 of code": [user_code.sha256_of(name) for name in code],
        "classes of the net": loaded.classifier.classes,
        "input": repr(loaded.spec),
    }


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
        random_ok=model.random_ok,
    )


def _notes_on(samples: Samples, checked: Checked) -> Iterator[str]:
    for problem in checked.problems:
        yield f"skipped: {problem}"
    if checked.problems:
        yield f"{len(checked.problems)} of {len(samples)} images cannot be read and are skipped"
    for crossing in crossing_subjects(samples):
        yield f"{crossing}; numbers of one split then say little of the other"
    for double in doubles(checked.digests, samples):
        yield f"{double}"
    for reason, count in samples.passed_over.items():
        if reason.startswith("outside"):
            yield f"{count} files {reason} passed over"

"""A few images through the classifier first: does it see, and how long will all of them take?"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64

from masktune.data.image_files import ImageFiles
from masktune.errors import InputError
from masktune.evaluation import Predictions, concatenate
from masktune.intake.draw import drawn, drawn_by_class
from masktune.intake.prepare import Prepared
from masktune.models.checks import expected_accuracy, suspicions
from masktune.models.predict import predict
from masktune.training.devices import ALONE, Processes
from masktune.types import Images, Progress, Step, View, silent

IMAGES = 256
"""At most; enough to see a wrong order of classes, few enough to wait for."""

_ENOUGH = 100
"""Images of a split from which on it is tried alone; with fewer, chance looks like a fault."""


@dataclass(frozen=True, slots=True)
class TrialRun:
    """What it showed."""

    images: int
    reading: float
    """Images a second, by the loader alone."""
    predicting: float
    """Images a second, by the net alone."""
    seen: float
    """Share of the pictures' area that the net sees, on average: a crop never sees the rest."""
    suspicions: tuple[str, ...]
    """What looks like wrong preprocessing, one sentence each."""
    right: float | None = None
    """Share of the images that are classified right; None where the net has its own classes."""

    @property
    def sentence(self) -> str:
        """For a person who waits."""
        speeds = f"reading {self.reading:.0f} images/s, the net alone {self.predicting:.0f} images/s"
        return f"{speeds}; the net sees {100 * self.seen:.1f} % of the pictures' area"

    @property
    def accuracy(self) -> tuple[str, ...]:
        """How good the given classifier is on them, in a sentence; none where that cannot be told."""
        if self.right is None:
            return ()
        return (f"the given classifier is right on {100 * self.right:.1f} % of {self.images} images tried",)


def trial_run(
    prepared: Prepared,
    *,
    expect: float | None = None,
    batch_size: int = 32,
    here: Processes = ALONE,
    progress: Progress = silent,
) -> TrialRun:
    """Classify some images of each class and look for signs of wrong preprocessing.

    They are validation images where there are enough, else test images, else all.

    Raises:
        InputError: the accuracy is not what `expect` says, or cannot be told.
    """
    if expect is not None and not prepared.same_classes:
        raise InputError(
            "expected logits that stand for the data's classes to check --expect, but the net has its own "
            "classes; leave it out, or pass a model of these classes"
        )
    some = _some(prepared.files, by_class=expect is None)
    classifier = prepared.model.classifier.to(here.device)
    parts: list[Predictions] = []
    batches: list[Images] = []
    views: list[View] = []
    reading = predicting = 0.0
    for start in range(0, len(some), batch_size):
        began = time.perf_counter()
        batch, seen = some.read(range(start, min(start + batch_size, len(some))))
        read = time.perf_counter()
        if prepared.same_classes:
            parts.append(predict(classifier, [batch]))
        else:
            with torch.inference_mode():
                classifier(batch.images.to(here.device)).cpu()
        if start or len(some) <= batch_size:  # The first batch pays for what is set up once.
            reading, predicting = reading + read - began, predicting + time.perf_counter() - read
        # The ends alone: that is all that is asked of them.
        batches.append(torch.stack(batch.images.aminmax()).view(2, 1, 1, 1))
        views += seen
        progress(Step("trying the classifier", start + len(batch), len(some)))
    timed = len(some) if len(some) <= batch_size else len(some) - batch_size
    # As iterators: in a list all would have to be of one shape, and the last batch is smaller.
    predictions = concatenate(parts) if parts else None
    found = suspicions(predictions, iter(batches), views)
    if predictions is not None and expect is not None:
        expected_accuracy(predictions, expect)
    return TrialRun(
        images=len(some),
        reading=timed / reading,
        predicting=timed / predicting,
        seen=sum(view.seen for view in views) / len(views),
        suspicions=found,
        right=None if predictions is None else float(predictions.correct.mean()),
    )


def _some(files: ImageFiles, *, by_class: bool) -> ImageFiles:
    """Images to try; by class each has two at least, which an accuracy that is to be compared must not."""
    samples = files.samples
    within: Int64[np.ndarray, " m"] = np.arange(len(samples))
    for split in ("validation", "test"):
        if samples.splits is not None and (samples.splits == split).sum() >= _ENOUGH:
            within = np.flatnonzero(samples.splits == split)
            break
    part = replace(samples.select(within), subjects=None)  # Whole subjects may be more than these few images.
    few = by_class and 2 * len(samples.classes) <= IMAGES
    return files.select(within[drawn_by_class(part, IMAGES) if few else drawn(part, IMAGES)])

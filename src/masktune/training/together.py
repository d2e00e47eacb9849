"""Predictions and maps of a whole data set, shared among the processes of a run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from masktune.data.base import Dataset
from masktune.data.loading import drawn
from masktune.evaluation import Predictions
from masktune.evaluation.predictions import concatenate
from masktune.masking import SavedMaps
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.saliency import Explainer
from masktune.training.devices import ALONE, Processes
from masktune.types import Batch, InputSpec, Progress, Step, silent

_VALUES = 6_000_000
"""Of the images that pass a net at once: 500 of MNIST's, 39 of 224 pixels; what a net makes of them is
ten times as much and more."""


def at_once(spec: InputSpec) -> int:
    """Images that pass a net at once where nothing is trained: up to 500, fewer of large ones."""
    height, width = spec.size
    return max(1, min(500, _VALUES // (spec.channels * height * width)))


def predict_all(
    classifier: Classifier,
    data: Dataset,
    *,
    batch_size: int | None = None,
    here: Processes = ALONE,
    what: str = "predicting",
    progress: Progress = silent,
) -> Predictions:
    """Classify a whole data set; each sample once, whatever the number of processes, in the data's order.

    `batch_size` is `at_once` of the classifier's input if not given.
    """
    parts = []
    shares = here.share(len(data), batch_size or at_once(classifier.spec))
    for share, batch in zip(shares, _drawn(data, shares, here), strict=True):
        parts.append(predict(classifier, [batch]))
        progress(Step(what, share.stop, len(data)))
    return concatenate(here.together(parts))


def maps_of_all(
    explainer: Explainer,
    data: Dataset,
    *,
    weights_sha256: str,
    classes: Literal["predicted", "label"] = "predicted",
    batch_size: int = 500,
    change: Callable[[Batch], Batch] | None = None,
    here: Processes = ALONE,
    progress: Progress = silent,
) -> SavedMaps:
    """Explain a whole data set; each sample once, whatever the number of processes.

    `change` is applied to each batch first: the masks of an earlier round.
    """
    shares = here.share(len(data), batch_size)

    def drawn() -> Iterator[Batch]:
        for batch in _drawn(data, shares, here):
            yield batch if change is None else change(batch)

    def own() -> SavedMaps:
        total = sum(share.stop - share.start for share in shares)
        return SavedMaps.compute(
            explainer, drawn(), weights_sha256=weights_sha256, classes=classes, total=total, progress=progress
        )

    # With fewer batches than processes some have none.
    return _merged(here.together([own()] if shares or here.first else []))


def _drawn(data: Dataset, shares: Sequence[slice], here: Processes) -> Iterator[Batch]:
    return drawn(data, (torch.arange(share.start, share.stop) for share in shares), here.device)


def _merged(parts: list[SavedMaps]) -> SavedMaps:
    """One set of maps out of several; they are keyed by sample id, so their order says nothing."""
    return SavedMaps(
        manifest=replace(parts[0].manifest, n=sum(len(part) for part in parts)),
        stored=np.concatenate([part.stored for part in parts]),
        ids=tuple(sample for part in parts for sample in part.ids),
        classes=np.concatenate([part.classes for part in parts]),
        empty=np.concatenate([part.empty for part in parts]),
        views=parts[0].views,
    )

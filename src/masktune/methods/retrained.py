"""Methods that keep the net of ERM and fit its last layer anew: what they share."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Bool, Int64

from masktune.data.base import Dataset
from masktune.data.splits import drawn_splits
from masktune.errors import InputError
from masktune.methods.base import Fitted, Task
from masktune.methods.erm import stage1
from masktune.models.classifier import Classifier
from masktune.models.weights import load_weights
from masktune.runs.jsons import write_json
from masktune.training.last_layer import Features, LastLayer, features_of_all, put_last_layer
from masktune.training.logistic import Penalty, fit_standardised, mean_of
from masktune.training.selection import score_by
from masktune.types import Progress, Selection, Step, check_choice

CS = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
"""What DFR's authors choose C from."""

Found = tuple[LastLayer, Mapping[str, Any]]
"""A fitted layer, and how it came about."""


@dataclass(frozen=True, slots=True)
class Base:
    """The net that ordinary training gave; all but its last layer stays as it is."""

    task: Task
    classifier: Classifier
    """With the weights that the task's selection rule chose."""
    seconds: float
    """Duration of its training."""
    samples: int
    """Images that it was trained on."""
    start: float
    """When that was done, by this process's clock."""

    @classmethod
    def of(cls, task: Task) -> "Base":
        """Train by ERM, or take over its result from the task's folder."""
        stage = stage1(task)
        classifier = task.build().to(task.here.device)
        load_weights(classifier, stage.best.weights)
        return cls(task, classifier, stage.seconds, stage.samples, time.perf_counter())

    def features(self, data: Dataset) -> Features:
        """What goes into the last layer, in evaluation mode and without augmentation."""
        return features_of_all(self.classifier, data, here=self.task.here, progress=self.task.progress)

    def with_layer(
        self, fit: Callable[[], Found], selection: Selection, record: Path | None, *, images: int
    ) -> Fitted:
        """The net with a last layer that the first process fits to so many images.

        How it came about is written to `record`.
        """

        def work() -> LastLayer:
            layer, said = fit()
            if record is not None:
                write_json(record, said)
            return layer

        put_last_layer(self.classifier, self.task.here.first_does(work))
        seconds = self.seconds + time.perf_counter() - self.start
        samples = self.samples + images
        return Fitted(self.classifier, selection, self.task.training.epochs, seconds, samples)


@dataclass(frozen=True, slots=True)
class Choice:
    """The C whose layer scored highest; of equal ones the first."""

    c: float
    layer: LastLayer
    record: Mapping[str, Any]
    """The scores of all."""


def chosen(
    cs: Sequence[float],
    fit: Callable[[float], LastLayer],
    judged: Features,
    selection: Selection,
    progress: Progress,
) -> Choice:
    """Fit with each C, and judge by other images."""
    layers, scores = [], []
    for done, c in enumerate(cs, start=1):
        layers.append(fit(c))
        scores.append(score_by(selection, judged.said_by(layers[-1])))
        progress(Step("choosing C", done, len(cs), unit="fits"))
    best = int(np.argmax(scores))
    tried = [{"c": c, "score": score} for c, score in zip(cs, scores, strict=True)]
    return Choice(cs[best], layers[best], {"selection": selection, "c": cs[best], "tried": tried})


def fitted_on(features: Features, at: Int64[np.ndarray, " m"], c: float, penalty: Penalty) -> LastLayer:
    """The last layer of the images at these positions."""
    classes = features.said.logits.shape[1]
    return fit_standardised(features.values[at], features.said.labels[at], classes, c=c, penalty=penalty)


def fitted_on_each(
    features: Features,
    subsets: Sequence[Int64[np.ndarray, " m"]],
    c: float,
    penalty: Penalty,
    progress: Progress,
) -> LastLayer:
    """The mean of the layers of several subsets."""
    layers = []
    for done, at in enumerate(subsets, start=1):
        layers.append(fitted_on(features, at, c, penalty))
        progress(Step("fitting last layers", done, len(subsets), unit="fits"))
    return mean_of(layers)


def fitting_half(data: Dataset, cells: Int64[np.ndarray, " n"], seed: int) -> Bool[np.ndarray, " n"]:
    """True for the images to fit on; the others judge. Each is half of each cell (a class or a group).

    No subject is divided. The judging half gets the odd image, but never a cell's only one.

    Raises:
        InputError: no image is left to judge by.
    """
    names = data.ids if data.subjects is None else data.subjects
    fitting: Bool[np.ndarray, " n"] = drawn_splits(names, cells, {"judging": 0.5}, seed) == "train"
    if fitting.all():
        raise InputError(
            f"expected validation images to fit the last layer on and others to judge it by, got {len(data)} "
            "that are each the only one of their kind; add some"
        )
    return fitting


def check_classes(data: Dataset, which: str, method: str) -> None:
    """Refuse images to fit on that lack a class: nothing could be said of it any more."""
    absent = np.flatnonzero(np.bincount(data.labels, minlength=len(data.classes)) == 0)
    if len(absent):
        raise InputError(
            f"{method} fits the last layer on {which} images, and there are none of class "
            f"{data.classes[absent[0]]!r}; add some, or leave the class out"
        )


def check_choosing(cs: Sequence[float], penalty: Penalty, selection: Selection) -> None:
    """Refuse settings by which no C can be chosen."""
    if not cs or not all(0 < c < math.inf for c in cs):
        raise InputError(f"expected one C or more, each above 0, got {cs}")
    check_choice("penalty", penalty, get_args(Penalty))
    check_scoring(selection)


def check_scoring(selection: Selection) -> None:
    """Refuse a rule that gives no score."""
    check_choice("selection", selection, [rule for rule in get_args(Selection) if rule != "last"])

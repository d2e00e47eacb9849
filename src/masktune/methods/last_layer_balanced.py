"""Class-balanced last-layer retraining: the trivial rival of whatever fits last layers by groups."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Bool

from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.groups import check_selection
from masktune.methods.retrained import (
    CS,
    Base,
    Found,
    check_choosing,
    check_classes,
    chosen,
    fitting_half,
)
from masktune.seeds import seed_of
from masktune.training.last_layer import Features
from masktune.training.logistic import Penalty, fit_standardised
from masktune.training.losses import class_weights
from masktune.types import Progress, Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class LastLayerBalanced:
    """The last layer fitted anew on held-out images, all classes alike (LaBonte et al., NeurIPS 2023).

    A half of validation, of each class, fits a layer with each C, and a rule on the other half chooses.

    Departures: one convex fit in which classes weigh alike, where they descend on batches with as many images
    of each class; C is chosen by the worst class, so that no group label is read (theirs: the worst group).
    """

    name: ClassVar[str] = "last_layer_balanced"

    cs: tuple[float, ...] = CS
    """What C is chosen from: the weight of the losses against the penalty (DFR's; theirs has none)."""
    penalty: Penalty = "l2"
    """On the coefficients (ours)."""
    selection: Selection = "worst_class"
    """The rule that chooses C on the other half (theirs: the worst group)."""

    def __post_init__(self) -> None:
        check_choosing(self.cs, self.penalty, self.selection)

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses C: fitting reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), then fit the last layer.

        Raises:
            InputError: validation lacks a class, is too small to be halved, or has no group labels where the
                rule needs them.
        """
        task = task.supervised_by(self.supervision)
        instead = "choose C by another rule"
        check_selection(self.selection, task.validation, self.name, instead=instead)
        check_classes(task.validation, "validation", self.name)
        half = fitting_half(task.validation, task.validation.labels, seed_of(task.seed, self.name, "half"))
        base = Base.of(task)
        known = base.features(task.validation)
        record = task.file(self.name, "choice.json")
        return base.with_layer(
            lambda: self._found(known, half, task.progress), self.selection, record, images=len(known)
        )

    def _found(self, known: Features, half: Bool[np.ndarray, " n"], progress: Progress) -> Found:
        fitting = known.select(half)
        labels, classes = fitting.said.labels, fitting.said.logits.shape[1]
        weights = class_weights(labels, classes).numpy().astype(np.float64)[labels]
        choice = chosen(
            self.cs,
            lambda c: fit_standardised(
                fitting.values, labels, classes, c=c, penalty=self.penalty, weights=weights
            ),
            known.select(~half),
            self.selection,
            progress,
        )
        return choice.layer, choice.record

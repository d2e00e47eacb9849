"""DFR: the last layer is fitted anew on as many images of each group, of validation or of training."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Bool, Int64

from masktune.data.base import Subset
from masktune.errors import InputError
from masktune.methods.base import Fitted, Task
from masktune.methods.groups import Groups, check_selection, grouped, groups_of
from masktune.methods.resampling import cut_alike
from masktune.methods.retrained import (
    CS,
    Base,
    Found,
    check_choosing,
    check_classes,
    chosen,
    fitted_on,
    fitted_on_each,
    fitting_half,
)
from masktune.seeds import generator, seed_of
from masktune.training.last_layer import Features
from masktune.training.logistic import Penalty
from masktune.types import Progress, Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class DFR:
    """Deep feature reweighting (Kirichenko, Izmailov and Wilson, ICLR 2023) on groups of validation images.

    A half of validation, of each group, fits a layer with each C, and the worst group of the other half
    chooses. With that C layers are fitted on subsets of all of validation, and the mean of their coefficients
    counts. A subset has as many images of each group as the smallest has; a group without images is no group.
    A group of one image is fitted on, and has no say in the choice of C.

    Departures: features are standardised by the very images that a layer is fitted on (the authors': all of
    training or of validation); intercepts are not punished (liblinear's are); halves are drawn by group.
    """

    name: ClassVar[str] = "dfr"
    supervision: ClassVar[Supervision] = "validation_groups"
    fitted_with: ClassVar[Supervision] = "validation_groups"

    cs: tuple[float, ...] = CS
    """What C is chosen from: the weight of the losses against the penalty (theirs: the same)."""
    penalty: Penalty = "l1"
    """On the coefficients (theirs: l1)."""
    repeats: int = 20
    """Subsets whose layers are averaged (theirs: 20)."""

    def __post_init__(self) -> None:
        check_choosing(self.cs, self.penalty, "worst_group")
        _check_repeats(self.repeats)

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), then fit the last layer.

        Raises:
            InputError: validation has no group labels, lacks a class, or is too small to be halved.
        """
        task = task.supervised_by(self.supervision)
        instead = "take a method that needs none"
        check_selection("worst_group", task.validation, self.name, instead=instead)
        check_classes(task.validation, "validation", self.name)
        groups = grouped(np.asarray(task.validation.groups))
        half = fitting_half(task.validation, groups.index, seed_of(task.seed, self.name, "half"))
        base = Base.of(task)
        known = base.features(task.validation)
        record = task.file(self.name, "choice.json")
        return base.with_layer(
            lambda: self._found(known, half, task), "worst_group", record, images=len(known)
        )

    def _found(self, known: Features, half: Bool[np.ndarray, " n"], task: Task) -> Found:
        fitting, judged = known.select(half), known.select(~half)
        (subset,) = _subsets(_groups(fitting), 1, task.seed, self.name, "half")
        choice = chosen(
            self.cs,
            lambda c: fitted_on(fitting, subset, c, self.penalty),
            judged,
            "worst_group",
            task.progress,
        )
        subsets = _subsets(_groups(known), self.repeats, task.seed, self.name)
        layer = fitted_on_each(known, subsets, choice.c, self.penalty, task.progress)
        return layer, choice.record


@final
@dataclass(frozen=True, slots=True)
class DFRTrain:
    """DFR on groups of training images; a rule on all of validation chooses C, with the first subset's layer.

    Departures as of `DFR`; and losses of classes are not weighted (theirs: chosen with C, for two classes).
    """

    name: ClassVar[str] = "dfr_train"
    supervision: ClassVar[Supervision] = "train_groups"

    cs: tuple[float, ...] = CS
    """What C is chosen from: the weight of the losses against the penalty (theirs: the same)."""
    penalty: Penalty = "l1"
    """On the coefficients (theirs: l1)."""
    repeats: int = 10
    """Subsets whose layers are averaged (theirs: 10)."""
    selection: Selection = "worst_group"
    """The rule that chooses C on validation (theirs: the worst group)."""

    def __post_init__(self) -> None:
        check_choosing(self.cs, self.penalty, self.selection)
        _check_repeats(self.repeats)

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), then fit the last layer.

        Raises:
            InputError: the training images have no group labels or lack a class, or the rule needs group
                labels that validation does not have.
        """
        task = task.supervised_by(self.supervision)
        subsets = _subsets(groups_of(task.train, self.name), self.repeats, task.seed, self.name)
        check_classes(task.train, "training", self.name)
        instead = "choose C by another rule"
        check_selection(self.selection, task.validation, self.name, instead=instead)
        base = Base.of(task)
        used = np.unique(np.concatenate(subsets))
        known = base.features(Subset(task.train, torch.from_numpy(used)))
        judged = base.features(task.validation)
        placed = [np.searchsorted(used, subset) for subset in subsets]
        record = task.file(self.name, "choice.json")
        return base.with_layer(
            lambda: self._found(known, judged, placed, task.progress),
            self.selection,
            record,
            images=len(known),
        )

    def _found(
        self, known: Features, judged: Features, subsets: list[Int64[np.ndarray, " m"]], progress: Progress
    ) -> Found:
        choice = chosen(
            self.cs,
            lambda c: fitted_on(known, subsets[0], c, self.penalty),
            judged,
            self.selection,
            progress,
        )
        return fitted_on_each(known, subsets, choice.c, self.penalty, progress), choice.record


def _groups(features: Features) -> Groups:
    assert features.said.groups is not None
    return grouped(features.said.groups)


def _subsets(groups: Groups, count: int, *seed: object) -> list[Int64[np.ndarray, " m"]]:
    """Positions of as many images of each group, by lot, several times."""
    return [cut_alike(groups, generator(*seed, number)).numpy() for number in range(count)]


def _check_repeats(repeats: int) -> None:
    if repeats < 1:
        raise InputError(f"expected 1 repeat or more, got {repeats}")

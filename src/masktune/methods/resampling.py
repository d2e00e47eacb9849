"""Balancing by choice of images: groups or classes are drawn alike (RWG, RWY) or cut alike (SUBG, SUBY).

After Idrissi, Arjovsky, Pezeshki and Lopez-Paz, *Simple data balancing achieves competitive worst-group
accuracy* (CLeaR 2022). The loss is the one that the task's settings name.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Int64
from torch import Tensor

from masktune.data.base import Subset
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.groups import Groups, classes_of, groups_of
from masktune.methods.trained import trained_by
from masktune.seeds import generator
from masktune.training.losses import Loss, SummedLoss, summed_loss
from masktune.training.objective import MeanLoss
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class RWG:
    """Draws each group as often as any other, with replacement."""

    name: ClassVar[str] = "rwg"
    supervision: ClassVar[Supervision] = "train_groups"

    selection: Selection = "worst_group"
    """The rule that chooses the epoch (theirs: the worst group)."""

    def fit(self, task: Task) -> Fitted:
        """Train on images that are drawn.

        Raises:
            InputError: the training images have no group labels.
        """
        task = task.supervised_by(self.supervision)
        return _drawn(groups_of(task.train, self.name), self, task)


@final
@dataclass(frozen=True, slots=True)
class RWY:
    """Draws each class as often as any other, with replacement."""

    name: ClassVar[str] = "rwy"

    selection: Selection = "worst_group"
    """The rule that chooses the epoch (theirs: the worst group)."""

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train on images that are drawn.

        Raises:
            InputError: the rule needs group labels that validation does not have.
        """
        task = task.supervised_by(self.supervision)
        return _drawn(classes_of(task.train), self, task)


@final
@dataclass(frozen=True, slots=True)
class SUBG:
    """Trains on as many images of each group as the smallest one has: one subset, the same in every epoch.

    What is left out is never seen, so results vary much with the seed; average over several.
    """

    name: ClassVar[str] = "subg"
    supervision: ClassVar[Supervision] = "train_groups"

    selection: Selection = "worst_group"
    """The rule that chooses the epoch (theirs: the worst group)."""

    def fit(self, task: Task) -> Fitted:
        """Train on the subset.

        Raises:
            InputError: the training images have no group labels.
        """
        task = task.supervised_by(self.supervision)
        return _cut(groups_of(task.train, self.name), self, task)


@final
@dataclass(frozen=True, slots=True)
class SUBY:
    """Trains on as many images of each class as the smallest one has: one subset, the same in every epoch."""

    name: ClassVar[str] = "suby"

    selection: Selection = "worst_group"
    """The rule that chooses the epoch (theirs: the worst group)."""

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train on the subset.

        Raises:
            InputError: the rule needs group labels that validation does not have.
        """
        task = task.supervised_by(self.supervision)
        return _cut(classes_of(task.train), self, task)


class DrawnAlike(MeanLoss):
    """The mean loss of images that are drawn with replacement, each group as often as any other."""

    def __init__(self, groups: Groups, summed: SummedLoss) -> None:
        super().__init__(summed)
        self.groups = groups

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " n"]:
        """As many images as there are."""
        return self.groups.drawn_alike(n, random)


def cut_alike(groups: Groups, random: torch.Generator) -> Int64[Tensor, " m"]:
    """Ascending positions of as many images of each group as the smallest one has, chosen by lot."""
    shuffled = torch.randperm(len(groups.index), generator=random)
    of_group = torch.from_numpy(groups.index)[shuffled]
    kept = [shuffled[of_group == group][: groups.counts.min()] for group in range(len(groups.names))]
    return torch.cat(kept).sort().values


def _drawn(groups: Groups, method: RWG | RWY, task: Task) -> Fitted:
    # Classes that are drawn alike must not be weighted against how often they are there as well.
    loss: Loss = "cross_entropy" if task.training.loss == "balanced" else task.training.loss
    summed = summed_loss(loss, task.train.labels, len(task.train.classes), task.here.device)
    return trained_by(DrawnAlike(groups, summed), method.name, task, method, selection=method.selection)


def _cut(groups: Groups, method: SUBG | SUBY, task: Task) -> Fitted:
    subset = Subset(task.train, cut_alike(groups, generator(task.seed, "subset")))
    summed = summed_loss(task.training.loss, subset.labels, len(subset.classes), task.here.device)
    return trained_by(MeanLoss(summed), method.name, task, method, selection=method.selection, data=subset)

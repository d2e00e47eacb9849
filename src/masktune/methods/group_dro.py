"""GroupDRO: the worst group's loss is made small, by weights that grow with each group's loss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from masktune.errors import InputError
from masktune.methods.base import Fitted, Task
from masktune.methods.groups import Groups, groups_of
from masktune.methods.ranges import Between, Range
from masktune.methods.trained import trained_by
from masktune.training.devices import Processes
from masktune.training.objective import Objective
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class GroupDRO:
    """The online algorithm of Sagawa et al. (ICLR 2020), with group labels of all training images.

    The loss is cross-entropy, whatever the task's settings name.
    """

    name: ClassVar[str] = "group_dro"
    supervision: ClassVar[Supervision] = "train_groups"
    ranges: ClassVar[Mapping[str, Range]] = {
        "step_size": Between(1e-3, 0.3, log=True),
        "adjustment": Between(0.0, 5.0),  # Theirs: 0 to 5.
    }

    step_size: float = 0.01
    """How fast the weights of groups follow their losses (theirs: 0.01); at 0 groups weigh alike."""
    adjustment: float = 0.0
    """C: a group's loss counts as C / sqrt(its images) higher, since that of a small one generalises less."""
    balanced: bool = True
    """Draw each group as often as any other, with replacement; else each image once an epoch."""
    selection: Selection = "worst_group"
    """The rule that chooses the epoch."""

    def __post_init__(self) -> None:
        for name in ("step_size", "adjustment"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"expected a {name} of 0 or more, got {value}")

    def fit(self, task: Task) -> Fitted:
        """Train with the weights of groups.

        Raises:
            InputError: the training images have no group labels.
        """
        task = task.supervised_by(self.supervision)
        objective = GroupLoss(groups_of(task.train, self.name), self)
        return trained_by(objective, self.name, task, self, selection=self.selection)


class GroupLoss(Objective):
    """The groups' mean losses, weighted; after each batch the weights follow them."""

    weights: Float[Tensor, " g"]
    index: Int64[Tensor, " n"]
    added: Float[Tensor, " g"]

    def __init__(self, groups: Groups, settings: GroupDRO) -> None:
        super().__init__()
        self.groups, self.settings = groups, settings
        self.register_buffer("weights", torch.full((len(groups.names),), 1 / len(groups.names)))
        self.register_buffer("index", torch.from_numpy(groups.index), persistent=False)
        added = settings.adjustment / np.sqrt(groups.counts)
        self.register_buffer("added", torch.from_numpy(added.astype(np.float32)), persistent=False)

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " m"]:
        """Each group alike, with replacement; or all images once."""
        if self.settings.balanced:
            return self.groups.drawn_alike(n, random)
        return super().order(n, random)

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """The weighted sum of the means of the groups in the batch, by the weights that these lead to."""
        counts = torch.bincount(self.index[whole.to(self.index.device)], minlength=len(self.weights))
        each = functional.cross_entropy(logits, labels, reduction="none")
        sums = torch.zeros_like(self.weights).index_add(0, self.index[own.to(self.index.device)], each)
        means = sums / counts.clamp(min=1)
        self._follow(here.sum(means), counts > 0)
        return (self.weights * means).sum()

    def _follow(self, means: Float[Tensor, " g"], present: Tensor) -> None:
        """Exponentiated gradient ascent; a group that is not in the batch keeps its weight before they are
        made to sum to 1.
        """
        losses = torch.where(present, means + self.added, torch.zeros_like(means))
        grown = self.weights * torch.exp(self.settings.step_size * losses)
        self.weights = grown / grown.sum()

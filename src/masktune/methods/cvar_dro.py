"""CVaR-DRO: only a batch's images of the highest losses count, whatever their groups."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.ranges import Between, Range
from masktune.methods.trained import trained_by
from masktune.training.devices import Processes
from masktune.training.objective import Objective
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class CVaRDRO:
    """CVaR on each batch (Levy et al., NeurIPS 2020): the mean of its worst share is made small.

    The loss is cross-entropy, whatever the task's settings name. The worst share of a batch is a biased
    estimate of that of all images; the smaller the batch, the more.
    """

    name: ClassVar[str] = "cvar_dro"
    ranges: ClassVar[Mapping[str, Range]] = {"alpha": Between(0.02, 0.5, log=True)}

    alpha: float = 0.1
    """The share of a batch that counts, above 0 and up to 1, which is ERM (0.1: default of SubpopBench, Yang
    et al., ICML 2023)."""
    selection: Selection = "worst_group"
    """The rule that chooses the epoch (of the papers that compare with it: the worst group)."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise InputError(f"expected an alpha above 0 and at most 1, which is ERM, got {self.alpha}")

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train on each batch's worst share.

        Raises:
            InputError: the rule needs group labels that validation does not have.
        """
        task = task.supervised_by(self.supervision)
        return trained_by(WorstShare(self.alpha), self.name, task, self, selection=self.selection)


class WorstShare(Objective):
    """The mean of the highest losses of a batch: those of the share alpha of its images."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """Each image by how much of it is in the worst share of the whole batch."""
        each = functional.cross_entropy(logits, labels, reduction="none")
        count = self.alpha * len(whole)
        losses = torch.cat(here.together([each.detach().cpu()]))
        return (_counted(each.detach(), losses.to(each.device), count) * each).sum() / count


def _counted(own: Float[Tensor, " s"], losses: Float[Tensor, " b"], count: float) -> Float[Tensor, " s"]:
    """How much of each image is among the `count` images of the highest losses: 0 to 1.

    Images at the threshold share what is left alike, so neither their order nor the process matters.
    """
    threshold = losses.sort(descending=True).values[math.ceil(count) - 1]
    above, level = (losses > threshold).sum(), (losses == threshold).sum()
    return (own > threshold).float() + (own == threshold).float() * (count - above) / level

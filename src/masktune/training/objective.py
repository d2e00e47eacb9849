"""What training makes small, and in which order images come: what methods change of ordinary training."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from masktune.training.devices import Processes
from masktune.training.losses import SummedLoss


class Objective(nn.Module, ABC):
    """A batch's loss and an epoch's order. What it remembers lies in buffers, which are saved with a run.

    Images are known by their positions in the training data, so whatever a method knows of them (group,
    weight, running loss) it looks up.
    """

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " m"]:
        """Positions of an epoch's images among n; one may come several times, or not at all."""
        return torch.randperm(n, generator=random)

    def length(self, n: int) -> int:
        """How many positions an epoch's order of n images has."""
        return n

    @abstractmethod
    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """This process's part of a batch's loss; the parts of all processes add up to it.

        Args:
            logits: of this process's share of the batch, which may be empty.
            labels: of the same.
            own: positions of the same.
            whole: positions of the whole batch.
            here: this process among those of the run; each of them comes here once a batch.
        """


class MeanLoss(Objective):
    """Ordinary training: the mean of the images' losses, each image once an epoch."""

    def __init__(self, summed: SummedLoss) -> None:
        super().__init__()
        self.summed = summed

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """Their mean."""
        return self.summed(logits, labels) / len(whole)

"""SAT: what the net has said of an image becomes its target, and what is doubtful goes to "no answer"."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from masktune.data.base import Dataset
from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.heads import WithWarmUp, trained_with_heads, warm_up_epochs
from masktune.training.devices import Processes
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class SAT:
    """Self-adaptive training for selective classification (Huang et al., NeurIPS 2020).

    Each image has a running mean t of the net's probabilities, which starts at its label; the loss is
    -(t_y log p_y + (1 - t_y) log p_abstain).
    """

    name: ClassVar[str] = "sat"

    momentum: float = 0.9
    """Share of the old target (theirs: 0.9)."""
    warm_up: float = 0.5
    """Share of the epochs with cross-entropy of the classes alone (their script on CIFAR-10: 150 of 300)."""
    selection: Selection = "last"
    """The rule that chooses the epoch (theirs: the last)."""

    def __post_init__(self) -> None:
        if not (0 <= self.momentum < 1 and 0 <= self.warm_up < 1):
            raise InputError(
                f"expected momentum and warm_up from 0 to below 1, got {self.momentum} and {self.warm_up}"
            )

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train with targets that follow the net.

        Raises:
            InputError: the rule needs labels that are not there.
        """
        task = task.supervised_by(self.supervision)
        objective = AdaptiveLoss(task.train, warm_up_epochs(self.warm_up, task), self.momentum)
        return trained_with_heads(
            objective, task, self, lambda features: nn.Linear(features, 1), extra=1, confidence="abstain"
        )


class AdaptiveLoss(WithWarmUp):
    """The loss by running targets, which lie by the images' positions in the training data."""

    targets: Float[Tensor, "n k"]

    def __init__(self, data: Dataset, warm_up: int, momentum: float) -> None:
        super().__init__(len(data.classes), warm_up)
        self.momentum = momentum
        one_hot = functional.one_hot(torch.from_numpy(data.labels), len(data.classes)).float()
        self.register_buffer("targets", one_hot)

    def own_loss(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """Its mean; the targets of all images of the batch move first, as in the official code."""
        said = functional.softmax(logits[:, : self.classes].detach(), dim=1)
        parts = here.together([(own, said.cpu())])
        at = torch.cat([part for part, _ in parts]).to(self.targets.device)
        newest = torch.cat([part for _, part in parts]).to(self.targets)
        self.targets[at] = self.momentum * self.targets[at] + (1 - self.momentum) * newest
        logs = functional.log_softmax(logits, dim=1)
        mine = self.targets[own.to(self.targets.device)].gather(1, labels[:, None])[:, 0]
        right, reserve = logs.gather(1, labels[:, None])[:, 0], logs[:, self.classes]
        return -(mine * right + (1 - mine) * reserve).sum() / len(whole)

"""One-sided prediction: each class answers as often as it can while it takes in few images of others."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.heads import trained_with_heads
from masktune.training.devices import Processes
from masktune.training.objective import Objective
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class OSP:
    """One-sided prediction (Gangrade et al., AISTATS 2021), as a game of weights and multipliers.

    For each class k the loss of its own images, plus lambda_k times (that of others being taken in, minus
    epsilon_k), plus mu epsilon_k; lambda_k climbs, epsilon_k falls, both stay at 0 or more. A second head
    learns all images by cross-entropy. An image is answered where a class's probability reaches a threshold,
    so that its own score is softmax response.
    """

    name: ClassVar[str] = "osp"

    alpha: float = 0.9
    """Share of the one-sided loss; the rest is the second head's (a port's)."""
    mu: float = 0.49
    """What a unit of epsilon costs (the port's script: 0.49 or 1.67)."""
    climb: float = 1e-2
    """Step of lambda and epsilon (ours: the port steps both by AdamW at 1e-4, for 200 epochs)."""
    selection: Selection = "last"
    """The rule that chooses the epoch (ours: the last; the port's best one is chosen on evaluation data)."""

    def __post_init__(self) -> None:
        if not (0 <= self.alpha <= 1 and self.mu > 0 and self.climb > 0):
            raise InputError(
                f"expected alpha in [0, 1], mu and climb above 0, got {self.alpha}, {self.mu} and "
                f"{self.climb}"
            )

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train by the game.

        Raises:
            InputError: the rule needs labels that are not there.
        """
        task = task.supervised_by(self.supervision)
        classes = len(task.train.classes)
        return trained_with_heads(
            OneSidedLoss(classes, self),
            task,
            self,
            lambda features: nn.Linear(features, classes),
            extra=classes,
            confidence=None,
        )


class OneSidedLoss(Objective):
    """The game's loss on the whole batch, and its multipliers, which move with each batch."""

    multipliers: Float[Tensor, " k"]
    slacks: Float[Tensor, " k"]

    def __init__(self, classes: int, settings: OSP) -> None:
        super().__init__()
        self.classes = classes
        self.settings = settings
        self.register_buffer("multipliers", torch.ones(classes))
        self.register_buffer("slacks", torch.zeros(classes))

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """This process's part; then the multipliers take a step by the whole batch."""
        k = self.classes
        logs = functional.log_softmax(logits[:, :k], dim=1)
        mine = functional.one_hot(labels, k).to(logs)
        inside, outside = (-logs * mine).sum(dim=0), (_minus_log_of_others(logs) * (1 - mine)).sum(dim=0)
        counts = torch.stack([mine.sum(dim=0), (1 - mine).sum(dim=0)])
        sums = torch.stack([inside, outside])
        parts = here.together([(sums.detach().cpu(), counts.cpu())])
        totals = torch.stack([part for part, _ in parts]).sum(dim=0).to(sums)
        sizes = torch.stack([part for _, part in parts]).sum(dim=0).to(sums).clamp(min=1)
        held = self.multipliers.clone()
        constant = (self.settings.mu * self.slacks - held * self.slacks).sum() / len(parts)
        loss = (sums[0] / sizes[0] + held * sums[1] / sizes[1]).sum() + constant
        self._step(totals[1] / sizes[1])
        auxiliary = functional.cross_entropy(logits[:, k:], labels, reduction="sum") / len(whole)
        return self.settings.alpha * loss + (1 - self.settings.alpha) * auxiliary

    def _step(self, taken_in: Float[Tensor, " k"]) -> None:
        """Lambda climbs by how much the constraint is missed, epsilon falls by what it costs."""
        slope = self.settings.mu - self.multipliers
        self.multipliers += self.settings.climb * (taken_in - self.slacks)
        self.slacks -= self.settings.climb * slope
        self.multipliers.clamp_(min=0)
        self.slacks.clamp_(min=0)


def _minus_log_of_others(logs: Float[Tensor, "s k"]) -> Float[Tensor, "s k"]:
    """-log(1 - p_k) of each class, by the other classes' probabilities."""
    k = logs.shape[1]
    others = (
        logs[:, None, :]
        .expand(-1, k, -1)
        .masked_fill(torch.eye(k, dtype=torch.bool, device=logs.device), -torch.inf)
    )
    return -torch.logsumexp(others, dim=2)

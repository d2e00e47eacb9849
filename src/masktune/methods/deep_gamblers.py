"""Deep Gamblers: a further class "no answer", on which a doubtful image may put its stake."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.heads import WithWarmUp, trained_with_heads, warm_up_epochs
from masktune.training.devices import Processes
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class DeepGamblers:
    """Deep Gamblers (Liu et al., NeurIPS 2019): -log(p_y + p_abstain / o), after a warm-up without it.

    The payoff o lies above 1, where abstaining would always pay, and below the number of classes, where it
    never does.
    """

    name: ClassVar[str] = "deep_gamblers"

    o: float | None = None
    """The payoff; None is 2.2, their best single one, or 1.8 for two classes (ours: theirs needs more)."""
    warm_up: float = 1 / 3
    """Share of the epochs with cross-entropy of the classes alone (theirs on CIFAR-10: 100 of 300)."""
    selection: Selection = "last"
    """The rule that chooses the epoch (theirs: the last)."""

    def __post_init__(self) -> None:
        if self.o is not None and not self.o > 1:
            raise InputError(f"expected a payoff o above 1, got {self.o}")
        if not 0 <= self.warm_up < 1:
            raise InputError(f"expected a share of the epochs for warm-up, 0 to below 1, got {self.warm_up}")

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train with a reserve.

        Raises:
            InputError: a payoff of the number of classes or more; the rule needs labels that are not there.
        """
        task = task.supervised_by(self.supervision)
        classes = len(task.train.classes)
        payoff = self.o if self.o is not None else (2.2 if classes > 2 else 1.8)
        if payoff >= classes:
            raise InputError(
                f"expected a payoff o below the {classes} classes, got {payoff}: it would never abstain"
            )
        objective = GamblersLoss(classes, warm_up_epochs(self.warm_up, task), payoff)
        return trained_with_heads(
            objective, task, self, lambda features: nn.Linear(features, 1), extra=1, confidence="abstain"
        )


class GamblersLoss(WithWarmUp):
    """-log(p_y + p_abstain / o), of logits."""

    def __init__(self, classes: int, warm_up: int, payoff: float) -> None:
        super().__init__(classes, warm_up)
        self.payoff = payoff

    def own_loss(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """Its mean; in logarithms, so that it stays finite at any logits."""
        logs = functional.log_softmax(logits, dim=1)
        right = logs.gather(1, labels[:, None])[:, 0]
        reserve = logs[:, self.classes] - math.log(self.payoff)
        return -torch.logaddexp(right, reserve).sum() / len(whole)

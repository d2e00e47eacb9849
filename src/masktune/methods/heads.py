"""Training a classifier together with a head for abstaining."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from masktune.methods.base import Fitted, Task
from masktune.methods.trained import state_of_outputs, trained_by
from masktune.models.classifier import Classifier
from masktune.models.with_heads import Confidence, WithHeads, with_heads
from masktune.seeds import seed_of
from masktune.training.devices import Processes
from masktune.training.objective import Objective


class WithWarmUp(Objective):
    """Cross-entropy of the classes for some epochs, before the head has a say; each order begins an epoch."""

    epochs: Int64[Tensor, ""]

    def __init__(self, classes: int, warm_up: int) -> None:
        super().__init__()
        self.classes = classes
        self.warm_up = warm_up
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " m"]:
        """As ordinary training; one more epoch has begun."""
        self.epochs += 1
        return super().order(n, random)

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of the classes at first, then the method's own loss."""
        if 0 < int(self.epochs) <= self.warm_up:
            return functional.cross_entropy(logits[:, : self.classes], labels, reduction="sum") / len(whole)
        return self.own_loss(logits, labels, own, whole, here)

    @abstractmethod
    def own_loss(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """This process's part of the method's loss; arguments as those of `Objective.forward`."""


def warm_up_epochs(share: float, task: Task) -> int:
    """Epochs that a share of the task's training is, rounded down."""
    return int(share * task.training_within(len(task.train)).epochs)


class AllOutputs(nn.Module):
    """A classifier's logits and its heads' outputs, of images in [0, 1]: what a loss is computed of."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k_and_e"]:
        """The logits of the classes come first."""
        net = self.classifier.net
        assert isinstance(net, WithHeads)
        return net.outputs(self.classifier.to_net_input(images))


def trained_with_heads(
    objective: Objective,
    task: Task,
    method: Any,
    make: Callable[[int], nn.Module],
    *,
    extra: int,
    confidence: Confidence,
) -> Fitted:
    """Train the task's classifier with `extra` further outputs, by an objective of all of them.

    Args:
        objective: gets (s, k + extra) outputs.
        task: with the group labels that the method declares.
        method: its settings, name and rule.
        make: the heads for so many features.
        extra: how many outputs they have.
        confidence: what the first of them is.

    Raises:
        InputError: the net has no last layer to put a head beside; the rule needs labels that are not there.
        TrainingDiverged: see `train_to_end`.
    """
    start = task.build()
    net = with_heads(start.net, start.spec, make, confidence, seed_of(task.seed, method.name, "heads"))
    result = Classifier(net, start.spec, start.classes)
    names = (*start.classes, *(f"head {at}" for at in range(extra)))
    state = state_of_outputs(AllOutputs(result), start.spec, names, task)
    return trained_by(objective, method.name, task, method, selection=method.selection, twins=(state, result))

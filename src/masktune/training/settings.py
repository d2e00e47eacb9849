"""How weights are trained: optimiser, schedule, batch size, and the rule that picks a checkpoint."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import nn

from masktune.errors import InputError
from masktune.training.augment import Augment
from masktune.training.execution import Precision
from masktune.training.losses import Loss
from masktune.types import Selection, check_choice

Annealing = Literal["none", "linear"]


@dataclass(frozen=True, slots=True)
class Training:
    """The settings of ordinary training (ERM); the tuning epoch starts from what they leave behind."""

    epochs: int = 10
    """Passes over the training images."""
    batch_size: int = 128
    """Images a step (the official scripts' value for all small-image experiments)."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """SGD with momentum, or Adam."""
    learning_rate: float = 0.01
    """At the first epoch."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-4
    """L2 penalty, on all parameters."""
    decay: float = 0.5
    """The learning rate is multiplied by this at each milestone."""
    milestones: tuple[int, ...] = (25, 50, 75)
    """Epochs (counted from 0) at whose start the learning rate decays."""
    annealing: Annealing = "none"
    """`linear` lets the learning rate fall to zero over the whole training, step by step."""
    selection: Selection = "validation_accuracy"
    """Which epoch's weights are kept as the best."""
    precision: Precision = "float32"
    """Type of the numbers in training; maps and predictions are always made in float32. bfloat16 speeds up
    some nets and slows down others, so a recipe asks for `auto` where that was measured."""
    loss: Loss = "cross_entropy"
    """`balanced` weighs all classes alike, `smoothed` is label smoothing of 0.1."""
    augment: Augment = "none"
    """Mirrors images by chance, crops them a little, or both; a mask moves with its image."""

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1:
            raise InputError(f"expected epochs >= 0, batch_size >= 1, got {self.epochs}, {self.batch_size}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"expected a positive learning rate, got {self.learning_rate}")
        if not (0 <= self.momentum < 1 and self.weight_decay >= 0 and 0 < self.decay <= 1):
            raise InputError(
                f"expected momentum in [0, 1), weight_decay >= 0 and decay in (0, 1], "
                f"got {self.momentum}, {self.weight_decay} and {self.decay}"
            )
        check_choice("optimizer", self.optimizer, ("sgd", "adam"))
        check_choice("annealing", self.annealing, get_args(Annealing))
        check_choice("selection", self.selection, get_args(Selection))
        check_choice("precision", self.precision, get_args(Precision))
        check_choice("loss", self.loss, get_args(Loss))
        check_choice("augment", self.augment, get_args(Augment))

    def with_epochs(self, epochs: int) -> "Training":
        """The same for another number of epochs; milestones move with them."""
        if self.epochs == 0:
            return replace(self, epochs=epochs)
        milestones = tuple(-(-epochs * at // self.epochs) for at in self.milestones)
        return replace(self, epochs=epochs, milestones=milestones)

    def learning_rate_at(self, epoch: int | float) -> float:
        """The learning rate when this many epochs are done; 1.5 is the middle of the second one."""
        rate = self.learning_rate * self.decay ** sum(epoch >= milestone for milestone in self.milestones)
        return rate * (1 - epoch / max(self.epochs, 1)) if self.annealing == "linear" else rate

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimiser at the first epoch's learning rate."""
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )

"""Two classifiers that are trained at once, for methods in which one net tells the other what to learn."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.methods.base import Task
from masktune.methods.trained import state_of_outputs
from masktune.models.classifier import Classifier
from masktune.training.checkpoints import TrainState


class Twins(nn.Module):
    """Two classifiers of k classes that see the same images: logits of the first, then of the second."""

    def __init__(self, first: Classifier, second: Classifier) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k2"]:
        """(b, 2 k) logits of images in [0, 1]."""
        return torch.cat([self.first(images), self.second(images)], dim=1)


def twins_of(task: Task) -> tuple[Twins, TrainState]:
    """The task's classifier twice, from the same weights, and the state of training both at once."""
    twins = Twins(task.build(), task.build())
    names = tuple(f"{twin}: {name}" for twin in ("first", "second") for name in twins.first.classes)
    return twins, state_of_outputs(twins, twins.first.spec, names, task, nets=2)

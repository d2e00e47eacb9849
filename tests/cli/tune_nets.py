"""A user's file of nets for 24 x 24 grey images: the tests of tune give its path as --model."""

import torch
from torch import nn

from masktune.types import InputSpec


def two():
    """Two logits."""
    return Small(2)


def four():
    """Four logits."""
    return Small(4)


def one():
    """One logit, and nothing is said of the input."""
    net = Small(1)
    del net.spec
    return net


class Small(nn.Module):
    """Two convolutions with batch norm, and a layer that sees where things are."""

    def __init__(self, logits):
        super().__init__()
        self.spec = InputSpec((24, 24), channels=1)
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Linear(8 * 6 * 6, logits)

    def forward(self, images):
        return self.head(self.features(images).flatten(1))


class Same(Small):
    """Two logits, the second of which is always the larger one."""

    def __init__(self):
        super().__init__(2)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([-100.0, 100.0]))

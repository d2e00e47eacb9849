"""Nets whose rule is written down, as a user's file of nets: the tests give its path as --model."""

import torch
from torch import nn

from masktune.types import InputSpec


class ReadsCorner(nn.Module):
    """Says cross where the bottom right corner is bright, circle elsewhere; it never sees the shape."""

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 32), channels=1)
        self.features = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AvgPool2d(4))
        with torch.no_grad():
            self.features[0].weight.fill_(1)
            self.features[0].bias.zero_()
        corner = torch.zeros(8, 8)
        corner[6:, 6:] = 0.25
        self.register_buffer("corner", corner)

    def forward(self, images):
        bright = (self.features(images)[:, 0] * self.corner).sum((1, 2))
        return torch.stack([torch.zeros_like(bright), 20 * (bright - 0.75)], dim=1)


class Same(nn.Module):
    """Says the same of every image."""

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 32), channels=1)
        self.features = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())

    def forward(self, images):
        return self.features(images).mean((2, 3)) * 1e-9 + torch.tensor([0.0, 1.0])


def three():
    """For three classes."""
    return nn.Sequential(ReadsCorner(), nn.Linear(2, 3))

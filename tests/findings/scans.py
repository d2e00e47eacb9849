"""Whole scans of made images with a net whose rule is written down; seconds each."""

from functools import cache

import torch
from torch import nn

from masktune.findings import ScanSettings, scan_images
from masktune.models.classifier import Classifier
from masktune.testing import Marker, ShortcutImages
from masktune.types import InputSpec

SIZE = (32, 32)
MARKER = Marker("square", 0.2, "bottom right", of_class="cross", strength=1.0)


class ReadsCorner(nn.Module):
    """Says cross where the bottom right corner is bright, circle elsewhere; it never sees the shape."""

    def __init__(self):
        super().__init__()
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


def marked(n=200, seed=0):
    """Circles and crosses; a white square in the corner of nearly all crosses."""
    return ShortcutImages(n, seed=seed, size=SIZE, marker=MARKER)


def classifier(data):
    return Classifier(ReadsCorner(), InputSpec(SIZE, channels=1), data.classes).eval()


@cache
def small_scan(seed=0):
    """200 images, the classifier that reads the corner."""
    data = marked(seed=seed)
    return scan_images("made", classifier(data), data, ScanSettings(shown=20))

"""Whole scans of made images with a net whose rule is written down; seconds each."""

from functools import cache

from findings.corner_net import ReadsCorner
from masktune.findings import ScanSettings, scan_images
from masktune.models.classifier import Classifier
from masktune.testing import Marker, ShortcutImages
from masktune.types import InputSpec

SIZE = (32, 32)
MARKER = Marker("square", 0.2, "bottom right", of_class="cross", strength=1.0)


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

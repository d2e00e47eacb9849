"""Swapping a place between images, with nets whose rule is written down."""

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data.memory import InMemory
from masktune.findings.observe import Observer
from masktune.findings.observed import Spot
from masktune.findings.settings import ScanSettings
from masktune.findings.transplants import recurrence, transplanted
from masktune.models.classifier import Classifier
from masktune.types import InputSpec

CORNER = Spot(1, (0, 0, 0.25, 0.25), "top left corner")
EVERYWHERE = Spot(1, (0, 0, 1, 1), "centre")
BORDER = Spot(1, (0, 0, 1, 1), "border", (1 / 8, 1 / 8, 7 / 8, 7 / 8))


class LooksAt(nn.Module):
    """Class 1 where the mean of a part of the picture is above one half; there is a layer to explain."""

    def __init__(self, rows, columns):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.layer = nn.Conv2d(1, 1, 1)
        nn.init.ones_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, images):
        part = self.layer(images)[:, 0, self.rows, self.columns].mean((1, 2))
        return torch.stack([torch.zeros_like(part), 20 * (part - 0.5)], dim=1)


def data(n=40):
    """Noise around 0.3; half of the images, class 1, have a white top left corner of 4 x 4 pixels."""
    generator = torch.Generator().manual_seed(0)
    images = 0.2 + 0.2 * torch.rand(n, 1, 16, 16, generator=generator)
    labels = np.arange(n) % 2
    images[labels == 1, :, :4, :4] = 1
    return InMemory(images, labels.astype(np.int64), np.array([f"{i:03d}" for i in range(n)]), ("no", "yes"))


def tried(net, spot=CORNER, units=None, n=40):
    images = data(n)
    classifier = Classifier(net, InputSpec((16, 16), channels=1), images.classes).eval()
    observer = Observer(classifier, ScanSettings(), torch.device("cpu"))
    predicted = observer.logits(images.__getitems__(range(n)).images).argmax(1)
    units = np.arange(n) if units is None else units
    return list(transplanted(observer, images, (spot,), predicted, units)), predicted


def test_a_net_that_reads_the_corner_goes_with_it():
    (found,), predicted = tried(LooksAt(slice(0, 4), slice(0, 4)))
    assert (predicted == np.arange(40) % 2).all()
    assert len(found.gain) == len(found.loss) == 20
    # From about 0.3 to 1 in the corner: from sigmoid(-4) to sigmoid(10).
    assert found.gain == pytest.approx(np.full(20, 0.98), abs=0.02)
    assert found.loss == pytest.approx(np.full(20, 0.98), abs=0.02)
    assert found.flipped_in.all()
    assert found.flipped_out.all()
    assert set(found.ids_in) == {f"{i:03d}" for i in range(0, 40, 2)}


def test_a_net_that_reads_elsewhere_does_not_care():
    """It reads the lower right quarter alone."""
    net = LooksAt(slice(8, 16), slice(8, 16))
    images = data()
    images.images[1::2, :, 8:, 8:] = 1
    classifier = Classifier(net, InputSpec((16, 16), channels=1), images.classes).eval()
    observer = Observer(classifier, ScanSettings(), torch.device("cpu"))
    (found,) = transplanted(observer, images, (CORNER,), np.arange(40) % 2, np.arange(40))
    assert (found.gain == 0).all()
    assert not found.flipped_in.any()
    assert not found.flipped_out.any()


def test_a_border_is_swapped_and_what_it_frames_stays():
    images = data()
    images.images[1::2] = 0.3 + 0 * images.images[1::2]
    images.images[1::2, :, :2] = 1  # The upper two of 16 rows: an eighth.
    for net, goes_along in (
        (LooksAt(slice(0, 2), slice(0, 16)), True),
        (LooksAt(slice(2, 14), slice(2, 14)), False),
    ):
        classifier = Classifier(net, InputSpec((16, 16), channels=1), images.classes).eval()
        observer = Observer(classifier, ScanSettings(), torch.device("cpu"))
        (found,) = transplanted(observer, images, (BORDER,), np.arange(40) % 2, np.arange(40))
        assert found.flipped_in.all() == goes_along
        assert (found.gain == 0).all() != goes_along


def test_a_frame_recurs_whatever_it_holds():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(50, 1, 32, 32, generator=generator)
    assert abs(recurrence(images, BORDER)) < 0.02
    inside = images.clone()
    inside[:, :, 8:24, 8:24] = torch.rand(1, 1, 16, 16, generator=generator)
    assert abs(recurrence(inside, BORDER)) < 0.02
    framed = torch.rand(1, 1, 32, 32, generator=generator).repeat(50, 1, 1, 1)
    framed[:, :, 4:28, 4:28] = images[:, :, 4:28, 4:28]
    assert recurrence(framed, BORDER) > 0.8  # Blurring lets a little of the inside through.


def test_a_subject_gives_one_image():
    (found,), _ = tried(LooksAt(slice(0, 4), slice(0, 4)), units=np.repeat(np.arange(10), 4))
    assert len(found.gain) + len(found.loss) == 10


def test_the_order_of_the_batch_and_its_size_change_nothing():
    (first,), _ = tried(LooksAt(slice(0, 4), slice(0, 4)))
    (again,), _ = tried(LooksAt(slice(0, 4), slice(0, 4)))
    assert (first.gain == again.gain).all()


def test_copies_of_a_mark_recur_and_noise_does_not():
    generator = torch.Generator().manual_seed(0)
    mark = torch.rand(1, 1, 8, 8, generator=generator)
    assert recurrence(mark.expand(10, -1, -1, -1), EVERYWHERE) == pytest.approx(1)
    assert abs(recurrence(torch.rand(200, 1, 8, 8, generator=generator), EVERYWHERE)) < 0.01


def test_recurrence_is_the_mean_correlation_of_pairs():
    generator = torch.Generator().manual_seed(1)
    patches = torch.rand(6, 1, 3, 3, generator=generator) + torch.rand(1, 1, 3, 3, generator=generator)
    # With 3 x 3 pixels the blur is over 3 x 3, borders left out: by hand with numpy.
    sharp = []
    for patch in patches[:, 0].numpy().astype(np.float64):
        blurred = np.array(
            [[patch[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean() for x in range(3)] for y in range(3)]
        )
        sharp.append((patch - blurred).ravel())
    table = np.corrcoef(sharp)
    pairs = table[np.triu_indices(6, 1)]
    assert recurrence(patches, EVERYWHERE) == pytest.approx(pairs.mean(), abs=1e-5)


def test_flat_patches_have_nothing_to_compare():
    assert recurrence(torch.zeros(5, 1, 8, 8), EVERYWHERE) == 0

"""What `InMemory` does with images of more than 8 bits; the rest of it is tested in test_base.py."""

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.models import Classifier
from masktune.types import InputSpec


def of_floats(images):
    n = len(images)
    return InMemory(images, np.zeros(n, np.int64), np.array([f"id-{i}" for i in range(n)]), ("a", "b"))


def test_sixteen_bits_stay_sixteen_bits():
    # Neighbours among 65,536 values: in 8 bits all three would be one.
    source = np.array([4094, 4095, 4096], np.uint16)
    images = torch.from_numpy(source.astype(np.float32) / np.float32(65535)).view(3, 1, 1, 1)
    drawn = of_floats(images).__getitems__([2, 0, 1]).images
    assert drawn.dtype == torch.float32
    assert (drawn.double() * 65535).round().flatten().tolist() == [4096, 4094, 4095]


def test_black_and_white_are_within_the_range():
    images = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert of_floats(images).__getitems__([1, 0]).images.flatten().tolist() == [1, 0]


def test_no_images_are_images_too():
    assert len(of_floats(torch.zeros(0, 1, 4, 4))) == 0


def test_a_classifier_takes_them_as_they_are():
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    expected = net((images - 0.5) / 0.25)
    spec = InputSpec((4, 4), channels=1, mean=(0.5,), std=(0.25,))
    assert torch.equal(
        Classifier(net, spec, ("a", "b"))(of_floats(images).__getitems__([0, 1]).images), expected
    )


@pytest.mark.parametrize(
    ("values", "came"), [([0, 255], "0 to 255"), ([-0.5, 1], "-0.5 to 1"), ([float("nan"), 1], "nan to nan")]
)
def test_floats_outside_the_range_are_refused(values, came):
    with pytest.raises(InputError) as caught:
        of_floats(torch.tensor(values, dtype=torch.float32).view(2, 1, 1, 1))
    assert str(caught.value) == (
        f"expected float images in [0, 1], got {came}; divide by the value of white, and leave "
        f"normalising to the classifier"
    )

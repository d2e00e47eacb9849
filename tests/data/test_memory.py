"""What `InMemory` does with images of more than 8 bits; the rest of it is tested in test_base.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.data.memory import in_memory
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


def test_a_data_set_that_is_read_whole_stays_what_it_was():
    source = InMemory(
        torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8),
        np.array([0, 1, 0, 1, 1]),
        np.array(list("vwxyz")),
        ("a", "b"),
        groups=np.array(list("mnmnm")),
    )
    whole = in_memory(source, at_once=2)
    assert torch.equal(whole.images, source.images)
    for column in ("ids", "labels", "groups"):
        assert getattr(whole, column).tolist() == getattr(source, column).tolist()
    assert (whole.classes, whole.subjects) == (source.classes, None)


def test_one_batch_of_floats_makes_all_of_them_floats():
    class Mixed(InMemory):
        def __getitems__(self, indices):
            batch = super().__getitems__(indices)
            return replace(batch, images=batch.images / 255) if 0 in indices else batch

    n = 4
    images = torch.full((n, 1, 2, 2), 51, dtype=torch.uint8)
    mixed = Mixed(images, np.zeros(n, np.int64), np.array([f"id-{i}" for i in range(n)]), ("a", "b"))
    whole = in_memory(mixed, at_once=2)
    assert whole.images.dtype == torch.float32
    assert torch.allclose(whole.images, torch.full_like(whole.images, 0.2))

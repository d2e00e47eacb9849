"""Images as small JPEG files."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.runs.pictures import joined, jpegs, parted


def opened(images):
    """The pictures again."""
    return [Image.open(io.BytesIO(file)) for file in jpegs(images)]


def plain(colours, size=(40, 60)):
    """One image of a colour each, (n, c, h, w)."""
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, *size)


def middle(picture):
    return np.asarray(picture)[20, 30].tolist()


def test_colours_and_their_order_are_kept():
    # Red, blue, as whole numbers and as floats; JPEG moves a value by a few.
    for images in (
        plain([[250, 10, 20], [10, 20, 250]]).to(torch.uint8),
        plain([[0.98, 0.04, 0.08], [0.04, 0.08, 0.98]]),
    ):
        red, blue = opened(images)
        assert red.format == "JPEG"
        assert red.size == (60, 40)
        assert middle(red) == pytest.approx([250, 10, 20], abs=4)
        assert middle(blue) == pytest.approx([10, 20, 250], abs=4)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (5, "RGB")])
def test_of_other_channels_the_first_are_shown(channels, mode):
    (picture,) = opened(plain([[200, 100, 50, 25, 12][:channels]]).to(torch.uint8))
    assert picture.mode == mode
    assert middle(picture) == pytest.approx([200, 100, 50] if mode == "RGB" else 200, abs=4)


@pytest.mark.parametrize(
    ("size", "shown"), [((28, 28), (28, 28)), ((448, 448), (224, 224)), ((600, 300), (112, 224))]
)
def test_large_images_become_smaller_and_small_ones_stay(size, shown):
    (picture,) = opened(torch.zeros(1, 3, *size))
    assert picture.size == shown  # Width, then height.


def test_no_image_is_no_picture():
    assert jpegs(torch.zeros(0, 3, 8, 8)) == []


@pytest.mark.parametrize("files", [[], [b"one"], [b"one", b"", b"three"]])
def test_files_that_were_joined_are_parted_again(files):
    arrays = joined(files)
    assert arrays["pictures"].tobytes() == b"".join(files)
    assert arrays["pictures_end"].tolist() == np.cumsum([len(one) for one in files]).tolist()
    assert parted(arrays) == files

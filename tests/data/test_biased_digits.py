import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from masktune.data import BiasedDigits, Shortcut
from masktune.data.biased_digits import read_digits
from masktune.errors import InputError


def test_sizes_and_names():
    splits = BiasedDigits.splits()
    assert (splits.name, splits.variant) == ("biased-digits", "sorted")
    assert (len(splits.train), len(splits.validation)) == (1000, 200)
    assert {name: len(data) for name, data in splits.tests.items()} == {
        "raw": 597,
        "aligned": 597,
        "conflicting": 597,
    }
    assert len(BiasedDigits("validation_conflicting")) == 100
    assert splits.train.images.shape == (1000, 3, 28, 28)
    assert splits.train.classes == ("0-4", "5-9")
    assert len(splits.sha256) == 64


def test_the_embedded_digits_are_scikit_learns_enlarged():
    images, digits = read_digits()
    source = load_digits()
    assert np.array_equal(digits, source.target)
    ink = torch.from_numpy(source.images).float()[:, None] / 16
    inner = functional.interpolate(ink, (20, 20), mode="bilinear", align_corners=False)[:, 0]
    assert np.array_equal(images[:, 4:24, 4:24], (inner * 255).round().numpy())


def test_digits_stand_in_a_frame_and_the_corner_is_free():
    images, _ = read_digits()
    framed = images.copy()
    framed[:, 4:24, 4:24] = 0
    assert not framed.any()
    assert images.reshape(len(images), -1).max(axis=1).min() > 200


def test_the_cached_source_cannot_be_changed():
    images, digits = read_digits()
    for array in (images, digits):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_every_image_is_in_one_split():
    names = [set(BiasedDigits(split).ids) for split in ("train", "validation", "raw")]
    assert len(set.union(*names)) == 1797 == sum(map(len, names))


def test_the_shortcut_in_training():
    # 598 of the first 1,200 digits are below five: round(598 * 0.9) = 538 and round(602 * 0.1) = 60.
    splits = BiasedDigits.splits(shortcut=Shortcut(conflict_ratio=0.1))
    groups = np.concatenate([splits.train.groups, splits.validation.groups])
    names, counts = np.unique(groups, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "0-4 with square": 538,
        "0-4 without square": 60,
        "5-9 with square": 60,
        "5-9 without square": 542,
    }


def test_the_square_covers_no_ink_and_all_of_it_is_known():
    data = BiasedDigits("conflicting")
    pixels = data.shortcut_pixels(range(len(data)))
    assert pixels.sum((1, 2)).unique().tolist() == [0, 16]
    assert torch.equal(pixels.any(2).any(1), torch.from_numpy(data.labels == 1))
    assert not data.grey.images[pixels.numpy()].any()


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_split():
    with pytest.raises(InputError, match=r"^unknown split 'trian' \(did you mean 'train'"):
        BiasedDigits("trian")

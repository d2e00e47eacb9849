from pathlib import Path

import numpy as np
import pytest
import torch

from masktune.data import BiasedMNIST, Shortcut
from masktune.data.biased_images import BiasedDigitImages, GreyDigits, lay_out
from masktune.data.idx import fingerprint, read_mnist
from masktune.errors import DataNotFound, InputError

from .files_of_mnist import some_digits, write_mnist

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
real_data = [
    pytest.mark.real_data,
    pytest.mark.skipif(not MNIST.is_dir(), reason=f"no MNIST at {MNIST}"),
]


@pytest.fixture
def small(tmp_path):
    """A folder with 90 training images, of which a fifth is held back, and 30 test images."""
    write_mnist(tmp_path / "MNIST" / "raw")
    return tmp_path


def test_all_splits_of_a_folder(small):
    splits = BiasedMNIST.splits(small, shortcut=Shortcut(protocol="random"), seed=3)
    assert (splits.name, splits.variant, splits.sha256) == ("biased-mnist", "random", fingerprint(small))
    assert (len(splits.train), len(splits.validation)) == (72, 18)
    assert {name: len(data) for name, data in splits.tests.items()} == {
        "raw": 30,
        "aligned": 30,
        "conflicting": 30,
    }
    assert not set(splits.train.ids) & set(splits.validation.ids)
    assert splits.tests["raw"].ids.tolist() == [f"test/{i:05d}" for i in range(30)]


def test_the_test_sets_are_the_same_images_with_and_without_the_square(small):
    _, digits = read_mnist(small, "test")
    raw, aligned, conflicting = (BiasedMNIST(small, split) for split in ("raw", "aligned", "conflicting"))
    assert raw.labels.tolist() == (digits >= 5).astype(int).tolist()
    low = torch.from_numpy(digits < 5)
    for data, carriers in ((aligned, low), (conflicting, ~low)):
        assert torch.equal(data.images[~carriers], raw.images[~carriers])
        square = data.images[carriers][:, :, :4, :4]
        assert square[:, 0].unique().tolist() == [255]
        assert square[:, 1:].unique().tolist() == [0]
        rest = torch.ones(28, 28, dtype=torch.bool)
        rest[:4, :4] = False
        assert torch.equal(data.images[:, :, rest], raw.images[:, :, rest])
    assert set(aligned.groups) == {"0-4 with square", "5-9 without square"}
    assert set(conflicting.groups) == {"0-4 without square", "5-9 with square"}


def test_the_seed_draws_what_is_held_back(small):
    held_back = {seed: set(BiasedMNIST(small, "validation", seed=seed).ids) for seed in (0, 1)}
    assert set(BiasedMNIST(small, "validation", seed=0).ids) == held_back[0]
    assert held_back[0] != held_back[1]


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_split_is_said_before_any_file_is_read(tmp_path):
    with pytest.raises(InputError) as caught:
        BiasedMNIST(tmp_path / "nowhere", "conflict")
    assert str(caught.value) == (
        "unknown split 'conflict' (did you mean 'conflicting' or 'validation_conflicting'?); there are "
        "train, validation, validation_conflicting, raw, aligned, conflicting"
    )


def test_no_data_at_the_folder(tmp_path):
    with pytest.raises(DataNotFound, match=f"no MNIST at {tmp_path}: looked for train-images"):
        BiasedMNIST.splits(tmp_path)


def test_too_few_images_to_hold_some_back():
    images, digits = some_digits(20, 1)
    with pytest.raises(InputError, match=r"^expected more than 20 training images, .*, got 20$"):
        lay_out(GreyDigits.of("train", images, digits), "train", Shortcut(), 20, 0)


class TestOnRealMNIST:
    pytestmark = real_data

    def test_the_counts_of_the_official_code(self):
        grey = GreyDigits.of("train", *read_mnist(MNIST, "train"))
        sorted_digits, carries = lay_out(grey, "train", Shortcut(), 0, 0)
        first, second = sorted_digits.digits < 5, sorted_digits.digits >= 5
        assert (len(carries), first.sum(), second.sum()) == (60_000, 30_596, 29_404)
        assert (carries[first].sum(), carries[second].sum()) == (30_290, 294)
        # All 306 without the square are 4s, all 294 with it are 5s.
        assert np.unique(sorted_digits.digits[first & ~carries]).tolist() == [4]
        assert np.unique(sorted_digits.digits[second & carries]).tolist() == [5]

    def test_the_splits_and_their_groups(self):
        train = BiasedMNIST(MNIST, "train")
        held_back = BiasedMNIST(MNIST, "validation")
        assert (len(train), len(held_back)) == (48_000, 12_000)
        names, counts = np.unique(np.concatenate([train.groups, held_back.groups]), return_counts=True)
        assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
            "0-4 with square": 30_290,
            "0-4 without square": 306,
            "5-9 with square": 294,
            "5-9 without square": 29_110,
        }
        assert isinstance(train, BiasedDigitImages)
        conflicting = BiasedMNIST(MNIST, "conflicting")
        names, counts = np.unique(conflicting.groups, return_counts=True)
        assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
            "0-4 without square": 5_139,
            "5-9 with square": 4_861,
        }
        assert len(BiasedMNIST(MNIST, "validation_conflicting")) == 6_000

    def test_a_square_covers_some_ink_of_few_digits(self):
        # The corner is free in all but a handful of the 10,000 test images, so the square hides no digit.
        images, _ = read_mnist(MNIST, "test")
        assert (images[:, :4, :4] > 0).any(axis=(1, 2)).sum() < 20

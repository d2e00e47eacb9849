import numpy as np
import pytest
from scipy.io import savemat

from masktune.data.decode import decode
from masktune.data.official import svhn as room
from masktune.data.official.facts import counted
from masktune.data.official.missing import MissingFiles
from masktune.data.official.svhn import CLASSES, list_svhn
from masktune.errors import DataDamaged, DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import digits, svhn, write_image, write_parquet


def images_of(listing):
    contents = listing.samples.contents
    return np.stack([decode(contents.read(at)).values for at in range(len(contents))])


def test_what_the_files_hold(tmp_path):
    listing = list_svhn(svhn(tmp_path))
    samples = listing.samples
    parts = [digits(split) for split in ("test", "train")]
    assert samples.ids.tolist() == [f"test/{at:05d}" for at in range(11)] + [
        f"train/{at:05d}" for at in range(12)
    ]
    assert samples.labels.tolist() == [label for labels, _ in parts for label in labels]
    assert np.array_equal(images_of(listing), np.concatenate([images for _, images in parts]))
    assert samples.classes == CLASSES


def test_layouts_give_the_same(tmp_path):
    first, second = list_svhn(svhn(tmp_path / "a")), list_svhn(svhn(tmp_path / "b", "parquet"))
    assert first.sha256 == second.sha256
    assert np.array_equal(images_of(first), images_of(second))


def test_the_hubs_extra_digits_are_not_read(tmp_path):
    assert set(list_svhn(svhn(tmp_path, "parquet")).samples.split_names) == {"train", "test"}


def test_a_folder_a_digit(tmp_path):
    for digit in range(10):
        write_image(tmp_path / str(digit) / "a.png", digit, kind="PNG")
    samples = list_svhn(tmp_path).samples
    assert samples.labels.tolist() == list(range(10))
    assert samples.splits is None


def test_a_digit_without_a_folder(tmp_path):
    for digit in range(9):
        write_image(tmp_path / str(digit) / "a.png", digit, kind="PNG")
    with pytest.raises(MissingFiles) as caught:
        list_svhn(tmp_path)
    assert caught.value.missing == ("9/",)


def test_a_folder_that_is_no_digits(tmp_path):
    for digit in range(11):
        write_image(tmp_path / str(digit) / "a.png", digit, kind="PNG")
    with pytest.raises(
        InputError, match=r"expected a folder a digit, 0 to 9, in .*, got '10' too; move others"
    ):
        list_svhn(tmp_path)


def test_mnists_digits_in_the_same_columns_are_told_by_their_size(tmp_path):
    for split in ("train", "test"):
        labels, images = digits(split)
        write_parquet(tmp_path / f"{split}.parquet", images[:, :28, :28], labels, classes=CLASSES)
    with pytest.raises(
        InputError, match=r"images of 32x32 pixels, got one of 28x28 in .*train\.parquet\[0\]; name"
    ):
        list_svhn(tmp_path)


def test_a_split_without_rows(tmp_path):
    home = svhn(tmp_path, "parquet") / "cropped_digits"
    write_parquet(home / "test-00000-of-00001.parquet", [], [])
    with pytest.raises(InputError, match="expected images of train and test, got none of test"):
        list_svhn(tmp_path)


def test_it_is_official_when_its_counts_are(tmp_path, monkeypatch):
    train = counted("train", CLASSES, (2, 2, 1, 1, 1, 1, 1, 1, 1, 1))
    monkeypatch.setattr(
        room, "_OFFICIAL", (*train, *counted("test", CLASSES, (2, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    )
    assert list_svhn(svhn(tmp_path)).variant == "official"


def test_files_that_are_missing_are_told_at_once(tmp_path):
    with pytest.raises(MissingFiles) as caught:
        list_svhn(tmp_path)
    assert caught.value.missing == ("train_32x32.mat", "test_32x32.mat")
    (svhn(tmp_path) / "test_32x32.mat").unlink()
    with pytest.raises(MissingFiles) as caught:
        list_svhn(tmp_path)
    assert caught.value.missing == ("test_32x32.mat",)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\x89HDF\r\n\x1a\n" + b"\0" * 600, b"MATLAB 5.0" + b"\0" * 40]
)
def test_files_that_are_none(tmp_path, content):
    home = svhn(tmp_path)
    (home / "train_32x32.mat").write_bytes(content)
    with pytest.raises(DataDamaged, match=r"train_32x32.mat"):
        list_svhn(home)


def test_a_file_that_is_cut_off(tmp_path):
    home = svhn(tmp_path)
    whole = (home / "train_32x32.mat").read_bytes()
    (home / "train_32x32.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataDamaged, match=r"train_32x32.mat.*get it again"):
        list_svhn(home)


def test_a_file_without_images(tmp_path):
    home = svhn(tmp_path)
    savemat(home / "train_32x32.mat", {"y": np.ones((3, 1), np.uint8)})
    with pytest.raises(DataDamaged, match=r"expected X of shape"):
        list_svhn(home)


def test_labels_that_cannot_be(tmp_path):
    home = svhn(tmp_path)
    content = {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[0], [1]], np.uint8)}
    savemat(home / "train_32x32.mat", content)
    with pytest.raises(DataDamaged, match=r"expected labels from 1 to 10.*got 0 to 1"):
        list_svhn(home)


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFound, match="no folder"):
        list_svhn(tmp_path / "nowhere")


@needs_shared_data
def test_the_stand_in():
    listing = list_svhn(SHARED_DATA / "svhn")
    assert listing.variant == "stand-in"
    assert [count.n for count in listing.samples.counts()] == [11, 13, 15, 10, 14, 17, 12, 12, 13, 13]

import pickle
from pathlib import Path

import numpy as np
import pytest

from masktune.data.decode import decode
from masktune.data.official import cifar10 as room
from masktune.data.official.cifar10 import CLASSES, list_cifar10, seems_cifar10
from masktune.data.official.cifar_pickles import read_images, read_labels
from masktune.data.official.missing import MissingFiles
from masktune.data.official.svhn import list_svhn, seems_svhn
from masktune.errors import DataDamaged, DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import CIFAR, cifar10, cifar_batch, python2_pickle, write_parquet


def images_of(listing):
    contents = listing.samples.contents
    return np.stack([decode(contents.read(at)).values for at in range(len(contents))])


def test_what_the_pickles_hold(tmp_path):
    listing = list_cifar10(cifar10(tmp_path))
    samples = listing.samples
    batches = [cifar_batch(at) for at in (5, 0, 1, 2, 3, 4)]  # By id test comes before train.
    assert samples.ids.tolist() == [f"test/{at:05d}" for at in range(4)] + [
        f"train/{at:05d}" for at in range(20)
    ]
    assert samples.labels.tolist() == [label for labels, _ in batches for label in labels]
    assert np.array_equal(images_of(listing), np.concatenate([images for _, images in batches]))
    assert samples.classes == CLASSES
    assert samples.groups is None


def test_layouts_give_the_same(tmp_path):
    first = list_cifar10(cifar10(tmp_path / "a").parent)
    second = list_cifar10(cifar10(tmp_path / "b", "parquet").parent)
    assert first.sha256 == second.sha256
    assert np.array_equal(images_of(first), images_of(second))


def test_the_hub_may_have_the_batches_in_another_order(tmp_path, monkeypatch):
    batches = [cifar_batch(at) for at in range(5)]
    known = [room.hashlib.sha256(bytes(labels)).hexdigest()[:16] for labels, _ in batches]
    monkeypatch.setattr(room, "_BATCHES", tuple(known))
    order = [3, 2, 1, 4, 0]
    for split, some in {"train": [batches[at] for at in order], "test": [cifar_batch(5)]}.items():
        labels = [label for batch, _ in some for label in batch]
        images = [image for _, batch in some for image in batch]
        write_parquet(tmp_path / "b" / f"{split}.parquet", images, labels, "img")
    first, second = list_cifar10(cifar10(tmp_path / "a")), list_cifar10(tmp_path / "b")
    assert first.sha256 == second.sha256
    assert np.array_equal(images_of(first), images_of(second))


class Intruder:
    def __reduce__(self):
        return Path.touch, (Path("intruder"),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    home = cifar10(tmp_path)
    (home / "data_batch_2").write_bytes(pickle.dumps({b"labels": [1], b"data": Intruder()}, protocol))
    with pytest.raises(DataDamaged, match=r"data_batch_2 is no batch of CIFAR-10.*which no batch"):
        list_cifar10(home)
    assert not (tmp_path / "intruder").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [1]}, 4),
        pickle.dumps({b"labels": [1], b"data": b"x" * 3072}, 4),
        python2_pickle("a", [0, 10], np.zeros((2, 32, 32, 3), np.uint8)),
        python2_pickle("a", [0, 1], np.zeros((2, 32, 32, 3), np.uint8))[:4000],
        python2_pickle("a", [0, 1], np.zeros((2, 16, 32, 3), np.uint8)),
    ],
)
def test_batches_that_are_none(tmp_path, content):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(DataDamaged, match=r"data_batch_1 is no batch of CIFAR-10.*get it again"):
        read_labels(tmp_path / "data_batch_1")


def test_a_batch_that_is_damaged_later_is_told_when_an_image_is_read(tmp_path):
    listing = list_cifar10(cifar10(tmp_path))
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"")
    with pytest.raises(DataDamaged, match=r"^is no batch"):  # What `where` says comes before it.
        listing.samples.contents.read(0)
    assert listing.samples.contents.where(0).endswith("test_batch[0]")


def test_planes_become_pixels(tmp_path):
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images[0, 5, 9] = (1, 2, 3)
    (tmp_path / "data_batch_1").write_bytes(python2_pickle("a", [0], images))
    assert read_images(str(tmp_path / "data_batch_1"))[0, 5, 9].tolist() == [1, 2, 3]


def test_batches_that_are_missing_are_told_at_once(tmp_path):
    home = cifar10(tmp_path)
    (home / "data_batch_3").unlink()
    (home / "test_batch").unlink()
    with pytest.raises(MissingFiles) as caught:
        list_cifar10(tmp_path)
    assert caught.value.missing == ("cifar-10-batches-py/data_batch_3", "cifar-10-batches-py/test_batch")


def test_nothing_is_there(tmp_path):
    with pytest.raises(MissingFiles) as caught:
        list_cifar10(tmp_path)
    assert caught.value.missing == tuple(f"cifar-10-batches-py/{name}" for name in CIFAR)


def test_parts_of_a_split_that_are_missing(tmp_path):
    home = cifar10(tmp_path, "parquet")
    (home / "train-00000-of-00001.parquet").rename(home / "train-00001-of-00003.parquet")
    (home / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(MissingFiles) as caught:
        list_cifar10(home)
    assert caught.value.missing == (
        "test-00000-of-00001.parquet",
        "train-00000-of-00003.parquet",
        "train-00002-of-00003.parquet",
    )


@pytest.mark.parametrize(("image", "label"), [("img", "fine_label"), ("photo", "label")])
def test_parquet_of_something_else(tmp_path, image, label):
    import pyarrow as pa
    from pyarrow import parquet

    for split in ("train", "test"):
        cells = {image: [{"bytes": b"", "path": None}], label: [1]}
        parquet.write_table(pa.table(cells), tmp_path / f"{split}.parquet")
    with pytest.raises(InputError, match="expected columns img or image and label or labels"):
        list_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("column", "classes", "right"),
    [
        ("img", CLASSES, True),
        ("image", CLASSES, True),  # Mirrors call it so.
        ("img", None, True),
        ("image", None, False),
        ("img", tuple("0123456789"), False),
        ("image", tuple("0123456789"), False),
    ],
)
def test_the_names_of_classes_tell_parquet_files_apart_or_else_the_column(tmp_path, column, classes, right):
    for split in ("train", "test"):
        labels, images = cifar_batch(0)
        write_parquet(tmp_path / f"{split}.parquet", images, labels, column, classes=classes)
    assert seems_cifar10(tmp_path) == right
    assert seems_svhn(tmp_path) != right
    if right:
        assert list_cifar10(tmp_path).samples.labels.tolist() == [0, 1, 2, 3] * 2
        with pytest.raises(InputError, match=r"expected SVHN in .*, got (the classes airplane|no names)"):
            list_svhn(tmp_path)
    else:
        with pytest.raises(InputError, match=r"expected CIFAR-10 in .*, got (the classes 0, 1, 2|no names)"):
            list_cifar10(tmp_path)


def test_labels_that_cannot_be(tmp_path):
    for split in ("train", "test"):
        write_parquet(tmp_path / f"{split}.parquet", cifar_batch(0)[1][:2], [1, 10], "img")
    with pytest.raises(InputError, match=r"expected labels from 0 to 9 in column 'label'.*got 10"):
        list_cifar10(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFound, match="no folder"):
        list_cifar10(tmp_path / "nowhere")


@needs_shared_data
def test_the_stand_in():
    listing = list_cifar10(SHARED_DATA / "cifar10")
    assert listing.variant == "stand-in"
    counts = {
        split: [count.n for count in listing.samples.counts() if count.split == split]
        for split in ("train", "test")
    }
    assert counts == {
        "train": [1212, 1164, 1220, 1224, 1193, 1149, 1234, 1210, 1227, 1167],
        "test": [299, 287, 318, 295, 299, 290, 307, 286, 316, 303],
    }

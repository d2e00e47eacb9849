import json
import shutil
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import cache, image_files
from masktune.data.cache import SCHEMA, cache_bytes, cache_key, open_stored, store
from masktune.data.check import check_images
from masktune.data.image_files import ImageFiles
from masktune.errors import DataDamaged, InputError, StorageError
from masktune.types import InputSpec, Step

from .pictures import colours, deep, write

SPEC = InputSpec((6, 6))
EVERY = range(5)


def five(root):
    """Of unlike sizes, so that each view is another."""
    return write(root / "images", {f"{at}.png": colours(at, (12 + at, 20)) for at in EVERY})


def kept(files, folder, **more):
    return files.cached(folder, check_images(files.samples, files.spec.range), **more)


def refuse(*args):
    raise AssertionError("an image was decoded")


def folder_of(folder):
    (inner,) = folder.iterdir()
    return inner


def test_what_is_kept_is_what_was_decoded(tmp_path, monkeypatch):
    files = ImageFiles(five(tmp_path), SPEC)
    batch, views = files.read([4, 0, 2])
    first = kept(files, tmp_path / "cache")
    monkeypatch.setattr(image_files, "read_image", refuse)
    second = kept(ImageFiles(files.samples, SPEC), tmp_path / "cache")
    for data in (first, second):
        again, seen = data.read([4, 0, 2])
        assert torch.equal(again.images, batch.images)
        assert again.images.dtype == torch.uint8
        assert again.images.stride() == batch.images.stride()  # A net's last bits depend on it.
        assert seen == views
        assert (again.ids, again.labels.tolist()) == (batch.ids, batch.labels.tolist())
    with pytest.raises(AssertionError, match="an image was decoded"):
        files.read([0])


def test_the_files_of_a_cache(tmp_path):
    kept(ImageFiles(five(tmp_path), SPEC), tmp_path / "cache")
    inner = folder_of(tmp_path / "cache")
    assert sorted(path.name for path in inner.iterdir()) == ["images.npy", "manifest.json", "sizes.npy"]
    images, sizes = np.load(inner / "images.npy"), np.load(inner / "sizes.npy")
    assert (images.shape, images.dtype) == ((5, 6, 6, 3), np.uint8)
    assert sizes.tolist() == [[12, 20], [13, 20], [14, 20], [15, 20], [16, 20]]
    manifest = json.loads((inner / "manifest.json").read_text())
    assert manifest == {"schema": SCHEMA, "shape": [5, 6, 6, 3]}


def test_images_changed_in_memory_do_not_change_the_cache(tmp_path):
    data = kept(ImageFiles(five(tmp_path), SPEC), tmp_path / "cache")
    before = data.__getitems__([1]).images.clone()
    data.__getitems__([1]).images.zero_()
    assert torch.equal(data.__getitems__([1]).images, before)


def test_a_selection_of_kept_images(tmp_path, monkeypatch):
    files = ImageFiles(five(tmp_path), SPEC)
    expected, views = files.read([1, 3])
    data = kept(files, tmp_path / "cache")
    monkeypatch.setattr(image_files, "read_image", refuse)
    some = data.select(np.array([3, 0, 1])).select(np.array([2, 0]))
    batch, seen = some.read([0, 1])
    assert batch.ids == ("1.png", "3.png")
    assert torch.equal(batch.images, expected.images)
    assert seen == views
    assert some.__getitems__([]).images.shape == (0, 3, 6, 6)


def test_steps_of_the_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_AT_ONCE", 2)
    steps = []
    data = kept(ImageFiles(five(tmp_path), SPEC), tmp_path / "cache", progress=steps.append)
    assert steps == [Step("decoding images into the cache", done, 5) for done in (0, 2, 4, 5)]
    assert torch.equal(data.__getitems__(EVERY).images, ImageFiles(data.samples, SPEC).read(EVERY)[0].images)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (6, 7)},
        {"channels": 1},
        {"resize": "squash"},
        {"crop_share": 0.875},
        {"interpolation": "bicubic"},
        {"range": "percentile"},
        {"range": (0, 100)},
    ],
    ids=str,
)
def test_the_key_changes_with_what_changes_pixels(change):
    digests = np.array(["a", "b"])
    assert cache_key(digests, replace(SPEC, **change)) != cache_key(digests, SPEC)


def test_the_key_stays_under_another_normalisation():
    digests = np.array(["a", "b"])
    normalised = replace(SPEC, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))
    assert cache_key(digests, normalised) == cache_key(digests, SPEC)


@pytest.mark.parametrize("others", [["a", "c"], ["b", "a"], ["a"], ["ab"]])
def test_the_key_changes_with_content_and_order(others):
    assert cache_key(np.array(others), SPEC) != cache_key(np.array(["a", "b"]), SPEC)


def test_a_changed_file_is_decoded_anew(tmp_path):
    files = ImageFiles(five(tmp_path), SPEC)
    kept(files, tmp_path / "cache")
    write(tmp_path / "images", {"2.png": colours(9, (14, 20))})
    expected = files.__getitems__([2]).images
    assert torch.equal(kept(files, tmp_path / "cache").__getitems__([2]).images, expected)
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("when", ["decoding", "before the manifest"])
def test_what_was_interrupted_is_made_anew(tmp_path, monkeypatch, when):
    files, folder = ImageFiles(five(tmp_path), SPEC), tmp_path / "cache"

    def interrupt(*args):
        raise KeyboardInterrupt

    def after_two(step):
        if when == "decoding" and step.done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(image_files, "_AT_ONCE", 2)
    with monkeypatch.context() as during:
        if when != "decoding":
            during.setattr(cache, "write_text", interrupt)
        with pytest.raises(KeyboardInterrupt):
            kept(files, folder, progress=after_two)
    key = folder_of(folder).name
    left = sorted(path.name for path in (folder / key).iterdir())
    assert left == ([] if when == "decoding" else ["images.npy", "sizes.npy"])
    assert open_stored(folder, key) is None
    again = kept(files, folder)
    assert torch.equal(again.__getitems__(EVERY).images, files.__getitems__(EVERY).images)


def test_an_unreadable_image_leaves_no_cache(tmp_path):
    files, folder = ImageFiles(five(tmp_path), SPEC), tmp_path / "cache"
    checked = check_images(files.samples)
    (tmp_path / "images/3.png").write_bytes(b"")  # After the check.
    with pytest.raises(DataDamaged, match=r"3\.png is empty"):
        files.cached(folder, checked)
    assert list(folder_of(folder).iterdir()) == []


def shortened(path):
    path.write_bytes(path.read_bytes()[:-10])


DAMAGES = {
    "images cut short": lambda at: shortened(at / "images.npy"),
    "sizes cut short": lambda at: shortened(at / "sizes.npy"),
    "images empty": lambda at: (at / "images.npy").write_bytes(b""),
    "images gone": lambda at: (at / "images.npy").unlink(),
    "sizes gone": lambda at: (at / "sizes.npy").unlink(),
    "no JSON": lambda at: (at / "manifest.json").write_text("{"),
    "no shape": lambda at: (at / "manifest.json").write_text("{}"),
    "another shape": lambda at: (at / "manifest.json").write_text('{"shape": [4, 6, 6, 3]}'),
    "other sizes": lambda at: np.save(at / "sizes.npy", np.zeros((4, 2), dtype=np.int64)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_said(tmp_path, damage):
    files, folder = ImageFiles(five(tmp_path), SPEC), tmp_path / "cache"
    kept(files, folder)
    inner = folder_of(folder)
    DAMAGES[damage](inner)
    with pytest.raises(DataDamaged, match=rf"^the cache in {inner} is damaged \(.*\); remove that folder$"):
        kept(files, folder)
    shutil.rmtree(inner)
    assert torch.equal(kept(files, folder).read(EVERY)[0].images, files.read(EVERY)[0].images)


def test_a_disk_without_room_is_refused_with_the_numbers(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(500 * 10**9, 498 * 10**9, 2 * 10**9))
    folder = tmp_path / "cache"
    with pytest.raises(StorageError) as caught:
        store(folder, "key", InputSpec((224, 224)), 1_000_000, iter(()), floats=False)
    assert str(caught.value) == (
        f"expected 151 GB of free disk for the cache in {folder}, got 2; choose another folder for --cache, "
        "or go without"
    )
    assert list(folder.iterdir()) == []


def test_a_disk_with_just_enough_room(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    files = ImageFiles(five(tmp_path), SPEC)
    needed = 5 * 6 * 6 * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, needed - 1))
    with pytest.raises(StorageError, match="free disk"):
        kept(files, tmp_path / "cache")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, needed))
    assert len(kept(files, tmp_path / "cache")) == 5


def test_bytes_on_disk():
    assert cache_bytes(10, InputSpec((4, 5), channels=1), floats=False) == 200
    assert cache_bytes(10, InputSpec((4, 5)), floats=True) == 2400


def test_floats_are_kept_as_floats(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_AT_ONCE", 2)  # The first two are a part of bytes alone.
    images = {"a.png": np.full((6, 6), 51, np.uint8), "b.png": np.full((6, 6), 102, np.uint8)}
    files = ImageFiles(
        write(tmp_path, images | {"c.png": deep(13107, 13107, (6, 6)), "d.png": deep(1, 1, (6, 6))}),
        InputSpec((6, 6), channels=1),
    )
    data = kept(files, tmp_path / "cache")
    assert np.load(folder_of(tmp_path / "cache") / "images.npy").dtype == np.float32
    found = data.__getitems__(range(4)).images
    assert torch.equal(found, files.__getitems__(range(4)).images)
    # 51 / 255, 102 / 255, 13107 / 65535, 1 / 65535
    assert found[:, 0, 2, 2].tolist() == pytest.approx([0.2, 0.4, 0.2, 1 / 65535])


def test_a_check_under_another_range_is_refused(tmp_path):
    files = ImageFiles(five(tmp_path), replace(SPEC, range=(0, 100)))
    with pytest.raises(
        InputError, match="expected uint8 images for the cache, as they were checked, got float32"
    ):
        files.cached(tmp_path / "cache", check_images(files.samples, "dtype"))
    assert list(folder_of(tmp_path / "cache").iterdir()) == []


def test_no_cache_of_images_that_a_function_prepares(tmp_path):
    files = ImageFiles(five(tmp_path), SPEC, preprocess=lambda image: image.resize((6, 6)))
    with pytest.raises(InputError, match="expected --cache or --preprocess, got both"):
        kept(files, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_is_a_file(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(StorageError, match="cache"):
        kept(ImageFiles(five(tmp_path), SPEC), tmp_path / "cache")

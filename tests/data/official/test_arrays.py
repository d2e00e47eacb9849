import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from masktune.data import ImageFiles
from masktune.data.check import check_images
from masktune.data.contents import Contents
from masktune.data.decode import decode
from masktune.data.official.arrays import ArrayFile, as_ppm, images_of
from masktune.data.samples import Samples
from masktune.types import InputSpec

LOADED = []


def load(path):
    """A made loader: three images whose values tell the file and the image."""
    LOADED.append(path)
    start = 100 if path.endswith("b") else 0
    return np.stack([np.full((4, 6, 3), start + at, np.uint8) for at in range(3)])


@pytest.fixture
def contents(tmp_path):
    LOADED.clear()
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"content")
    return images_of(paths, [np.zeros(3, np.int64), np.zeros(3, np.int64)], load)


def test_contents(contents):
    assert isinstance(contents, Contents)
    assert len(contents) == 6
    assert contents.where(4).endswith("/b[1]")
    assert decode(contents.read(4)).values[0, 0].tolist() == [101, 101, 101]
    assert decode(contents.select(np.array([5, 0])).read(0)).values[0, 0, 0] == 102


def test_nothing_is_lost_on_the_way_through_ppm():
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(decode(as_ppm(values)).values, values)


def test_a_file_is_loaded_once_and_when_it_is_wanted(contents):
    assert LOADED == []
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(contents.read, [0, 1, 2, 0, 1, 2]))
    assert len(LOADED) == 1


def test_other_processes_load_for_themselves(contents):
    contents.read(0)
    copy = pickle.loads(pickle.dumps(contents))
    assert copy.read(5) == contents.read(5)
    assert len(pickle.dumps(ArrayFile("x", load))) < 200  # The images do not travel.


def test_the_fingerprint_changes_when_a_file_does(contents):
    before = contents.fingerprint()
    assert contents.select(np.array([0, 1])).fingerprint() != before
    os.utime(contents.files[1].path, ns=(1, 1))
    assert contents.fingerprint() != before


def test_they_are_images_like_any_other(contents):
    samples = Samples(
        ids=np.array(list("abcdef")),
        labels=np.array([0, 1] * 3),
        classes=("no", "yes"),
        contents=contents,
    )
    assert check_images(samples).problems == ()
    images = ImageFiles(samples, InputSpec((4, 6))).__getitems__([1, 3]).images
    assert images[:, 0, 0, 0].tolist() == [1, 100]

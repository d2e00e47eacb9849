import io
import time

import numpy as np
import pytest
from PIL import Image

from masktune.data.idx import read_mnist
from masktune.evaluation import wilson
from masktune.findings import mt013_duplicates
from masktune.findings.mt013_duplicates import ask, twins
from masktune.testing import ShortcutImages
from shared_data import SHARED_DATA, needs_shared_data

from .observations import Clean, noise, observed, tiny_of


def splits(n, late, name="test"):
    """The last `late` of n images are of the later split."""
    return ["train"] * (n - late) + [name] * late


def saved(picture, quality):
    """A tiny picture that was enlarged, saved as JPEG and read again."""
    held = io.BytesIO()
    Image.fromarray(picture).resize((128, 128), Image.Resampling.BICUBIC).save(held, "JPEG", quality=quality)
    return np.asarray(Image.open(held).resize((32, 32), Image.Resampling.BOX))


def smooth(n, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, size=(n, 6, 6, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 32))) for one in small])


def test_equal_files_in_two_splits_are_a_problem():
    digests = np.array([f"{i:064x}" for i in range(100)], dtype=object)
    digests[98], digests[99] = digests[3], digests[4]
    seen = observed(np.zeros(100), splits=splits(100, 20), digests=digests)
    (found,) = ask(seen)
    assert (found.code, found.verdict) == ("MT013", "problem")
    assert found.reason == "2 of 20 images of test are also in train, or nearly"
    assert found.about == {"split": "test", "other split": "train"}
    assert found.samples == ("00098.png", "00099.png")
    assert (found.evidence[0].value, found.evidence[0].n) == (0.1, 20)


def test_one_in_a_hundred_is_a_hint_and_more_a_problem():
    digests = np.array([f"{i:064x}" for i in range(300)], dtype=object)
    digests[299] = digests[0]
    assert ask(observed(np.zeros(300), splits=splits(300, 100), digests=digests))[0].verdict == "hint"
    digests[298] = digests[1]
    assert ask(observed(np.zeros(300), splits=splits(300, 100), digests=digests))[0].verdict == "problem"


def test_images_that_are_no_files_have_no_equal_files():
    digests = np.full(50, "", dtype=object)
    assert ask(observed(np.zeros(50), splits=splits(50, 20), digests=digests))[0].verdict == "passed"


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_picture_saved_again_is_a_twin(quality):
    tiny = smooth(60)
    tiny[59] = saved(tiny[7], quality)
    assert twins(observed(np.zeros(60), tiny=tiny, splits=splits(60, 10))).tolist() == [[7, 59]]


def test_a_darker_or_mirrored_picture_is_none():
    tiny = smooth(60)
    tiny[58], tiny[59] = tiny[7] // 2, tiny[8, :, ::-1]
    assert not len(twins(observed(np.zeros(60), tiny=tiny, splits=splits(60, 10))))


def test_twins_within_one_split_and_label_are_not_asked_for():
    tiny = smooth(60)
    tiny[20] = tiny[7]
    (found,) = ask(observed(np.zeros(60), tiny=tiny, splits=splits(60, 10)))
    assert found.verdict == "passed"


def test_one_picture_under_two_labels_is_a_hint_also_without_splits():
    labels, tiny = np.arange(60) % 2, smooth(60)
    tiny[21] = saved(tiny[8], 90)
    (found,) = ask(observed(labels, tiny=tiny))
    assert found.verdict == "hint"
    assert found.reason == "2 images show a picture that has another label elsewhere"
    assert found.samples == ("00008.png", "00021.png")


def test_leaks_and_conflicts_are_findings_of_their_own():
    labels, tiny = np.arange(60) % 2, smooth(60)
    tiny[59], tiny[30] = tiny[1], tiny[3]
    found = ask(observed(labels, tiny=tiny, splits=["train"] * 40 + ["validation"] * 10 + ["test"] * 10))
    assert [(each.verdict, each.samples) for each in found] == [
        ("problem", ("00059.png",)),
        ("hint", ("00003.png", "00030.png")),
    ]


def test_each_two_splits_are_looked_at_and_the_later_one_is_counted():
    tiny = smooth(60)
    tiny[0], tiny[12] = tiny[50], tiny[51]
    names = ["test"] * 10 + ["validation"] * 10 + ["train"] * 40  # In any order of rows.
    found = ask(observed(np.zeros(60), tiny=tiny, splits=names))
    assert [dict(each.about) for each in found] == [
        {"split": "validation", "other split": "train"},
        {"split": "test", "other split": "train"},
    ]
    assert [each.samples for each in found] == [("00012.png",), ("00000.png",)]


def test_splits_of_other_names_come_in_order_of_their_rows():
    tiny = smooth(40)
    tiny[39] = tiny[0]
    (found,) = ask(observed(np.zeros(40), tiny=tiny, splits=["second"] * 20 + ["first"] * 20))
    assert found.about == {"split": "first", "other split": "second"}


def test_blank_pictures_are_no_twins():
    assert ask(observed(np.zeros(40), splits=splits(40, 20)))[0].verdict == "passed"


def test_a_twin_is_found_across_blocks(monkeypatch):
    monkeypatch.setattr(mt013_duplicates, "BLOCK", 16)
    tiny = smooth(60)
    tiny[59], tiny[33] = tiny[2], tiny[1]
    seen = observed(np.zeros(60), tiny=tiny, splits=splits(60, 30))
    assert twins(seen).tolist() == [[1, 33], [2, 59]]


def test_of_very_many_pairs_the_most_alike_are_looked_at(monkeypatch):
    monkeypatch.setattr(mt013_duplicates, "LOOKED_AT", 1)
    tiny = np.repeat(smooth(1), 40, axis=0)
    tiny[:20] += np.random.default_rng(0).integers(0, 8, size=(20, 32, 32, 3)).astype(np.uint8)
    tiny[39] = tiny[3]
    assert twins(observed(np.zeros(40), tiny=tiny, splits=splits(40, 20))).tolist() == [[3, 39]]


def test_without_splits_it_is_not_applicable():
    (found,) = ask(observed(np.arange(40) % 2, tiny=smooth(40)))
    assert found.verdict == "not_applicable"
    assert found.reason == "there are no splits between which to look; no picture bears two labels"


def test_made_shapes_are_no_twins():
    data = ShortcutImages.no_shortcut(1000)
    names = splits(1000, 300)
    seen = observed(np.asarray(data.labels), tiny=tiny_of(data), splits=names)
    assert [found.verdict for found in ask(seen)] == ["passed"]
    assert [found.verdict for found in ask(Clean(600).observed(splits=splits(600, 200)))] == ["passed"]


@needs_shared_data
def test_digits_are_no_twins():
    images, digits = read_mnist(SHARED_DATA / "mnist", "test")
    padded = np.pad(images[:3000], ((0, 0), (2, 2), (2, 2)))[..., None].repeat(3, axis=3)
    (found,) = ask(observed(digits[:3000], tiny=padded, splits=splits(3000, 1000)))
    assert found.verdict == "passed"


def test_it_is_fast():
    seen = observed(np.zeros(4000), tiny=noise(4000, 0), splits=splits(4000, 1000))
    start = time.process_time()
    ask(seen)
    assert time.process_time() - start < 3  # Measured: 0.3 s; 20,000 take 3 s.


def test_copies_of_one_subject_are_one_leak():
    digests = np.array([f"{i:064x}" for i in range(100)], dtype=object)
    digests[90:] = digests[:10]
    alone = ask(observed(np.zeros(100), splits=splits(100, 20), digests=digests))[0].evidence[0]
    assert (alone.value, alone.low, alone.high) == (0.5, wilson(10, 20).low, wilson(10, 20).high)
    # Of four subjects in the later split two are in the earlier one, with five images each.
    subjects = np.where(np.arange(100) < 80, np.arange(100), 1000 + np.arange(100) // 5)
    four = ask(observed(np.zeros(100), splits=splits(100, 20), digests=digests, subjects=subjects))[
        0
    ].evidence[0]
    assert (four.value, four.low, four.high) == (0.5, 0, 1)

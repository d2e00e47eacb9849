import re
import shutil

import numpy as np
import pytest
from tests.evaluation.fakes import predictions

from masktune.bench import Photos, Status, in9
from masktune.bench.in9 import _shown, background_gap, boxes_in, parted
from masktune.data import Samples
from masktune.data.contents import FilesOnDisk
from masktune.data.official.imagenet9 import FOLDERS
from masktune.data.official.registry import list_official
from masktune.errors import InputError

from . import photo_sets

CLASSES = ("dog", "bird")
EACH = 12


def named(at, variant):
    """Mixed images say whose background they have."""
    return f"fg_n{at}_bg_n{at + 1}" if variant.startswith("mixed") else f"n{at}"


def challenge(variants=("original", "mixed_rand"), each=EACH):
    """`each` images of two classes in each variant."""
    rows = [
        (f"{variant}/val/0{label}_{name}/{named(at, variant)}.JPEG", label, variant)
        for variant in variants
        for label, name in enumerate(CLASSES)
        for at in range(each)
    ]
    ids, labels, splits = zip(*rows, strict=True)
    return Samples(
        ids=np.array(ids),
        labels=np.array(labels),
        classes=CLASSES,
        contents=FilesOnDisk(ids),
        splits=np.array(splits),
    ).in_order()


def images_of(samples, split):
    """Class and object, whatever the variant."""
    names = samples.ids[samples.splits == split].tolist()
    return {(name.split("/")[2], re.search(r"n(\d+)", name.split("/")[3])[1]) for name in names}


def test_two_thirds_of_original_are_tuned_on_and_no_image_is_on_both_sides():
    found = parted(challenge(), seed=0)
    counts = {name: int((found.splits == name).sum()) for name in found.split_names}
    # Of 12 a class 8 are tuned on, of which 2 are validated on; 4 are tested in each variant.
    assert counts == {"train": 12, "validation": 4, "mixed_rand": 8, "original": 8}
    assert all(name.startswith("original/") for name in found.ids[found.splits == "train"].tolist())
    tuned = images_of(found, "train") | images_of(found, "validation")
    assert images_of(found, "original") == images_of(found, "mixed_rand")
    assert not tuned & images_of(found, "mixed_rand")
    for split in found.split_names:
        labels = found.labels[found.splits == split]
        assert (labels == 0).sum() == (labels == 1).sum()


def test_another_seed_draws_others_and_the_same_one_the_same():
    first, again, other = (images_of(parted(challenge(), seed), "train") for seed in (0, 0, 1))
    assert first == again != other


def test_given_splits_stay():
    given = challenge(("train", "validation", "mixed_rand"))
    assert parted(given, seed=0) is given


def test_images_that_cannot_be_told_apart_are_refused():
    with pytest.raises(InputError, match="expected train and val of ImageNet-9"):
        parted(challenge(("mixed_rand", "only_fg")), seed=0)
    more = challenge(("original", "mixed_rand"))
    at = np.flatnonzero(more.ids == "mixed_rand/val/00_dog/fg_n3_bg_n4.JPEG")
    ids = more.ids.astype(object)
    ids[at] = "mixed_rand/val/00_dog/elsewhere.JPEG"
    strange = Samples(ids.astype(str), more.labels, CLASSES, more.contents, more.splits)
    with pytest.raises(InputError, match="got 1 others \\('00_dog/elsewhere'\\)"):
        parted(strange, seed=0)


def test_the_gap_between_backgrounds_by_hand():
    said = {"mixed_same": predictions([1] * 9 + [0]), "mixed_rand": predictions([1] * 6 + [0] * 4)}
    ((split, (gap,)),) = background_gap(said).items()
    assert (split, gap.metric, gap.n) == ("mixed_same", "bg_gap", 20)
    assert gap.value == pytest.approx(0.3)
    assert gap.low < 0 < 0.3 < gap.high
    assert background_gap({"original": predictions([1])}) == {}


def test_boxes_are_found_by_class_and_name(tmp_path):
    (tmp_path / "boxes.csv").write_text("class,image,x0,y0,x1,y1\n00_dog,n3,1,0,3,2\n")
    boxes = boxes_in(tmp_path, challenge())
    found = boxes.pixels("original/val/00_dog/n3.JPEG", (3, 4))
    assert found.sum() == 4
    assert found[0].tolist() == [False, True, True, False]
    assert boxes_in(tmp_path / "elsewhere", challenge()) is None


def test_without_a_mixed_variant_nothing_is_trained(tmp_path):
    root = photo_sets.challenge(tmp_path, FOLDERS)
    shutil.rmtree(root / "mixed_rand")
    with pytest.raises(
        InputError, match="of which mixed_rand is not there; add them with `masktune data get"
    ):
        in9(Photos(root, cpu=True))


def test_what_is_tuned_on_where_nothing_is_for_training_is_said(tmp_path):
    listing = list_official("imagenet9", photo_sets.challenge(tmp_path, FOLDERS))
    (note,) = _shown(listing, (), Status("never run")).notes
    assert note.startswith(
        "there are no training images: two thirds of the objects of `original` are tuned on"
    )

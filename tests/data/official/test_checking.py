import json
from functools import partial

import pytest

from masktune.data.official import imagenet9, waterbirds
from masktune.data.official.checking import NotDecoded, check, check_readable
from masktune.data.official.facts import counted
from masktune.data.official.missing import MissingFiles
from masktune.data.official.registry import OFFICIAL, list_official, official
from masktune.errors import DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from . import layouts


def pin(monkeypatch, root, name="official"):
    """Make what lies in `root` the official Waterbirds, counts included."""
    listing = waterbirds.list_waterbirds(root)
    monkeypatch.setattr(waterbirds, "_PINNED", {listing.sha256: name})
    monkeypatch.setitem(waterbirds.FACTS.published, name, listing.samples.counts())


def test_a_whole_data_set(tmp_path, monkeypatch):
    pin(monkeypatch, layouts.waterbirds(tmp_path))
    found = check("waterbirds", tmp_path)
    assert (found.variant, found.whole, found.notes) == ("official", True, ())
    assert [(row.split, row.group) for row in found.rows[:5]] == [
        ("train", "landbird on land"),
        ("train", "landbird on water"),
        ("train", "waterbird on land"),
        ("train", "waterbird on water"),
        ("validation", "landbird on land"),
    ]
    assert all(row.n == row.published == 2 for row in found.rows)


def test_wilds_folder_names_the_variant(tmp_path, monkeypatch):
    pin(monkeypatch, layouts.waterbirds(tmp_path, "wilds"))
    monkeypatch.setitem(waterbirds.FACTS.published, "wilds", waterbirds.FACTS.published["official"])
    found = check("waterbirds", tmp_path)
    assert (found.variant, found.whole) == ("wilds", True)


def test_a_part_says_what_it_lacks(tmp_path):
    found = check("waterbirds", layouts.waterbirds(tmp_path))
    assert not found.whole
    assert {row.published for row in found.rows} == {None}
    assert found.notes[-1] == (
        "other counts than the official ones: train, landbird on land 2 instead of 3,498; train, landbird on "
        "water 2 instead of 184; train, waterbird on land 2 instead of 56 and 9 more"
    )


def test_splits_are_in_the_order_of_the_facts(tmp_path):
    found = check("imagenet9", layouts.imagenet9(tmp_path, "both"))
    splits = list(dict.fromkeys(row.split for row in found.rows))
    assert splits == ["train", "validation", *imagenet9.TESTS]


def test_decoding_finds_what_cannot_be_read(tmp_path, monkeypatch):
    home = layouts.waterbirds(tmp_path)
    pin(monkeypatch, home)
    assert check("waterbirds", home, decode=True).notes == ("all 24 images can be decoded",)
    bird = home / layouts.bird_rows()[0]["img_filename"]
    bird.write_bytes(b"")
    assert check("waterbirds", home).whole
    found = check("waterbirds", home, decode=True)
    assert not found.whole
    assert "1 of 24 images cannot be decoded" in found.notes[0]
    assert str(bird) in found.notes[0]
    assert found.unreadable == (f"{bird} is empty (0 bytes)",)
    with pytest.raises(NotDecoded) as caught:
        check_readable(found)
    assert caught.value.problems == found.unreadable
    assert str(caught.value) == (
        f"expected 24 images that can be read, but 1 cannot: {bird} is empty (0 bytes); get them again, or "
        "remove them"
    )
    check_readable(check("waterbirds", home))


def test_of_a_split_that_is_missing_no_counts_are_told(tmp_path):
    """Beside what is said of it: the classes of the variants that are there."""
    notes = check("imagenet9", layouts.imagenet9(tmp_path, tests=imagenet9.TESTS[:2])).notes
    assert notes[0].startswith("no training images: ")
    assert notes[1].startswith("6 of 8 variants of the test images are not there: mixed_rand, ")
    assert notes[2] == (
        "other counts than the official ones: original, dog 2 instead of 450; original, bird 2 instead of "
        "450; original, wheeled vehicle 2 instead of 450 and 15 more"
    )
    assert len(notes) == 3


def test_options_reach_the_data_set(tmp_path):
    found = check("celeba", layouts.celeba(tmp_path), target="Smiling")
    assert {row.label for row in found.rows} == {"not smiling", "smiling"}


def test_a_record(tmp_path):
    record = check("svhn", layouts.svhn(tmp_path)).to_record()
    assert json.loads(json.dumps(record)) == record
    assert record["rows"][0] == {"split": "train", "label": "0", "group": None, "n": 2, "published": None}


FOLDERS = {
    "waterbirds": layouts.waterbirds,
    "celeba": layouts.celeba,
    "imagenet9": layouts.imagenet9,
    "cifar10": layouts.cifar10,
    "cifar10, parquet": partial(layouts.cifar10, layout="parquet"),
    "svhn": layouts.svhn,
    "svhn, parquet": partial(layouts.svhn, layout="parquet"),
    "cats-vs-dogs": layouts.cats_vs_dogs,
}


@pytest.mark.parametrize("made", FOLDERS)
@pytest.mark.parametrize("asked", OFFICIAL)
def test_the_folder_of_another_data_set_is_told(tmp_path, asked, made):
    home = FOLDERS[made](tmp_path)
    given = made.partition(",")[0]
    if asked == given:
        assert check(asked, home).name == asked
        return
    with pytest.raises(InputError) as caught:
        check(asked, home)
    assert f"but it looks like {OFFICIAL[given].facts.title}" in str(caught.value)
    assert f"`masktune data check {given} {home}`" in str(caught.value)


@pytest.mark.parametrize("made", FOLDERS)
def test_a_data_set_that_lies_deeper_is_named(tmp_path, made):
    name = made.partition(",")[0]
    home = FOLDERS[made](tmp_path / "where")
    (tmp_path / "another").mkdir()
    with pytest.raises(InputError) as caught:
        check(name, tmp_path)
    said, _, found = str(caught.value).rstrip("?").partition("; did you mean ")
    assert said == f"expected {OFFICIAL[name].facts.title} in {tmp_path}, but it lies deeper"
    assert check(name, found).sha256 == check(name, home).sha256


def test_what_is_wrong_with_a_data_set_in_a_folder_of_its_own_is_said(tmp_path):
    """It lies where it may lie, so the folder is not what is wrong."""
    home = layouts.waterbirds(tmp_path)
    layouts.write_rows(home / "metadata.csv", layouts.bird_rows()[:1])
    with pytest.raises(InputError, match="got none of validation and test"):
        check("waterbirds", tmp_path)
    layouts.celeba(tmp_path / "celeba")
    with pytest.raises(InputError, match="no attribute 'Blonde'"):
        check("celeba", tmp_path, target="Blonde")
    (tmp_path / "celeba" / "list_eval_partition.txt").unlink()
    with pytest.raises(MissingFiles, match="list_eval_partition"):
        check("celeba", tmp_path)


def test_where_nothing_lies_deeper_either_what_is_missing_is_said(tmp_path):
    layouts.svhn(tmp_path / "svhn" / "three" / "deep")
    with pytest.raises(MissingFiles, match=r"metadata\.csv"):
        check("waterbirds", tmp_path)


def test_a_folder_that_lacks_files_is_not_taken_for_another(tmp_path):
    home = layouts.celeba(tmp_path)
    (home / "list_eval_partition.txt").unlink()
    with pytest.raises(MissingFiles):
        check("celeba", home)


def test_an_unknown_data_set():
    with pytest.raises(InputError, match=r"no data set 'waterbird' \(did you mean 'waterbirds'\?\)"):
        official("waterbird")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mnist", "`masktune data get mnist ROOT` compares them"),
        ("imagenet9-train", "data check imagenet9 ROOT`"),
    ],
)
def test_what_can_be_got_but_is_checked_otherwise(name, what):
    with pytest.raises(InputError) as caught:
        official(name)
    assert f"got {name!r}: " in str(caught.value)
    assert what in str(caught.value)


def test_an_unknown_option(tmp_path):
    with pytest.raises(InputError, match="svhn has no option 'target', its options are: none"):
        list_official("svhn", tmp_path, target="Male")


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFound, match="masktune data get waterbirds"):
        check("waterbirds", tmp_path / "nowhere")


def test_names_are_the_ones_that_are_typed():
    assert list(OFFICIAL) == ["waterbirds", "celeba", "imagenet9", "cifar10", "svhn", "cats-vs-dogs"]


def test_counted_is_what_samples_count(tmp_path):
    """Facts and listings meet in `Count`: a whole set compares equal."""
    listing = list_official("svhn", layouts.svhn(tmp_path))
    by_hand = (
        *counted("train", listing.samples.classes, (2, 2, 1, 1, 1, 1, 1, 1, 1, 1)),
        *counted("test", listing.samples.classes, (2, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    )
    assert set(listing.samples.counts()) == set(by_hand)


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("waterbirds", "waterbirds"),
        ("celeba", "celeba"),
        ("imagenet9", "mini_in9"),
        ("cifar10", "cifar10"),
        ("svhn", "svhn"),
        ("cats-vs-dogs", "cats_vs_dogs"),
    ],
)
def test_a_stand_in_is_never_whole(name, folder):
    found = check(name, SHARED_DATA / folder)
    assert (found.variant, found.whole) == ("stand-in", False)
    assert any("no benchmark" in note for note in found.notes)

import json
import shutil

import numpy as np
import pytest

from masktune.data.decode import decode
from masktune.data.official import imagenet9 as room
from masktune.data.official.facts import counted
from masktune.data.official.imagenet9 import BUILT, CLASSES, FOLDERS, TESTS, list_imagenet9, object_of
from masktune.data.official.missing import MissingFiles
from masktune.errors import DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import THINGS, imagenet9, write_image


def numbers(samples):
    return {split: int((samples.splits == split).sum()) for split in samples.split_names}


def test_the_nine_classes():
    assert FOLDERS == THINGS
    assert CLASSES[2] == "wheeled vehicle"


def test_the_challenge_alone(tmp_path):
    listing = list_imagenet9(imagenet9(tmp_path))
    assert set(listing.samples.split_names) == set(TESTS)
    assert listing.samples.classes == CLASSES
    assert listing.samples.groups is None
    assert "no training images" in listing.notes[0]


def test_one_image_has_the_same_name_in_every_variant_and_another_id(tmp_path):
    samples = list_imagenet9(imagenet9(tmp_path)).samples
    same = [name for name in samples.ids.tolist() if name.endswith("/02_wheeled vehicle/fish_n0002_1.JPEG")]
    assert same == sorted(f"{test}/val/02_wheeled vehicle/fish_n0002_1.JPEG" for test in TESTS)


def test_labels_are_the_numbers_of_the_folders(tmp_path):
    samples = list_imagenet9(imagenet9(tmp_path)).samples
    folders = [name.split("/")[-2] for name in samples.ids.tolist()]
    assert samples.labels.tolist() == [int(folder[:2]) for folder in folders]


def test_training_images_alone(tmp_path):
    listing = list_imagenet9(imagenet9(tmp_path, "train"))
    assert numbers(listing.samples) == {"train": 18, "validation": 18}
    assert listing.notes == (
        f"no test images: `masktune data get imagenet9 {tmp_path}` gets the Backgrounds Challenge",
    )


def test_training_images_without_validation_images(tmp_path):
    shutil.rmtree(imagenet9(tmp_path, "both") / "val")
    assert list_imagenet9(tmp_path).notes[0] == "no validation images: val/ of IN-9L is not there"


@pytest.mark.parametrize(("tests", "told"), [(0, True), (4050, False)])
@pytest.mark.parametrize("layout", ["train", "both"])
def test_training_images_that_were_made_without_tests_beside_them(tmp_path, tests, told, layout):
    root = imagenet9(tmp_path / "in9l", layout)
    (root / BUILT).write_text(json.dumps({"tests": tests}))
    listing = list_imagenet9(tmp_path)
    assert any("some may be tests too: get the tests, remove" in note for note in listing.notes) == told
    get = f"no test images: `masktune data get imagenet9 {tmp_path}` gets the Backgrounds Challenge"
    assert (get in listing.notes) == (layout == "train")
    assert (get in list_imagenet9(root).notes) == (layout == "train")


def test_layouts_give_the_same(tmp_path):
    first, second = (list_imagenet9(imagenet9(tmp_path / layout, layout)) for layout in ("both", "test"))
    assert numbers(first.samples) == dict.fromkeys(("train", "validation", *TESTS), 18)
    assert first.sha256 == second.sha256
    for at in (0, 100):
        images = [decode(listing.samples.contents.read(at)).values for listing in (first, second)]
        assert np.array_equal(*images)


def test_a_folder_in_the_root(tmp_path):
    imagenet9(tmp_path / "bg_challenge")
    assert list_imagenet9(tmp_path).sha256 == list_imagenet9(tmp_path / "bg_challenge").sha256


def test_some_variants_are_not_there(tmp_path):
    listing = list_imagenet9(imagenet9(tmp_path, tests=TESTS[:3]))
    assert numbers(listing.samples) == dict.fromkeys(TESTS[:3], 18)
    assert listing.notes[1] == (
        "5 of 8 variants of the test images are not there: mixed_next, only_fg, no_fg, only_bg_b, only_bg_t"
    )


def test_the_object_of_a_test_image():
    assert object_of("only_fg/val/00_dog/n02_7.JPEG") == "00_dog/n02_7"
    assert object_of("mixed_rand/val/06_musical instrument/fg_n02_7_bg_n03_9.JPEG") == (
        "06_musical instrument/n02_7"
    )


def test_variants_that_lack_objects_are_named(tmp_path):
    imagenet9(tmp_path)
    assert not any("object" in note for note in list_imagenet9(tmp_path).notes)
    for name in (
        "00_dog/fish_n0000_0",
        "03_reptile/fish_n0003_1",
        "05_insect/fish_n0005_1",
        "08_fish/fish_n0008_0",
    ):
        (tmp_path / "mixed_rand" / "val" / f"{name}.JPEG").unlink()
    (tmp_path / "no_fg" / "val" / "00_dog" / "fish_n0000_1.JPEG").unlink()
    first, second = list_imagenet9(tmp_path).notes[1:]
    assert first == (
        "mixed_rand lacks 4 objects, which others have: '00_dog/fish_n0000_0', '03_reptile/fish_n0003_1', "
        "'05_insect/fish_n0005_1' and 1 more"
    )
    assert second == "no_fg lacks 1 object, which others have: '00_dog/fish_n0000_1'"


def test_of_variants_that_hold_other_objects_three_are_named(tmp_path):
    imagenet9(tmp_path)
    for at, test in enumerate(("mixed_same", "mixed_rand", "mixed_next", "only_fg", "no_fg")):
        write_image(tmp_path / test / "val" / "00_dog" / f"fg_other{at}_bg_fish.JPEG", 1)
    assert list_imagenet9(tmp_path).notes[1:] == (
        "mixed_same has 1 object alone: '00_dog/other0'",
        "mixed_rand has 1 object alone: '00_dog/other1'",
        "mixed_next has 1 object alone: '00_dog/other2'",
        "and 2 more of this kind",
    )


def test_names_by_another_rule_tell_nothing_of_the_objects(tmp_path, monkeypatch):
    """Nobody published the official names; a whole variant must not be another one for its names alone."""
    counts = tuple(count for test in TESTS for count in counted(test, CLASSES, (2,) * 9))
    monkeypatch.setitem(room.FACTS.published, "backgrounds-challenge", counts)
    imagenet9(tmp_path)
    for test in ("only_bg_b", "only_bg_t"):
        for path in list((tmp_path / test).rglob("*.JPEG")):
            path.rename(path.with_name(f"background_{path.name}"))
    listing = list_imagenet9(tmp_path)
    assert listing.variant == "backgrounds-challenge"
    assert listing.notes[1:] == (
        "names of files do not tell whether others' objects are those of only_bg_b, only_bg_t",
    )


def test_a_variant_of_other_objects_is_not_the_official_one_though_its_counts_are(tmp_path, monkeypatch):
    counts = tuple(count for test in TESTS for count in counted(test, CLASSES, (2,) * 9))
    monkeypatch.setitem(room.FACTS.published, "backgrounds-challenge", counts)
    imagenet9(tmp_path)
    assert list_imagenet9(tmp_path).variant == "backgrounds-challenge"
    dog = tmp_path / "mixed_rand" / "val" / "00_dog" / "fish_n0000_0.JPEG"
    dog.rename(dog.with_name("other.JPEG"))
    assert list_imagenet9(tmp_path).variant.startswith("other-")


def test_the_training_release_of_a_variant_is_told(tmp_path):
    imagenet9(tmp_path)
    write_image(tmp_path / "mixed_same" / "train" / "00_dog" / "1.JPEG", 1)
    notes = list_imagenet9(tmp_path).notes
    assert "mixed_same has a train/ beside its val/: its training release, not the cleaned test set" in notes


def test_nothing_is_there(tmp_path):
    with pytest.raises(MissingFiles) as caught:
        list_imagenet9(tmp_path)
    assert caught.value.missing == ("train/", "val/", *(f"{test}/val/" for test in TESTS))


def test_classes_that_lack_images_are_told_at_once(tmp_path):
    imagenet9(tmp_path)
    for path in (tmp_path / "only_fg" / "val" / "03_reptile").iterdir():
        path.unlink()
    for path in (tmp_path / "no_fg" / "val" / "08_fish").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(MissingFiles) as caught:
        list_imagenet9(tmp_path)
    assert caught.value.missing == ("only_fg/val/03_reptile/", "no_fg/val/08_fish/")


@pytest.mark.parametrize("name", ["00_dogs", "n02084071", "03_dog"])
def test_a_folder_that_is_none_of_the_nine(tmp_path, name):
    imagenet9(tmp_path)
    write_image(tmp_path / "original" / "val" / name / "1.JPEG", 1)
    with pytest.raises(InputError, match=f"expected the nine classes of ImageNet-9.*got the folder '{name}'"):
        list_imagenet9(tmp_path)


def test_whole_variants_are_known_by_their_counts(tmp_path, monkeypatch):
    challenge = tuple(count for test in TESTS for count in counted(test, CLASSES, (2,) * 9))
    trained = tuple(count for split in ("train", "validation") for count in counted(split, CLASSES, (2,) * 9))
    published = {"official": (*trained, *challenge), "backgrounds-challenge": challenge, "in9l": trained}
    for name, counts in published.items():
        monkeypatch.setitem(room.FACTS.published, name, counts)
    found = {
        layout: list_imagenet9(imagenet9(tmp_path / layout, layout)).variant
        for layout in ("both", "challenge", "train")
    }
    assert found == {"both": "official", "challenge": "backgrounds-challenge", "train": "in9l"}
    (tmp_path / "both" / "train" / "00_dog" / "fish_n0000_0.JPEG").unlink()
    assert list_imagenet9(tmp_path / "both").variant.startswith("other-")


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFound, match="no folder"):
        list_imagenet9(tmp_path / "nowhere")


@needs_shared_data
def test_the_stand_in():
    listing = list_imagenet9(SHARED_DATA / "mini_in9")
    assert listing.variant == "stand-in"
    assert not any("object" in note.split() for note in listing.notes)  # One has other objects nowhere.
    assert numbers(listing.samples) == dict.fromkeys(TESTS, 156)
    counts = [count.n for count in listing.samples.counts() if count.split == "original"]
    assert counts == [20, 20, 20, 20, 20, 20, 15, 9, 12]

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from masktune.data.official.checking import check
from masktune.data.official.imagenet9 import FOLDERS
from masktune.errors import DataNotFound, InputError
from masktune.fetching import imagenet9 as module
from masktune.fetching.imagenet9 import BuildIN9, MissingSynsets, build_in9
from masktune.fetching.synsets import in9_class_of

TABLE = Path(module.__file__).with_name("imagenet9_synsets.csv")

# The reference sheet's table (field.md §3.3): ranges of ImageNet's indices, by class.
RANGES = {
    0: "151-170, 173-268",
    1: "7-24, 87-100, 127-146",
    2: "407-408, 428, 436, 444, 468, 511, 547, 555, 561, 565, 569, 573, 586, 603, 609, 612, 627, 656, 661, "
    "665, 670-671, 675, 690, 705, 717, 734, 751, 757, 791, 802-803, 817, 820, 829, 847, 864, "
    "866-867, 870, 880",
    3: "33-68",
    4: "269-280, 286-299, 356-362, 387-388",
    5: "300-326",
    6: "401-402, 420, 432, 486, 494, 513, 541, 546, 558, 566, 577, 579, 593-594, 641-642, 683-684, 687, 699, "
    "776, 822, 875, 881, 889",
    7: "365-384",
    8: "0-6, 389-397",
}
MEMBERS = (116, 52, 42, 36, 35, 27, 26, 20, 16)
"""Of ImageNet's classes in each of the nine, by the same table."""


def indices(ranges):
    for word in ranges.split(", "):
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)


def rows():
    with TABLE.open(newline="") as file:
        return [(int(row["index"]), row["synset"], int(row["class"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def synsets():
    """ImageNet's 1000 WordNet ids in order: index 0 first."""
    info = pytest.importorskip("timm.data.imagenet_info").ImageNetInfo("imagenet-1k")
    return info.label_names()


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """A whole one but for its size: 1000 folders, two tiny pictures in each."""
    root = tmp_path_factory.mktemp("imagenet")
    known = {index: synset for index, synset, _ in rows()}
    (root / "one.jpg").parent.mkdir(exist_ok=True)
    Image.new("RGB", (2, 2), "red").save(root / "one.jpg")
    content = (root / "one.jpg").read_bytes()
    (root / "one.jpg").unlink()
    for index in range(1000):
        synset = known.get(index, f"n9{index:07d}")
        folder = root / "train" / synset
        folder.mkdir(parents=True)
        for number in (7, 10026):
            (folder / f"{synset}_{number}.JPEG").write_bytes(content)
    return root


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.JPEG")}


def test_the_class_map_is_the_published_one():
    assert {index: number for index, _, number in rows()} == {
        index: number for number, ranges in RANGES.items() for index in indices(ranges)
    }
    assert len(rows()) == len(in9_class_of()) == 370
    assert tuple(list(in9_class_of().values()).count(number) for number in range(9)) == MEMBERS


@pytest.mark.vision
def test_the_wordnet_ids_are_imagenets(synsets):
    assert len(synsets) == 1000
    assert synsets == sorted(synsets)
    assert all(synsets[index] == synset for index, synset, _ in rows())


def test_each_class_gets_its_images_held_out_by_the_seed(imagenet, tmp_path):
    built = build_in9(imagenet, tmp_path, BuildIN9(validation=5, unbalanced=True))
    assert built.validation == (5,) * 9
    assert built.train == tuple(2 * members - 5 for members in MEMBERS)
    assert (built.spare, built.tests, built.left_out) == (0, 0, 0)
    assert built.folder == tmp_path / "in9l"
    assert names(tmp_path) == ["in9l"]
    assert names(tmp_path / "in9l" / "train") == names(tmp_path / "in9l" / "val") == list(FOLDERS)
    train, val = files(tmp_path / "in9l" / "train"), files(tmp_path / "in9l" / "val")
    assert len(train) == 2 * 370 - 9 * 5
    assert train.isdisjoint(val)
    fish = {f"08_fish/{synset}_{n}.JPEG" for _, synset, number in rows() if number == 8 for n in (7, 10026)}
    assert {name for name in train | val if name.startswith("08_fish/")} == fish


def test_classes_are_made_alike_unless_told_otherwise(imagenet, tmp_path):
    # The fishes have 16 folders of 2 images; the others are cut to 32, of which 4 are held out.
    built = build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    assert built.train == (28,) * 9
    assert built.validation == (4,) * 9
    assert built.spare == 2 * 370 - 9 * 32


def test_images_are_links_or_copies(imagenet, tmp_path):
    build_in9(imagenet, tmp_path / "a", BuildIN9(validation=4))
    build_in9(imagenet, tmp_path / "b", BuildIN9(validation=4, copy=True))
    one = min(files(tmp_path / "a"))
    link, copy = tmp_path / "a" / one, tmp_path / "b" / one
    assert link.is_symlink()
    assert link.resolve().is_relative_to(imagenet)
    assert not copy.is_symlink()
    assert copy.read_bytes() == link.read_bytes()
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_another_seed_holds_out_others_and_the_same_seed_the_same(imagenet, tmp_path):
    val = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build_in9(imagenet, tmp_path / name, BuildIN9(validation=4, seed=seed))
        val[name] = files(tmp_path / name / "in9l" / "val")
    assert val["a"] == val["b"] != val["c"]


def test_the_check_of_the_data_set_reads_what_was_made(imagenet, tmp_path):
    build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    found = check("imagenet9", tmp_path)
    assert {(row.split, row.n) for row in found.rows} == {("train", 28), ("validation", 4)}
    assert found.notes[0].startswith(f"no test images: `masktune data get imagenet9 {tmp_path}` gets ")
    assert found.notes[1].startswith("build-in9 found no tests beside these training images")


@pytest.mark.parametrize("layout", ["ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train", "."])
def test_every_layout_is_found(imagenet, tmp_path, layout):
    place = tmp_path / "other" / layout
    place.parent.mkdir(parents=True, exist_ok=True)
    if layout == ".":
        place = tmp_path / "other"
    place.symlink_to(imagenet / "train")
    built = build_in9(tmp_path / "other", tmp_path / "root", BuildIN9(validation=4))
    assert built.train == (28,) * 9


def test_a_second_time_nothing_is_done(imagenet, tmp_path):
    first = build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    before = {path: path.lstat().st_mtime_ns for path in (tmp_path / "in9l").rglob("*")}
    steps = []
    assert build_in9(imagenet, tmp_path, BuildIN9(validation=4), progress=steps.append) == first
    assert steps == []
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path / "in9l").rglob("*")} == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"seed": 1}, "with --seed 0, not 1"),
        ({"validation": 3}, "with --validation 4, not 3"),
        ({"unbalanced": True}, "without --unbalanced"),
        ({"copy": True, "seed": 2}, "with --seed 0, not 2 and without --copy"),
    ],
)
def test_with_other_choices_what_is_there_is_not_taken(imagenet, tmp_path, other, said):
    build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    before = files(tmp_path)
    with pytest.raises(InputError) as caught:
        build_in9(imagenet, tmp_path, BuildIN9(**{"validation": 4, **other}))
    assert str(caught.value) == (
        f"expected no {tmp_path}/in9l, or one made from the same images with the same choices, got one made "
        f"{said}; remove it, or choose another root"
    )
    assert files(tmp_path) == before


def test_from_another_imagenet_what_is_there_is_not_taken(imagenet, tmp_path):
    build_in9(imagenet, tmp_path / "root", BuildIN9(validation=4, copy=True))
    other = (tmp_path / "other" / "train").resolve()
    (other / "n01440764").mkdir(parents=True)
    with pytest.raises(
        InputError, match=rf"got one made from {imagenet.resolve()}/train, not {other}; remove it"
    ):
        build_in9(tmp_path / "other", tmp_path / "root", BuildIN9(validation=4, copy=True))


def test_the_authors_own_archive_is_not_overwritten(imagenet, tmp_path):
    (tmp_path / "in9l" / "train" / "00_dog").mkdir(parents=True)
    with pytest.raises(InputError, match="got one made from something else"):
        build_in9(imagenet, tmp_path, BuildIN9(validation=4))


def test_a_record_that_lost_something_is_not_taken_either(imagenet, tmp_path):
    built = build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    record = json.loads((built.folder / "built.json").read_text())
    del record["spare"]
    (built.folder / "built.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="got one made from something else"):
        build_in9(imagenet, tmp_path, BuildIN9(validation=4))


@pytest.mark.parametrize("place", ["bg_challenge/original/val", "original/val", "test/original/val"])
def test_images_with_the_name_of_a_test_image_are_left_out(imagenet, tmp_path, place):
    dogs = [synset for _, synset, number in rows() if number == 0][:3]
    for synset in dogs:
        folder = tmp_path / place / "00_dog"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{synset}_7.JPEG").write_bytes(b"")
        (folder / f"{synset}_88888.JPEG").write_bytes(b"")  # No training image has this name.
    built = build_in9(imagenet, tmp_path, BuildIN9(validation=4, unbalanced=True))
    assert (built.tests, built.left_out) == (6, 3)
    assert built.train[0] == 2 * 116 - 3 - 4
    assert not {f"00_dog/{synset}_7.JPEG" for synset in dogs} & files(tmp_path / "in9l" / "train")


def test_all_missing_synsets_are_named_at_once(imagenet, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(imagenet, part)
    gone = [synset for _, synset, _ in rows()][100:112]
    for synset in gone[1:]:
        shutil.rmtree(part / "train" / synset)
    for image in (part / "train" / gone[0]).iterdir():
        image.unlink()
    with pytest.raises(MissingSynsets) as caught:
        build_in9(part, tmp_path / "root")
    assert str(caught.value).startswith(
        f"expected images of 370 WordNet ids in {part}/train, but 12 have none: "
    )
    assert caught.value.missing == tuple(gone)
    assert not (tmp_path / "root").exists()


def test_no_imagenet_at_all(tmp_path):
    with pytest.raises(
        DataNotFound, match=r"no ImageNet at .*: looked for folders like n01440764 in train, ILSVRC/"
    ):
        build_in9(tmp_path, tmp_path / "root")


def test_more_held_out_than_the_smallest_class_has(imagenet, tmp_path):
    with pytest.raises(InputError) as caught:
        build_in9(imagenet, tmp_path)
    assert str(caught.value) == (
        "expected more than 800 images of each class, got 32 of 08_fish; hold out fewer with --validation"
    )
    assert names(tmp_path) == []


def test_something_has_to_be_held_out():
    with pytest.raises(InputError, match="expected 1 validation image a class or more, got 0"):
        BuildIN9(validation=0)


def test_images_of_one_name_in_two_folders_both_come(imagenet, tmp_path):
    other = tmp_path / "other"
    for synset in in9_class_of():
        (other / "train" / synset).mkdir(parents=True)
        for name in ("1.jpg", "2.jpg"):
            (other / "train" / synset / name).write_bytes(synset.encode())
    built = build_in9(other, tmp_path / "root", BuildIN9(validation=4, unbalanced=True))
    assert built.train == tuple(2 * members - 4 for members in MEMBERS)
    made = list((tmp_path / "root").rglob("*.jpg"))
    assert len(made) == 740
    assert all(path.name == f"{path.read_text()}_{path.name[-5:]}" for path in made)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_leaves_nothing(imagenet, tmp_path, error):
    def interrupt(step):
        if step.done == 100:
            raise error

    with pytest.raises(error):
        build_in9(imagenet, tmp_path, BuildIN9(validation=4), progress=interrupt)
    assert names(tmp_path) == []
    assert build_in9(imagenet, tmp_path, BuildIN9(validation=4)).train == (28,) * 9


def test_a_kills_remains_are_cleared_away(imagenet, tmp_path):
    (tmp_path / ".in9l.building" / "train").mkdir(parents=True)
    build_in9(imagenet, tmp_path, BuildIN9(validation=4))
    assert names(tmp_path) == ["in9l"]


def test_the_record_says_how_it_was_made(imagenet, tmp_path):
    build_in9(imagenet, tmp_path, BuildIN9(validation=4, seed=3))
    record = json.loads((tmp_path / "in9l" / "built.json").read_text())
    assert record["made_from"] == {
        "imagenet": str((imagenet / "train").resolve()),
        "seed": 3,
        "validation": 4,
        "unbalanced": False,
        "copy": False,
    }
    assert record["train"] == [28] * 9

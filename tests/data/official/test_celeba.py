import numpy as np
import pytest

from masktune.data.decode import decode
from masktune.data.official.celeba import group_names, list_celeba, words_of
from masktune.data.official.celeba_tables import read_attributes, read_partition
from masktune.data.official.missing import MissingFiles
from masktune.errors import DataDamaged, DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import ATTRIBUTES, FACES, celeba, face_rows


def refusal(*arguments, error=InputError):
    with pytest.raises(error) as caught:
        list_celeba(*arguments)
    return str(caught.value)


def test_what_the_tables_say(tmp_path):
    listing = list_celeba(celeba(tmp_path))
    samples = listing.samples
    rows = face_rows()
    assert samples.ids.tolist() == [row[0] for row in rows]
    assert samples.labels.tolist() == [int(row[2][1]) for row in rows]
    assert samples.splits.tolist() == ["train"] * 5 + ["validation"] * 4 + ["test"] * 4
    assert samples.classes == ("not blond", "blond")
    named = {
        (0, 0): "not blond, woman",
        (0, 1): "not blond, man",
        (1, 0): "blond, woman",
        (1, 1): "blond, man",
    }
    assert samples.groups.tolist() == [named[row[2][1], row[2][2]] for row in rows]
    assert listing.group_names == tuple(named.values())


@pytest.mark.parametrize("layout", ["txt", "parts", "csv", "nested", "wilds"])
@pytest.mark.parametrize("absent", [-1, 0])
def test_layouts_give_the_same(tmp_path, layout, absent):
    first = list_celeba(celeba(tmp_path / "first"))
    celeba(tmp_path / "second", layout, absent=absent)
    second = list_celeba(tmp_path / "second")
    assert (second.sha256, second.variant) == (first.sha256, first.variant)
    assert second.samples.groups.tolist() == first.samples.groups.tolist()
    images = [decode(listing.samples.contents.read(3)).values for listing in (first, second)]
    assert np.array_equal(*images)


def test_a_text_file_without_the_count(tmp_path):
    first = list_celeba(celeba(tmp_path / "first"))
    assert list_celeba(celeba(tmp_path / "second", numbered=False)).sha256 == first.sha256


def test_any_two_attributes(tmp_path):
    listing = list_celeba(celeba(tmp_path), "Male", "Blond_Hair")
    assert listing.samples.classes == ("woman", "man")
    assert listing.group_names == ("woman, not blond", "woman, blond", "man, not blond", "man, blond")
    assert listing.samples.labels.tolist() == [int(row[2][2]) for row in face_rows()]
    assert listing.sha256 != list_celeba(tmp_path).sha256


def test_words():
    assert words_of("Wearing_Hat") == ("not wearing hat", "wearing hat")
    assert len(set(group_names("Smiling", "Male"))) == 4


def test_official_names_and_splits_make_a_subset(tmp_path):
    listing = list_celeba(celeba(tmp_path))
    assert listing.variant == f"subset-{listing.sha256[:8]}"
    assert "attributes cannot be checked" in listing.notes[0]


def test_another_partition_is_another_set(tmp_path):
    home = celeba(tmp_path)
    path = home / "list_eval_partition.txt"
    path.write_text(path.read_text().replace("000001.jpg 0", "000001.jpg 2"))
    assert list_celeba(home).variant.startswith("other-")


def test_an_unknown_attribute(tmp_path):
    home = celeba(tmp_path)
    assert "no attribute 'Blonde_Hair' (did you mean 'Blond_Hair'?)" in refusal(home, "Blonde_Hair")
    assert "no attribute 'male' (did you mean 'Male'?)" in refusal(home, "Blond_Hair", "male")
    assert "expected two attributes" in refusal(home, "Male", "Male")


def test_a_group_that_a_split_lacks_is_told_before_images_are_looked_for(tmp_path):
    home = celeba(tmp_path)
    (home / "img_align_celeba" / "000001.jpg").unlink()
    said = refusal(home, "Arched_Eyebrows", "Male")
    assert "validation of CelebA with Arched_Eyebrows x Male has none of 'arched eyebrows, man'" in said


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    with pytest.raises(MissingFiles) as caught:
        list_celeba(tmp_path)
    assert caught.value.missing == (
        "list_attr_celeba.txt or .csv",
        "list_eval_partition.txt or .csv",
        "img_align_celeba/",
    )


def test_absent_images(tmp_path):
    home = celeba(tmp_path)
    for number in FACES[:4]:
        (home / "img_align_celeba" / f"{number:06d}.jpg").unlink()
    with pytest.raises(
        MissingFiles, match=r"4 of 13 files are not there: 'img_align_celeba/000001.jpg'"
    ) as caught:
        list_celeba(home)
    assert len(caught.value.missing) == 4


def test_tables_of_different_images(tmp_path):
    home = celeba(tmp_path)
    path = home / "list_eval_partition.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]))
    said = refusal(home)
    assert "list_attr_celeba.txt (13) and list_eval_partition.txt (11)" in said
    assert "2 are in one alone: '182640.jpg', '202599.jpg'" in said


@pytest.mark.parametrize("layout", ["txt", "csv"])
def test_an_image_twice_in_both_tables(tmp_path, layout):
    """It is the sixth of 13 faces, which stand below a row of names."""
    home = celeba(tmp_path, layout, numbered=False)
    attributes, partition = sorted(home.glob("list_*"))
    for path in (attributes, partition):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines, next(line for line in lines if line.startswith("162771.jpg"))]))
    assert refusal(home).startswith(
        f"expected each image once in {attributes}, got '162771.jpg' in rows 7 and 15; leave one row of each"
    )


def test_a_partition_without_a_split(tmp_path):
    home = celeba(tmp_path)
    path = home / "list_eval_partition.txt"
    path.write_text(path.read_text().replace("jpg 2", "jpg 1"))
    assert refusal(home) == (
        f"expected images of train, validation and test in {path}, got none of test; get both tables from "
        "one source"
    )


def test_a_table_that_is_cut_off(tmp_path):
    home = celeba(tmp_path)
    path = home / "list_attr_celeba.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"182640.jpg")])
    assert "promises 13 images and has 11" in refusal(home, error=DataDamaged)
    path.write_bytes(whole[:-8])
    assert "in row 15" in refusal(home, error=DataDamaged)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>\n", b"\xff\xfe\x00\x01", b"13\n"])
def test_tables_that_are_none(tmp_path, content):
    (tmp_path / "table").write_bytes(content)
    with pytest.raises(DataDamaged):
        read_attributes(tmp_path / "table")
    with pytest.raises(DataDamaged):
        read_partition(tmp_path / "table")


def test_other_values_than_one_and_minus_one(tmp_path):
    home = celeba(tmp_path, absent=2)
    assert "expected attributes as -1 or 0 and 1" in refusal(home, error=DataDamaged)


def test_attributes_by_name_and_file(tmp_path):
    table = read_attributes(celeba(tmp_path, "csv") / "list_attr_celeba.csv")
    assert table.names == ATTRIBUTES
    assert table.values.tolist() == [list(row[2]) for row in face_rows()]


def test_no_folder(tmp_path):
    assert "no folder" in refusal(tmp_path / "nowhere", error=DataNotFound)


@needs_shared_data
def test_the_stand_in():
    listing = list_celeba(SHARED_DATA / "celeba")
    assert listing.variant == "stand-in"
    counts = {(count.split, count.group): count.n for count in listing.samples.counts()}
    expected = {"train": (396, 369, 127, 8), "validation": (40, 40, 40, 40), "test": (85, 85, 85, 44)}
    for split, numbers in expected.items():
        assert tuple(counts[split, group] for group in listing.group_names) == numbers


@needs_shared_data
def test_the_stand_in_is_one_whatever_is_asked_of_it():
    assert list_celeba(SHARED_DATA / "celeba", "Smiling", "Young").variant == "stand-in"

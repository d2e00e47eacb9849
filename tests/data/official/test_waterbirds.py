import csv

import numpy as np
import pytest

from masktune.data.decode import decode
from masktune.data.official.missing import MissingFiles
from masktune.data.official.waterbirds import GROUPS, list_waterbirds, seems_waterbirds
from masktune.errors import DataDamaged, DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import bird_rows, celeba, waterbirds, write_rows


def refusal(root, error=InputError):
    with pytest.raises(error) as caught:
        list_waterbirds(root)
    return str(caught.value)


def test_what_metadata_says(tmp_path):
    samples = list_waterbirds(waterbirds(tmp_path)).samples
    rows = {row["img_filename"]: row for row in bird_rows()}
    assert samples.ids.tolist() == sorted(rows)
    assert samples.classes == ("landbird", "waterbird")
    assert samples.labels.tolist() == [rows[name]["y"] for name in sorted(rows)]
    named = {0: "train", 1: "validation", 2: "test"}
    assert samples.splits.tolist() == [named[rows[name]["split"]] for name in sorted(rows)]
    assert samples.columns["place_filename"].tolist() == [
        rows[name]["place_filename"] for name in sorted(rows)
    ]


def test_a_group_is_twice_the_bird_and_the_place(tmp_path):
    listing = list_waterbirds(waterbirds(tmp_path))
    assert listing.group_names == (
        "landbird on land",
        "landbird on water",
        "waterbird on land",
        "waterbird on water",
    )
    rows = {row["img_filename"]: row for row in bird_rows()}
    for name, group in zip(listing.samples.ids.tolist(), listing.samples.groups.tolist(), strict=True):
        assert group == GROUPS[2 * rows[name]["y"] + rows[name]["place"]]


@pytest.mark.parametrize("layout", ["official", "wilds"])
@pytest.mark.parametrize("inside", [False, True])
def test_layouts_give_the_same(tmp_path, layout, inside):
    first = list_waterbirds(waterbirds(tmp_path / "first"))
    home = waterbirds(tmp_path / "second", layout)
    second = list_waterbirds(home if inside else tmp_path / "second")
    assert second.sha256 == first.sha256
    assert second.samples.ids.tolist() == first.samples.ids.tolist()
    for at in (0, 7):
        images = [decode(listing.samples.contents.read(at)).values for listing in (first, second)]
        assert np.array_equal(*images)


def test_the_hash_is_of_the_rows_not_of_how_they_are_written(tmp_path):
    first = list_waterbirds(waterbirds(tmp_path / "a"))
    turned = ["place", "split", "y", "img_filename", "img_id", "place_filename"]
    home = waterbirds(tmp_path / "b", columns=turned, end="\r\n")
    write_rows(home / "metadata.csv", bird_rows()[::-1], columns=turned, end="\r\n")
    second = list_waterbirds(home)
    assert (second.sha256, second.variant) == (first.sha256, first.variant)
    assert second.samples.ids.tolist() == first.samples.ids.tolist()


def test_the_hash_changes_with_a_label_a_place_and_a_split(tmp_path):
    home = waterbirds(tmp_path)
    found = {list_waterbirds(home).sha256}
    for column in ("y", "place", "split"):
        rows = bird_rows()
        rows[0][column] = 1 - rows[0][column]
        write_rows(home / "metadata.csv", rows)
        found.add(list_waterbirds(home).sha256)
    assert len(found) == 4


def test_a_part_is_a_subset_that_says_which_labels_it_has(tmp_path):
    official = list_waterbirds(waterbirds(tmp_path / "a"))
    corrected = list_waterbirds(waterbirds(tmp_path / "b", "corrected"))
    assert official.variant == f"subset-{official.sha256[:8]}"
    assert "labels follow the official rule" in official.notes[0]
    assert "labels follow the corrected rule" in corrected.notes[0]


def test_labels_by_no_rule_are_another_set(tmp_path):
    home = waterbirds(tmp_path)
    rows = bird_rows()
    rows[0]["y"] = 1 - rows[0]["y"]
    write_rows(home / "metadata.csv", rows)
    listing = list_waterbirds(home)
    assert listing.variant == f"other-{listing.sha256[:8]}"
    assert "no known rule" in listing.notes[0]


def test_no_metadata(tmp_path):
    with pytest.raises(MissingFiles, match=r"'metadata.csv'.*masktune data get waterbirds") as caught:
        list_waterbirds(tmp_path)
    assert caught.value.missing == ("metadata.csv",)


def test_absent_images_are_counted_and_all_named(tmp_path):
    home = waterbirds(tmp_path)
    gone = [row["img_filename"] for row in bird_rows()][3:8]
    for name in gone:
        (home / name).unlink()
    with pytest.raises(MissingFiles) as caught:
        list_waterbirds(home)
    assert caught.value.missing == tuple(gone)
    assert f"5 of 24 files are not there: '{gone[0]}', '{gone[1]}', '{gone[2]}' and 2 more" in str(
        caught.value
    )


def test_a_missing_species_folder(tmp_path):
    home = waterbirds(tmp_path)
    for path in (home / "021.Eastern_Towhee").iterdir():
        path.unlink()
    (home / "021.Eastern_Towhee").rmdir()
    assert "6 of 24 files" in refusal(home, DataNotFound)


def test_a_group_that_a_split_lacks(tmp_path):
    home = waterbirds(tmp_path)
    rows = [row for row in bird_rows() if (row["y"], row["place"], row["split"]) != (1, 0, 1)]
    write_rows(home / "metadata.csv", rows)
    assert "validation of" in refusal(home)
    assert "has none of 'waterbird on land'" in refusal(home)
    assert refusal(home).endswith(f"; get Waterbirds again with `masktune data get waterbirds {home}`")


def test_a_split_that_is_missing(tmp_path):
    home = waterbirds(tmp_path)
    write_rows(home / "metadata.csv", [row for row in bird_rows() if row["split"] != 2])
    assert refusal(home) == (
        f"expected images of train, validation and test in {home}/metadata.csv, got none of test; get "
        f"Waterbirds again with `masktune data get waterbirds {home}`"
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "but it is empty"),
        ("\n \n", "but it is empty"),
        ("img_filename,y,split,place\n", "got one row alone"),
    ],
)
def test_metadata_without_rows(tmp_path, content, what):
    home = waterbirds(tmp_path)
    (home / "metadata.csv").write_text(content)
    assert refusal(home, DataDamaged) == (
        f"expected names of columns and a row an image in {home}/metadata.csv, {what}; get Waterbirds again "
        f"with `masktune data get waterbirds {home}`"
    )


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("y", 2, "expected 0 or 1 in column 'y'"),
        ("place", "", "expected 0 or 1 in column 'place'"),
        ("split", "val", "expected 0 or 1 or 2 in column 'split'"),
    ],
)
def test_values_that_cannot_be(tmp_path, column, value, said):
    home = waterbirds(tmp_path)
    rows = bird_rows()
    rows[2][column] = value
    write_rows(home / "metadata.csv", rows)
    assert said in refusal(home)
    assert f"got '{value}' in row 4" in refusal(home)


def test_a_column_that_is_missing(tmp_path):
    home = waterbirds(tmp_path)
    rows = [{name: row[name] for name in ("img_id", "img_filename", "y", "split")} for row in bird_rows()]
    write_rows(home / "metadata.csv", rows)
    assert "expected the columns img_filename, y, split, place" in refusal(home)


def test_an_image_twice(tmp_path):
    home = waterbirds(tmp_path)
    rows = bird_rows()
    write_rows(home / "metadata.csv", [*rows, rows[1]])  # 24 birds, from row 2 on.
    assert refusal(home).startswith(
        f"expected each image once in {home}/metadata.csv, got {rows[1]['img_filename']!r} in rows 3 and 26; "
    )


def test_metadata_of_another_data_set_in_the_same_columns(tmp_path):
    home = celeba(tmp_path)
    rows = [{"img_filename": f"{at:06d}.jpg", "y": 0, "split": 0, "place": 0} for at in range(4)]
    write_rows(home / "metadata.csv", rows)
    assert "got 4 other images: '000000.jpg'" in refusal(home)
    assert not seems_waterbirds(home)


def test_no_folder(tmp_path):
    waterbirds(tmp_path)
    said = refusal(tmp_path / "waterbird_complete95_forest2water", DataNotFound)
    assert "did you mean 'waterbird_complete95_forest2water2'?" in said


@needs_shared_data
def test_the_stand_in():
    listing = list_waterbirds(SHARED_DATA / "waterbirds")
    assert listing.variant == "stand-in"
    counts = {(count.split, count.group): count.n for count in listing.samples.counts()}
    expected = {"train": (772, 41, 15, 328), "validation": (103, 105, 58, 49), "test": (336, 335, 179, 163)}
    for split, numbers in expected.items():
        assert tuple(counts[split, group] for group in GROUPS) == numbers


@needs_shared_data
def test_a_changed_stand_in_is_no_stand_in(tmp_path):
    with (SHARED_DATA / "waterbirds" / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in {row["img_filename"].partition("/")[0] for row in rows}:
        (tmp_path / name).symlink_to(SHARED_DATA / "waterbirds" / name)
    write_rows(tmp_path / "metadata.csv", rows)
    assert list_waterbirds(tmp_path).variant == "stand-in"
    write_rows(tmp_path / "metadata.csv", rows[1:])
    assert list_waterbirds(tmp_path).variant.startswith("subset-")

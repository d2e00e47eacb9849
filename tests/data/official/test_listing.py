from pathlib import Path

import numpy as np
import pytest

from data.listed import make
from masktune.data.official.groups import check_every_group, check_every_split, group_index
from masktune.data.official.listing import sha256_of, shortened, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.official.once import check_once
from masktune.errors import DataNotFound, InputError


def test_the_hash_does_not_depend_on_the_order():
    one = make([0, 1, 1], ids=["a", "b", "c"], splits=["train", "test", "test"], groups=["x", "y", "y"])
    other = one.select(np.array([2, 0, 1]))
    assert sha256_of(one) == sha256_of(other)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": [0, 1, 0]},
        {"ids": ["a", "b", "d"]},
        {"splits": ["train", "test", "train"]},
        {"groups": ["x", "y", "x"]},
        {"classes": ("cat", "wolf")},
    ],
)
def test_the_hash_changes_with_all_that_is_known(change):
    rows = {
        "labels": [0, 1, 1],
        "ids": ["a", "b", "c"],
        "splits": ["train", "test", "test"],
        "groups": ["x", "y", "y"],
    }
    assert sha256_of(make(**rows)) != sha256_of(make(**(rows | change)))


def test_names_of_variants():
    assert variant_of("abcdef0123", {"abcdef0123": "official"}) == "official"
    assert variant_of("abcdef0123", {}) == "other-abcdef01"
    assert variant_of("abcdef0123", {}, subset=True) == "subset-abcdef01"


def test_group_indices_are_a_bijection():
    labels, places = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert group_index(labels, places).tolist() == [0, 1, 2, 3]


def test_a_split_without_a_group():
    groups, splits = np.array([0, 1, 2, 3, 0, 3]), np.array(["train"] * 4 + ["test"] * 2)
    names = ("a", "b", "c", "d")
    with pytest.raises(InputError, match=r"but test of here has none of 'b', 'c'; take others$"):
        check_every_group(groups, names, splits, "here", "take others")
    check_every_group(groups[:4], names, splits[:4], "here", "take others")


@pytest.mark.parametrize(
    ("splits", "said"),
    [(["train", "validation"], "none of test"), (["validation"], "none of train and test")],
)
def test_a_whole_split_that_is_missing(splits, said):
    with pytest.raises(InputError) as caught:
        check_every_split(np.array(splits), "the table", "get it again")
    assert str(caught.value) == (
        f"expected images of train, validation and test in the table, got {said}; get it again"
    )
    check_every_split(np.array(["test", "train", "validation"]), "the table", "get it again")


def test_of_many_notes_three_are_said():
    assert shortened(["a", "b", "c"]) == ("a", "b", "c")
    assert shortened(["a", "b", "c", "d", "e"]) == ("a", "b", "c", "and 2 more of this kind")
    assert shortened([]) == ()


def test_a_table_that_names_an_image_twice():
    names, rows = ["a", "b", "a", "c", "b", "a"], [2, 3, 4, 6, 7, 8]
    with pytest.raises(InputError) as caught:
        check_once(names, rows, Path("here.csv"), "get it again")
    assert str(caught.value) == (
        "expected each image once in here.csv, got 'a' in rows 2 and 4 and 8 (2 images come more than once); "
        "leave one row of each image, or get it again"
    )
    check_once(["a", "b"], [2, 3], Path("here.csv"), "")


def test_missing_files_are_all_held_and_three_named():
    error = MissingFiles("svhn", "root", [f"file-{at}" for at in range(1234)])
    assert isinstance(error, DataNotFound)
    assert len(error.missing) == 1234
    assert str(error) == (
        "expected svhn in root, but 1,234 files are not there: 'file-0', 'file-1', 'file-2' and 1231 more; "
        "name another folder, or get it with `masktune data get svhn root`"
    )
    assert "1 file is not there" in str(MissingFiles("svhn", "root", ["a"]))
    assert "1 of 9 files is not there" in str(MissingFiles("svhn", "root", ["a"], 9))

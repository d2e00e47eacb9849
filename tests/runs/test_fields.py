"""Dataclasses as `.npz` and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from masktune.errors import DataDamaged
from masktune.runs.fields import flat_fields, from_flat, load_fields, save_fields


@dataclass(frozen=True)
class Kept:
    numbers: np.ndarray
    by_name: Mapping[str, np.ndarray]
    word: str
    count: int


KEPT = Kept(np.arange(3), {"a": np.ones(2), "b/c": np.zeros(1)}, "layer4", 7)
KEYS = {"by_name": ("a", "b/c")}


def test_entries_of_a_mapping_are_fields_of_their_own():
    flat = flat_fields(KEPT)
    assert list(flat) == ["numbers", "by_name/a", "by_name/b/c", "word", "count"]
    again = from_flat(Kept, flat, KEYS)
    assert again.by_name == KEPT.by_name
    assert (again.word, again.count) == ("layer4", 7)


def test_words_and_numbers_come_back_from_disk_as_such(tmp_path):
    save_fields(KEPT, tmp_path / "kept.npz")
    again = load_fields(Kept, tmp_path / "kept.npz", "make it anew", KEYS)
    assert (type(again.word), again.word, again.count) == (str, "layer4", 7)
    assert again.numbers.tolist() == [0, 1, 2]
    assert {name: values.tolist() for name, values in again.by_name.items()} == {"a": [1, 1], "b/c": [0]}


def test_an_entry_that_is_not_there_is_named(tmp_path):
    save_fields(KEPT, tmp_path / "kept.npz")
    with pytest.raises(DataDamaged, match=r"kept.npz is damaged \(.*by_name/d.*\); make it anew"):
        load_fields(Kept, tmp_path / "kept.npz", "make it anew", {"by_name": ("a", "d")})

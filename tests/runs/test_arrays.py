import errno
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from masktune.errors import DataDamaged, DataNotFound, StorageError
from masktune.evaluation import Predictions
from masktune.runs import load_predictions, save_predictions

COLUMNS = ("logits", "labels", "ids", "groups", "subjects", "splits")


def example(**columns):
    return Predictions(
        logits=np.array([[0.25, -1], [3, 4]], np.float32),
        labels=np.array([0, 1]),
        ids=np.array(["a/ä.png", "b.png"]),
        **columns,
    )


FULL = {
    "groups": np.array(["cow on grass", "cow on sand"]),
    "subjects": np.array(["cow 1", "cow 2"]),
    "splits": np.array(["test", "validation"]),
}


@pytest.mark.parametrize("columns", [{}, FULL, {"groups": FULL["groups"]}])
def test_predictions_come_back(tmp_path, columns):
    path, made = tmp_path / "models" / "test.npz", example(**columns)
    save_predictions(path, made)
    back = load_predictions(path)
    for name in COLUMNS:
        assert np.array_equal(getattr(back, name), getattr(made, name))
    assert [entry.name for entry in path.parent.iterdir()] == ["test.npz"]


def test_the_file_has_the_keys_and_types_of_the_contract(tmp_path):
    save_predictions(tmp_path / "a.npz", example(**FULL))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        kinds = {
            key: arrays[key].dtype.kind + str(arrays[key].dtype.itemsize) for key in ("logits", "labels")
        }
        assert set(arrays) == {"logits", "labels", "ids", "groups", "subjects", "split"}
        assert kinds == {"logits": "f4", "labels": "i8"}
        assert {arrays[key].dtype.kind for key in ("ids", "groups", "subjects", "split")} == {"U"}


def test_equal_predictions_are_equal_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        save_predictions(tmp_path / name, example(**FULL))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_every_truncation_is_one_sentence(tmp_path):
    save_predictions(tmp_path / "a.npz", example(**FULL))
    whole = (tmp_path / "a.npz").read_bytes()
    for length in range(0, len(whole) - 1, 37):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(
            DataDamaged, match=r"cut\.npz is truncated or no \.npz of plain arrays; make it anew$"
        ):
            load_predictions(tmp_path / "cut.npz")


def test_flipped_bytes_never_raise_anything_else(tmp_path):
    save_predictions(tmp_path / "a.npz", example(**FULL))
    whole = (tmp_path / "a.npz").read_bytes()
    for place in range(0, len(whole), 11):
        (tmp_path / "bad.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with suppress(DataDamaged):
            load_predictions(tmp_path / "bad.npz")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(DataNotFound, match=r"there is no predictions file .*a\.npz"):
        load_predictions(path)
    np.savez(path, labels=np.array([0]), ids=np.array(["a"]))
    with pytest.raises(DataDamaged, match=r"expected the arrays logits, labels and ids, got no logits$"):
        load_predictions(path)
    np.save(tmp_path / "plain.npy", np.zeros(3))
    with pytest.raises(DataDamaged, match=r"plain\.npy is truncated or no \.npz"):
        load_predictions(tmp_path / "plain.npy")
    np.savez(
        path, logits=np.zeros((1, 2), np.float32), labels=np.array([0]), ids=np.array(["a"], dtype=object)
    )
    with pytest.raises(DataDamaged, match=r"no \.npz of plain arrays"):
        load_predictions(path)


@pytest.mark.usefixtures("unchecked")
def test_arrays_that_do_not_fit_say_why(tmp_path):
    np.savez(tmp_path / "a.npz", logits=np.zeros((1, 2)), labels=np.array([0]), ids=np.array(["a"]))
    with pytest.raises(DataDamaged, match=r"a\.npz holds no predictions: expected logits as float32"):
        load_predictions(tmp_path / "a.npz")


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_predictions(path, example())
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(StorageError, match=r"cannot write .*a\.npz: the disk is full; free some space"):
        save_predictions(path, example(**FULL))
    assert path.read_bytes() == before
    assert [Path(entry).name for entry in tmp_path.iterdir()] == ["a.npz"]

import csv
import errno
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.data import InMemory, Splits
from masktune.data.read_image import read_image
from masktune.errors import InputError, StorageError
from masktune.testing import Marker, ShortcutImages, save_splits
from masktune.types import InputSpec


def made(n=12, **given):
    return ShortcutImages(n, **{"size": (20, 24)} | given)


def rows(manifest):
    with manifest.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.parametrize(
    ("channels", "bits", "mode", "white"),
    [(1, 8, "L", 255), (3, 8, "RGB", 255), (1, 12, "I;16", 4095), (1, 16, "I;16", 65535)],
)
def test_pillow_reads_back_the_same_pixels(tmp_path, channels, bits, mode, white):
    data = made(channels=channels, bits=bits)
    data.save(tmp_path / "made")
    for name, image in zip(data.ids, data.images.double(), strict=True):
        with Image.open(tmp_path / "made" / name) as opened:
            assert (opened.format, opened.mode, opened.size) == ("PNG", mode, (24, 20))
            values = np.asarray(opened).reshape(20, 24, channels).transpose(2, 0, 1)
        assert values.max() <= white
        assert np.array_equal(values, (image if bits == 8 else (image * white).round()).numpy())


@pytest.mark.parametrize(("bits", "given"), [(8, "dtype"), (12, (0, 4095)), (16, "dtype")])
def test_our_reader_gives_the_same_bits_as_the_data_set(tmp_path, bits, given):
    data = made(bits=bits)
    folder = data.save(tmp_path / "made").parent
    spec = InputSpec((20, 24), channels=1, range=given)
    for name, image in zip(data.ids, data.images, strict=True):
        seen, _ = read_image((folder / name).read_bytes(), spec)
        assert torch.equal(torch.from_numpy(seen.copy()).permute(2, 0, 1), image)


def test_the_manifest_says_what_is_known(tmp_path):
    data = made(images_per_subject=3, marker=Marker(share=0.5, conflicting=0.5))
    manifest = data.save(tmp_path / "made")
    assert manifest == tmp_path / "made" / "manifest.csv"
    assert manifest.read_text().splitlines()[0] == "path,label,group,subject,site"
    read = rows(manifest)
    assert [row["path"] for row in read] == data.ids.tolist()
    assert [row["label"] for row in read] == [data.classes[label] for label in data.labels]
    assert [row["group"] for row in read] == data.groups.tolist()
    assert [row["subject"] for row in read] == data.subjects.tolist()
    assert {row["site"] for row in read} <= {"site a", "site b"}
    assert read[0]["path"] == "images/s0000_00.png"


def test_no_subjects_no_column_and_nothing_else_is_left(tmp_path):
    data = made()
    manifest = data.save(tmp_path / "made")
    assert list(rows(manifest)[0]) == ["path", "label", "group", "site"]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"made/manifest.csv", *(f"made/{name}" for name in data.ids)}


def test_splits_are_a_column(tmp_path):
    splits = made(40).splits(validation=10, test=8)
    read = rows(save_splits(splits, tmp_path / "made"))
    assert list(read[0]) == ["path", "label", "split", "group", "site"]
    assert Counter(row["split"] for row in read) == {
        "train": 40,
        "validation": 10,
        "test": 8,
        "raw": 8,
        "aligned": 8,
        "conflicting": 8,
    }
    assert len({row["path"] for row in read}) == 82
    aligned = {row["group"] for row in read if row["split"] == "aligned"}
    assert aligned == {"circle with marker", "cross without marker"}
    with Image.open(tmp_path / "made" / splits.tests["conflicting"].ids[3]) as opened:
        assert np.array_equal(np.asarray(opened), splits.tests["conflicting"].images[3, 0].numpy())


def test_an_empty_folder_is_filled_and_a_full_one_is_refused(tmp_path):
    (tmp_path / "made").mkdir()
    made().save(str(tmp_path / "made"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        made(seed=1).save(tmp_path / "made")
    assert str(caught.value) == (
        f"expected a new or empty folder, got {tmp_path / 'made'}; choose another or remove it"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "made").write_text("mine")
    with pytest.raises(InputError, match=r"^expected a new or empty folder, got "):
        made().save(tmp_path / "made")
    assert (tmp_path / "made").read_text() == "mine"


def test_more_bits_in_colour_are_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        made(bits=16, channels=3).save(tmp_path / "made")
    assert str(caught.value) == (
        "expected grey images or 8 bits, got more bits in colour, which Pillow cannot write; make them with "
        "bits=8 or channels=1"
    )
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    saved, written = Image.Image.save, []

    def full(image, path, *args, **kwargs):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        saved(image, path, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(StorageError) as caught:
        made().save(tmp_path / "made")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'made'}: the disk is full; free some space or choose another folder"
    )
    assert len(written) == 5
    assert not list(tmp_path.iterdir())


def test_splits_of_other_images_are_refused(tmp_path):
    other = InMemory(
        torch.zeros(1, 1, 4, 4, dtype=torch.uint8), np.zeros(1, np.int64), np.array(["a"]), ("a", "b")
    )
    with pytest.raises(InputError, match=r"^expected splits that ShortcutImages made; "):
        save_splits(Splits("other", None, made(), other, {}, ""), tmp_path / "made")
    assert not list(tmp_path.iterdir())

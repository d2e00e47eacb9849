import pickle
import sys

import numpy as np
import pytest

from masktune.data.hub import read_hub
from masktune.errors import DataDamaged, InputError, MissingExtra
from shared_data import SHARED_DATA, needs_shared_data

from .listed import animals, image, numbered, parquet


@pytest.fixture
def saved():
    return animals()


def refusal(path, error=InputError, **options):
    with pytest.raises(error) as caught:
        read_hub(path, **options)
    return str(caught.value).replace(str(path), "DIR")


def test_parquet_files_of_splits(tmp_path):
    parquet(tmp_path / "train-00000-of-00002.parquet", numbered(3), [0, 1, 1], age=[3, None, 5])
    parquet(tmp_path / "train-00001-of-00002-0a1b.parquet", numbered(2, 3), [0, 1], age=[6, 7])
    parquet(tmp_path / "validation-00000-of-00001.parquet", numbered(2, 5), [1, 0], age=[8, 9])
    samples = read_hub(tmp_path)
    assert samples.ids.tolist() == [f"{n}.png" for n in range(7)]
    assert samples.labels.tolist() == [0, 1, 1, 0, 1, 1, 0]
    assert samples.classes == ("0", "1")
    assert samples.splits.tolist() == ["train"] * 5 + ["validation"] * 2
    assert samples.columns["age"].tolist() == ["3", "", "5", "6", "7", "8", "9"]
    assert [samples.contents.read(n) for n in range(7)] == [b"image %d" % n for n in range(7)]
    assert samples.contents.where(4) == f"{tmp_path}/train-00001-of-00002-0a1b.parquet[1]"
    some = samples.contents.select(np.array([6, 3]))
    assert (len(some), some.read(0), some.read(1)) == (2, b"image 6", b"image 3")


def test_one_file_of_no_split(tmp_path):
    path = parquet(tmp_path / "birds.parquet", numbered(2, paths=False), [1, 0])
    samples = read_hub(f"hub:{path}")
    assert samples.splits is None
    assert samples.ids.tolist() == ["00000", "00001"]


@pytest.mark.parametrize("paths", [["a", "a", "b", "c"], ["a", None, "b", "c"]])
def test_ids_where_paths_are_no_names(tmp_path, paths):
    images = [image(b"1", path) for path in paths]
    parquet(tmp_path / "train.parquet", images[:2], [0, 1])
    parquet(tmp_path / "test.parquet", images[2:], [0, 1])
    assert read_hub(tmp_path).ids.tolist() == ["test/00000", "test/00001", "train/00000", "train/00001"]


def test_images_as_plain_bytes(tmp_path):
    parquet(tmp_path / "train.parquet", [b"one", b"two"], ["dog", "cat"])
    samples = read_hub(tmp_path)
    assert samples.classes == ("cat", "dog")
    assert samples.ids.tolist() == ["train/00000", "train/00001"]
    assert samples.contents.read(1) == b"two"


def test_groups_subjects_and_fingerprint(tmp_path):
    path = parquet(tmp_path / "train.parquet", numbered(2), [0, 1], group=["sea", "land"], patient=[7, 8])
    samples = read_hub(tmp_path, subject_column="patient")
    assert (samples.groups.tolist(), samples.subjects.tolist()) == (["sea", "land"], ["7", "8"])
    assert samples.columns == {}
    assert pickle.loads(pickle.dumps(samples.contents)).read(1) == b"image 1"
    before = samples.fingerprint()
    assert read_hub(tmp_path, subject_column="patient").fingerprint() == before
    parquet(path, numbered(2), [0, 1], group=["sea", "land"], patient=[7, 8], more=[1, 2])
    assert read_hub(tmp_path, subject_column="patient").fingerprint() != before


def test_saved_by_datasets(saved, tmp_path):
    saved.save_to_disk(tmp_path / "saved", num_shards={"train": 2, "val": 1})
    samples = read_hub(tmp_path / "saved", label_column="kind")
    assert samples.ids.tolist() == [f"{n}.png" for n in range(8)]
    assert samples.splits.tolist() == ["train"] * 6 + ["validation"] * 2
    assert samples.classes == ("cat", "dog")  # The order of the data set; no image is a wolf.
    assert samples.labels.tolist() == [1, 0] * 4
    assert samples.columns["place"].tolist() == ["sea", "land"] * 4
    assert [samples.contents.read(n) for n in range(8)] == [b"image %d" % n for n in range(8)]
    assert pickle.loads(pickle.dumps(samples.contents)).read(7) == b"image 7"
    assert len(samples.fingerprint()) == 64


def test_one_saved_split(saved, tmp_path):
    saved["train"].save_to_disk(tmp_path / "saved")
    samples = read_hub(tmp_path / "saved", label_column="kind")
    assert samples.splits is None
    assert samples.contents.read(3) == b"image 3"


def test_rows_chosen_before_saving(saved, tmp_path):
    saved["train"].select([5, 0]).save_to_disk(tmp_path / "saved")
    samples = read_hub(tmp_path / "saved", label_column="kind")
    assert samples.ids.tolist() == ["0.png", "5.png"]
    assert [samples.contents.read(n) for n in (0, 1)] == [b"image 0", b"image 5"]


def test_named_classes_in_parquet(saved, tmp_path):
    saved["train"].remove_columns("place").to_parquet(tmp_path / "train.parquet")
    samples = read_hub(tmp_path)  # "kind" is the only column with named classes.
    assert samples.classes == ("cat", "dog")
    assert samples.contents.read(5) == b"image 5"


def test_several_columns_with_named_classes(saved, tmp_path):
    saved["train"].to_parquet(tmp_path / "train.parquet")
    message = refusal(tmp_path)
    assert message == (
        "no column 'label', but kind, place with named classes, in DIR, which has picture "
        "(struct<bytes: binary, path: string>), kind (int64), place (int64), age (int32); name one with "
        "--label-column"
    )
    assert "no column 'kinds' (did you mean 'kind'?)" in refusal(tmp_path, label_column="kinds")


def test_columns_of_images(tmp_path):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1], mask=[b"1", b"2"])
    assert refusal(tmp_path) == (
        "2 columns with images in DIR, which has image (struct<bytes: binary, path: string>), label (int64), "
        "mask (binary); name one that holds bytes, or bytes and path, with --image-column"
    )
    assert read_hub(tmp_path, image_column="mask").contents.read(1) == b"2"
    assert "no column 'label' with images in DIR" in refusal(tmp_path, image_column="label")
    parquet(tmp_path / "train.parquet", ["a.png", "b.png"], [0, 1])
    assert refusal(tmp_path).startswith(
        "no columns with images in DIR, which has image (string), label (int64)"
    )


def test_an_optional_column_that_is_not_there(tmp_path):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1], place=["a", "b"])
    assert refusal(tmp_path, group_column="site") == ("no column 'site' in DIR; it has image, label, place")


@pytest.mark.parametrize("withheld", [-1, None])
def test_labels_that_are_withheld(tmp_path, withheld):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1])
    parquet(tmp_path / "test.parquet", numbered(3, 2), [withheld, withheld, 1])
    assert refusal(tmp_path) == (
        "2 of 5 images in DIR have no label in column 'label' (nothing, or -1 as where labels are withheld); "
        "take those files or rows away"
    )


def test_classes_are_checked(tmp_path):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 0])
    assert refusal(tmp_path) == "expected at least two classes in DIR, got 1: '0'"
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1])
    parquet(tmp_path / "test.parquet", numbered(1, 2), [0])
    assert refusal(tmp_path).startswith("class '1' has no images in split 'test' of DIR")


def test_files_with_other_columns(tmp_path):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1])
    parquet(tmp_path / "test.parquet", numbered(2, 2), [0, 1], age=[1, 2])
    assert refusal(tmp_path) == (
        "expected the same columns in all files, got image, label, age in DIR/test.parquet and image, label "
        "in DIR/train.parquet; name a folder of one data set"
    )


def test_damaged_files(saved, tmp_path):
    path = parquet(tmp_path / "p" / "train.parquet", numbered(2), [0, 1])
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path, DataDamaged).startswith("DIR is truncated or damaged (")
    saved["train"].save_to_disk(tmp_path / "s")
    arrow = next((tmp_path / "s").glob("*.arrow"))
    arrow.write_bytes(arrow.read_bytes()[:300])
    assert "is truncated or damaged (" in refusal(tmp_path / "s", DataDamaged)
    (tmp_path / "s" / "state.json").write_text("{")
    assert refusal(tmp_path / "s", DataDamaged).startswith("DIR/state.json is damaged (")


def test_without_pyarrow(tmp_path, monkeypatch):
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refusal(tmp_path, MissingExtra).endswith("need pyarrow; type: pip install 'masktune[tables]'")


@needs_shared_data
def test_cifar_10():
    samples = read_hub(SHARED_DATA / "cifar10")
    # The table of the README beside the data.
    assert [count.n for count in samples.counts()] == [
        *(1212, 1164, 1220, 1224, 1193, 1149, 1234, 1210, 1227, 1167),
        *(299, 287, 318, 295, 299, 290, 307, 286, 316, 303),
    ]
    train = samples.of_split("train")
    assert train.ids[0] == "00000.png"
    assert train.contents.read(0).startswith(b"\x89PNG")
    assert samples.of_split("test").contents.read(2999).startswith(b"\xff\xd8")

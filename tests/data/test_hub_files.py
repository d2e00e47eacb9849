import sys

import pytest

from masktune.data.hub import read_hub
from masktune.errors import DataNotFound, InputError, MissingExtra

from .listed import animals, numbered, parquet


@pytest.fixture
def saved():
    return animals()


def refusal(path, error=InputError, **options):
    with pytest.raises(error) as caught:
        read_hub(path, **options)
    return str(caught.value).replace(str(path), "DIR")


@pytest.mark.parametrize(
    "names",
    [
        ("train.parquet", "test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
    ],
)
def test_layouts(tmp_path, names):
    for first, name in enumerate(names):
        parquet(tmp_path / name, numbered(2, 2 * first), [0, 1])
    assert read_hub(tmp_path).splits.tolist() == ["train", "train", "test", "test"]


def test_folders_that_hold_something_else(tmp_path):
    assert refusal(tmp_path, DataNotFound) == (
        "no data set in DIR: looked for dataset_dict.json and state.json, as `save_to_disk` writes them, and "
        "for files that end in .parquet"
    )
    parquet(tmp_path / "train.parquet", numbered(2), [0, 1])
    parquet(tmp_path / "extra.parquet", numbered(2, 2), [0, 1])
    assert refusal(tmp_path) == (
        "expected a split in the name of each file in DIR, got extra.parquet; there are train, validation, "
        "test: rename it or move it away"
    )
    (tmp_path / "extra.parquet").unlink()
    parquet(tmp_path / "other" / "x.parquet", numbered(2, 2), [0, 1])
    assert refusal(tmp_path) == "expected one data set in DIR, got 'DIR', 'DIR/other'; name one of them"


def test_a_split_of_another_name(saved, tmp_path):
    saved["tests"] = saved.pop("val")
    saved.save_to_disk(tmp_path)
    assert refusal(tmp_path) == (
        "unknown split 'tests' (did you mean 'test'?) in DIR; there are train, validation, test: save the "
        "data set with these"
    )


def test_the_network_is_not_used_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal("hub:mnist") == (
        "mnist is no folder or file here, and to get it from the hub needs the network; save it with "
        "`datasets` and name that folder, or allow it with --allow-download"
    )
    assert (
        refusal("mnist", DataNotFound) == "no folder or file DIR; a data set to download is given as hub:NAME"
    )


def test_a_download_lies_in_the_cache_of_datasets(saved, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")  # It is set, and so has to be put back.
    saved.save_to_disk(tmp_path / "cache")
    asked = []
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name: asked.append(name) or datasets.load_from_disk(tmp_path / "cache"),
    )
    samples = read_hub("hub:someone/animals", label_column="kind", allow_download=True)
    assert asked == ["someone/animals"]
    assert samples.contents.read(7) == b"image 7"

    def offline(name):
        raise ConnectionError("no route\nto the host")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(DataNotFound, match=r"^cannot get hub:x: no route$"):
        read_hub("hub:x", allow_download=True)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert refusal("hub:x", MissingExtra, allow_download=True) == (
        "data sets of the hub need datasets; type: pip install 'masktune[hub]'"
    )

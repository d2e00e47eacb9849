import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.listed import animals, fill, image, parquet
from masktune.errors import DataNotFound, InputError
from masktune.intake import DataChoices, open_samples
from masktune.intake.open_data import name_of


def opened(data, **choices):
    return open_samples(DataChoices(data=str(data), **choices))


def folder(root):
    return fill(root, *(f"{split}/{c}/{n}_a.png" for split in ("train", "val") for c in "xy" for n in (1, 2)))


def test_a_folder(tmp_path):
    samples = opened(folder(tmp_path / "images"))
    assert samples.split_names == ("train", "validation")
    assert samples.classes == ("x", "y")
    assert len(samples) == 8


def test_one_split_and_subjects_from_names(tmp_path):
    samples = opened(folder(tmp_path / "images"), split="val", subject_from=r"^(\d)_")
    assert samples.ids.tolist() == [f"val/{c}/{n}_a.png" for c in "xy" for n in (1, 2)]
    assert samples.subjects.tolist() == ["1", "2", "1", "2"]


def manifest(root, header="path,label,split"):
    fill(root / "images", "0.png", "1.png")
    (root / "table.csv").write_text(f"{header}\nimages/0.png,cat,train\nimages/1.png,dog,train\n")
    return root / "table.csv"


def test_a_csv_manifest_with_columns_of_other_names_and_another_root(tmp_path):
    table = manifest(tmp_path, "file,diagnosis,part")
    columns = (("path", "file"), ("label", "diagnosis"), ("split", "part"))
    assert opened(table, columns=columns).split_names == ("train",)
    moved = tmp_path / "elsewhere" / "table.csv"
    moved.parent.mkdir()
    table.rename(moved)
    with pytest.raises(DataNotFound, match=r"--root"):
        opened(moved, columns=columns)
    assert opened(moved, columns=columns, root=tmp_path).ids.tolist() == ["images/0.png", "images/1.png"]


def test_a_parquet_manifest_of_paths(tmp_path):
    fill(tmp_path, "0.png", "1.png")
    table = pa.table({"path": ["0.png", "1.png"], "label": ["cat", "dog"], "age": [4, 5]})
    pq.write_table(table, tmp_path / "table.parquet")
    samples = opened(tmp_path / "table.parquet")
    assert samples.ids.tolist() == ["0.png", "1.png"]
    assert samples.columns["age"].tolist() == ["4", "5"]


def test_parquet_that_holds_the_images_themselves(tmp_path):
    parquet(tmp_path / "train.parquet", [image(b"0", "a.png"), image(b"1", "b.png")], ["cat", "dog"])
    samples = opened(tmp_path / "train.parquet")
    assert samples.ids.tolist() == ["a.png", "b.png"]
    assert samples.contents.read(1) == b"1"


def test_a_saved_data_set_of_hugging_face(tmp_path):
    animals().save_to_disk(tmp_path / "animals")
    samples = opened(tmp_path / "animals", columns=(("label", "kind"), ("group", "place")))
    assert samples.classes == ("cat", "dog")
    assert samples.split_names == ("train", "validation")
    assert set(samples.groups.tolist()) == {"sea", "land"}


def test_nothing_is_fetched_without_leave():
    with pytest.raises(InputError, match="--allow-download"):
        opened("hub:someone/animals")


def test_near_names_of_what_is_not_there(tmp_path):
    folder(tmp_path / "images")
    with pytest.raises(
        DataNotFound, match=r"no images at .*imags \(did you mean 'images'\?\); give a folder"
    ):
        opened(tmp_path / "imags")
    with pytest.raises(DataNotFound, match=r"no images at .*nowhere/at/all; give a folder"):
        opened(tmp_path / "nowhere/at/all")


def test_a_file_of_another_kind(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder, a manifest \(\.csv, .*, got .*thesis\.tex; a"):
        opened(fill(tmp_path, "thesis.tex") / "thesis.tex")


def test_options_that_mean_nothing_for_such_data_are_refused(tmp_path):
    images = folder(tmp_path / "images")
    with pytest.raises(InputError, match=r"--label-column means nothing for .*images, which is a folder"):
        opened(images, columns=(("label", "diagnosis"),))
    with pytest.raises(InputError, match=r"--root means nothing for .*images, which is a folder"):
        opened(images, root=tmp_path)
    with pytest.raises(InputError, match=r"--image-column means nothing for .*, which is a manifest"):
        opened(manifest(tmp_path), columns=(("image", "scan"),))
    animals().save_to_disk(tmp_path / "animals")
    with pytest.raises(InputError, match=r"--path-column means nothing for .*, which is a saved data set"):
        opened(tmp_path / "animals", columns=(("label", "kind"), ("path", "file")))


def test_short_names_for_results(tmp_path, monkeypatch):
    manifest(tmp_path / "study.1")
    assert name_of(str(tmp_path / "study.1/table.csv")) == "table"
    assert name_of(f"{tmp_path}/study.1/") == "study.1"
    assert name_of("hub:someone/animals") == "someone--animals"
    monkeypatch.chdir(tmp_path / "study.1")
    assert name_of(".") == "study.1"

import os

import pytest

from masktune.data.folder import list_folder
from masktune.errors import DataNotFound, InputError

from .listed import fill


def refusal(root, error=InputError):
    with pytest.raises(error) as caught:
        list_folder(root)
    return str(caught.value)


def test_a_folder_a_class(tmp_path):
    fill(tmp_path, "dog/2.png", "cat/b.jpg", "cat/a.JPG", "cat/deeper/still/c.webp")
    samples = list_folder(tmp_path)
    assert samples.ids.tolist() == ["cat/a.JPG", "cat/b.jpg", "cat/deeper/still/c.webp", "dog/2.png"]
    assert samples.labels.tolist() == [0, 0, 0, 1]
    assert samples.classes == ("cat", "dog")
    assert samples.splits is None
    assert samples.contents.where(2) == str(tmp_path / "cat/deeper/still/c.webp")


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "validation", "test"),
        ("Train", "val", "TEST"),
        ("training", "valid", "testing"),
        ("train", "dev", "test"),
        ("train", "eval", "test"),
    ],
)
def test_a_folder_a_split(tmp_path, train, validation, test):
    names = [f"{split}/{name}/1.png" for split in (train, validation, test) for name in ("cat", "dog")]
    samples = list_folder(fill(tmp_path, *names))
    by_id = dict(zip(samples.ids.tolist(), samples.splits.tolist(), strict=True))
    assert by_id[f"{train}/dog/1.png"] == "train"
    assert by_id[f"{validation}/cat/1.png"] == "validation"
    assert by_id[f"{test}/cat/1.png"] == "test"
    assert samples.labels.sum() == 3


def test_what_is_no_image_is_counted(tmp_path):
    fill(tmp_path, "cat/1.png", "dog/1.png", "preview.png", "list.csv", ".DS_Store", "README")
    fill(tmp_path, "cat/Thumbs.db", "cat/desktop.ini", "cat/notes.txt", "cat/more.TXT", "cat/._1.png")
    fill(tmp_path, "dog/mask.npz", "dog/README", "__MACOSX/cat/1.png", ".git/config")
    samples = list_folder(tmp_path)
    assert samples.ids.tolist() == ["cat/1.png", "dog/1.png"]
    assert samples.passed_over == {
        "outside of the class folders": 1,
        ".csv": 1,
        "hidden": 4,
        "no image": 2,
        ".db": 1,
        ".ini": 1,
        ".txt": 2,
        ".npz": 1,
    }


def test_dicom_files_often_have_no_ending(tmp_path):
    fill(tmp_path, "a/IM000001", "a/1.2.840.113619.2.55", "a/x.dcm", "a/DICOMDIR", "b/IM1")
    assert list_folder(tmp_path).ids.tolist() == ["a/1.2.840.113619.2.55", "a/IM000001", "a/x.dcm", "b/IM1"]


def test_numbers_are_sorted_as_numbers_and_names_of_all_scripts_are_kept(tmp_path):
    fill(tmp_path, "10/Käuzchen рис.jpg", "9/日本.jpg", "2/a b.jpg")
    samples = list_folder(tmp_path)
    assert samples.classes == ("2", "9", "10")
    assert samples.ids.tolist() == ["10/Käuzchen рис.jpg", "2/a b.jpg", "9/日本.jpg"]


def test_links_are_followed_and_loops_end(tmp_path):
    fill(tmp_path, "real/1.png", "data/dog/1.png", "data/dog/deep/2.png")
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "real")
    (tmp_path / "data" / "dog" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dog" / "self").symlink_to(tmp_path / "data" / "dog")
    (tmp_path / "data" / "dog" / "deep" / "again").symlink_to(tmp_path / "data" / "dog" / "deep")
    assert list_folder(tmp_path / "data").ids.tolist() == ["cat/1.png", "dog/1.png", "dog/deep/2.png"]


def test_a_broken_link_is_listed_so_that_it_is_reported(tmp_path):
    fill(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "dog" / "2.png").symlink_to(tmp_path / "gone.png")
    samples = list_folder(tmp_path)
    assert samples.ids.tolist() == ["cat/1.png", "dog/1.png", "dog/2.png"]
    assert samples.contents.missing() == [2]


def test_pipes_are_passed_over(tmp_path):
    fill(tmp_path, "cat/1.png", "dog/1.png")
    os.mkfifo(tmp_path / "dog" / "2.png")
    assert list_folder(tmp_path).passed_over == {"no file": 1}


def test_the_order_of_the_listing_does_not_matter(tmp_path, monkeypatch):
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(5)]
    before = list_folder(fill(tmp_path, *names))

    class Backwards(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: Backwards(list(scandir(path))[::-1]))
    assert list_folder(tmp_path).ids.tolist() == before.ids.tolist() == sorted(names)


def test_no_such_folder(tmp_path):
    fill(tmp_path, "birds/cat/1.png")
    assert refusal(tmp_path / "brids", DataNotFound) == (
        f"no folder {tmp_path}/brids (did you mean 'birds'?)"
    )
    assert refusal(tmp_path / "not" / "there", DataNotFound) == f"no folder {tmp_path}/not/there"


def test_a_file_instead_of_a_folder(tmp_path):
    fill(tmp_path, "a.zip")
    assert refusal(tmp_path / "a.zip") == (
        f"expected a folder of images, got the file {tmp_path}/a.zip; name the folder it lies in"
    )


MANIFEST = "a CSV file with the first row path,label (and perhaps split), then a row an image"


@pytest.mark.parametrize(
    ("name", "what"), [(".hidden", "neither images nor class folders"), ("1.png", "images")]
)
def test_no_class_folders(tmp_path, name, what):
    fill(tmp_path, name)
    assert refusal(tmp_path) == (
        f"expected a folder for each class in {tmp_path}, got {what}; sort the images into folders named as "
        f"their classes, or give a manifest: {MANIFEST}"
    )


def test_a_split_without_class_folders(tmp_path):
    fill(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/1.png", "test/2.png")
    assert refusal(tmp_path).startswith(f"expected a folder for each class in {tmp_path}/test, got images;")


def test_one_class_only(tmp_path):
    fill(tmp_path, "cat/1.png")
    assert refusal(tmp_path) == f"expected at least two classes in {tmp_path}, got 1: 'cat'"


def test_a_folder_in_a_folder(tmp_path):
    fill(tmp_path, "pets/cat/1.png", "pets/dog/1.png")
    assert refusal(tmp_path) == (
        f"expected at least two classes in {tmp_path}, got one: 'pets', which holds the folders 'cat', "
        f"'dog'; did you mean {tmp_path}/pets?"
    )


def test_a_class_that_is_empty(tmp_path):
    fill(tmp_path, "cat/1.png", "dog/1.png", "notes/today.txt")
    assert refusal(tmp_path) == (
        f"class 'notes' has no images in {tmp_path}; each folder there is a class: fill it or take it away"
    )


def test_a_class_that_a_split_lacks(tmp_path):
    fill(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    assert refusal(tmp_path) == (
        f"class 'dog' has no images in split 'validation' of {tmp_path}; every split needs images of every "
        "class"
    )


def test_a_class_in_two_spellings(tmp_path):
    fill(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/Cat/1.png", "val/dog/1.png")
    assert refusal(tmp_path) == (
        f"expected one spelling a class in {tmp_path}, got 'Cat' and 'cat'; write them alike"
    )


def test_splits_beside_classes(tmp_path):
    fill(tmp_path, "train/cat/1.png", "train/dog/1.png", "cat/1.png")
    assert refusal(tmp_path) == (
        f"expected folders of classes or of splits in {tmp_path}, got both: 'train' beside 'cat'; move the "
        f"classes into the splits, or give a manifest: {MANIFEST}"
    )


def test_two_folders_for_one_split(tmp_path):
    fill(tmp_path, "train/cat/1.png", "val/cat/1.png", "valid/cat/1.png")
    assert refusal(tmp_path) == (
        f"expected one folder a split in {tmp_path}, got 'val' and 'valid', which both mean validation; join "
        "them"
    )


def test_a_name_that_is_no_text(tmp_path):
    fill(tmp_path, "cat/1.png", "dog/1.png")
    with open(os.fsencode(tmp_path) + b"/dog/\xe9.png", "wb"):  # noqa: PTH123 - no `Path` takes bytes.
        pass
    assert refusal(tmp_path) == (
        f"expected file names in UTF-8 in {tmp_path}/dog, got b'\\xe9.png'; rename it"
    )

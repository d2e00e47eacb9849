import numpy as np
import pytest
import torch

import masktune
from masktune import ImageFolder, Manifest
from masktune.data import Dataset, ImageFiles, list_folder, read_manifest, with_splits
from masktune.errors import DataNotFound, InputError
from masktune.types import InputSpec

from .pictures import colours, encoded, write

SPEC = InputSpec((12, 16))
PARTS = ("train", "validation", "test")


def pets(root, per_class=10, splits=("",)):
    """10 cats and 10 dogs in each split."""
    names = [
        f"{split}{kind}/{at}.png" for split in splits for kind in ("cats", "dogs") for at in range(per_class)
    ]
    write(root, {name: colours(at) for at, name in enumerate(names)})
    return root


def table(root, header, *rows):
    names = [row.split(",")[0] for row in rows]
    write(root, {name: colours(at) for at, name in enumerate(names)})
    (root / "animals.csv").write_text("\n".join((header, *rows)) + "\n")
    return root / "animals.csv"


def ids_of(splits):
    return [set(part.ids.tolist()) for part in (splits.train, splits.validation, splits.tests["test"])]


def test_a_folder(tmp_path):
    data = ImageFolder(pets(tmp_path / "pets", 2), SPEC)
    assert isinstance(data, Dataset)
    assert isinstance(data, ImageFiles)
    assert (data.name, data.classes, len(data)) == ("pets", ("cats", "dogs"), 4)
    batch = data.__getitems__([3, 0])
    assert batch.ids == ("dogs/1.png", "cats/0.png")
    assert batch.labels.tolist() == [1, 0]
    assert batch.images[0].permute(1, 2, 0).tolist() == colours(3).tolist()


def test_the_usual_input(tmp_path):
    data = ImageFolder(str(pets(tmp_path, 1)))
    assert data.spec == InputSpec((224, 224))
    assert data.__getitems__([0]).images.shape == (1, 3, 224, 224)


def test_nothing_is_read_before_a_batch_is_drawn(tmp_path):
    write(tmp_path, {"cats/a.png": b"", "dogs/b.png": b""})
    data = ImageFolder(tmp_path, SPEC)
    assert (len(data), len(data.select(np.array([1])))) == (2, 1)


def test_one_split_of_a_folder(tmp_path):
    root = pets(tmp_path, 2, ("train/", "val/", "test/"))
    data = ImageFolder(root, SPEC, split="validation")
    assert data.ids.tolist() == [f"val/{kind}/{at}.png" for kind in ("cats", "dogs") for at in (0, 1)]
    with pytest.raises(InputError, match=r"no split 'tain' \(did you mean 'train'\?\)"):
        ImageFolder(root, SPEC, split="tain")


@pytest.mark.parametrize("split", [None, "test"])
def test_given_splits_are_kept(tmp_path, split):
    root = pets(tmp_path / "pets", 2, ("train/", "val/", "test/"))
    splits = ImageFolder(root, SPEC, split=split).splits()
    assert (splits.name, splits.variant, list(splits.tests)) == ("pets", None, ["test"])
    assert [{name.split("/")[0] for name in ids} for ids in ids_of(splits)] == [{"train"}, {"val"}, {"test"}]
    assert splits.sha256 == list_folder(root).fingerprint()


def test_missing_splits_are_made(tmp_path):
    data = ImageFolder(pets(tmp_path), SPEC)
    splits = data.splits(seed=3)
    parts = (splits.train, splits.validation, splits.tests["test"])
    # 15 % of 10 a class, rounded up from 1.5, for validation and for test.
    assert [np.bincount(part.labels).tolist() for part in parts] == [[6, 6], [2, 2], [2, 2]]
    assert set.union(*ids_of(splits)) == set(data.ids.tolist())
    made = with_splits(list_folder(tmp_path), seed=3).samples
    assert ids_of(splits) == [set(made.of_split(name).ids.tolist()) for name in PARTS]
    assert ids_of(data.splits(seed=4)) != ids_of(splits)
    assert data.splits(seed=4).sha256 == splits.sha256


def test_parts_are_read_as_the_whole_is(tmp_path):
    def preprocess(image):
        return np.full((12, 16, 3), 7, dtype=np.uint8)

    splits = ImageFolder(pets(tmp_path), SPEC, preprocess=preprocess, threads=3).splits()
    for part in (splits.train, splits.validation, splits.tests["test"]):
        assert part.threads == 3
        assert part.__getitems__([0]).images.unique().tolist() == [7]


def test_unreadable_images_are_left_out_when_asked(tmp_path):
    root = pets(tmp_path)
    (root / "cats/3.png").write_bytes(b"")
    assert len(ImageFolder(root, SPEC)) == 20
    data = ImageFolder(root, SPEC, skip_unreadable=True)
    assert len(data) == 19
    assert "cats/3.png" not in data.ids.tolist()
    assert "cats/3.png" not in set.union(*ids_of(data.splits()))
    assert len(data.__getitems__(range(19))) == 19


def test_what_can_be_read_depends_on_the_range(tmp_path):
    floats = encoded(np.full((12, 16), 40, np.float32), "TIFF")  # Beyond 1: not without a range.
    write(tmp_path, {"cats/a.tif": floats, "cats/b.png": colours(0), "dogs/c.png": colours(1)})
    assert len(ImageFolder(tmp_path, SPEC, skip_unreadable=True)) == 2
    assert len(ImageFolder(tmp_path, InputSpec((12, 16), range=(0, 100)), skip_unreadable=True)) == 3


def test_a_class_without_readable_images_is_said(tmp_path):
    write(tmp_path / "pets", {"cats/a.png": colours(0), "dogs/b.png": b""})
    with pytest.raises(
        InputError, match="class 'dogs' has no images in pets without its unreadable images; every split"
    ):
        ImageFolder(tmp_path / "pets", SPEC, skip_unreadable=True)


def test_a_manifest(tmp_path):
    at = table(tmp_path, "path,label,group,subject", "b.png,dog,sea,p", "a.png,cat,land,q", "c.png,cat,sea,p")
    data = Manifest(at, SPEC)
    assert isinstance(data, Dataset)
    assert (data.name, data.classes) == ("animals", ("cat", "dog"))
    batch = data.__getitems__([1, 0])
    assert (batch.ids, batch.labels.tolist()) == (("b.png", "a.png"), [1, 0])
    assert (batch.groups, batch.subjects) == (("sea", "land"), ("p", "q"))
    assert batch.images[0].permute(1, 2, 0).tolist() == colours(0).tolist()
    assert torch.equal(data.__getitems__([0]).images[0], batch.images[1])


def test_a_manifest_with_names_of_its_own(tmp_path):
    at = table(tmp_path / "files", "file,kind,part,where,who", "a.png,x,0,sea,p", "b.png,y,0,sea,q")
    moved = at.rename(tmp_path / "list.csv")
    data = Manifest(
        moved,
        SPEC,
        root=tmp_path / "files",
        path_column="file",
        label_column="kind",
        split_column="part",
        group_column="where",
        subject_column="who",
        split="train",
    )
    assert (data.name, data.ids.tolist(), data.classes) == ("list", ["a.png", "b.png"], ("x", "y"))
    assert (data.groups.tolist(), data.subjects.tolist()) == (["sea", "sea"], ["p", "q"])
    with pytest.raises(DataNotFound, match="2 of the 2 images"):
        Manifest(moved, SPEC, path_column="file", label_column="kind")


def test_made_splits_of_a_manifest_divide_no_subject(tmp_path):
    kinds = ["cat", "dog"] * 10
    rows = [f"p{subject:02d}-{at}.png,{kind}" for subject, kind in enumerate(kinds) for at in (0, 1)]
    at = table(tmp_path, "path,label", *rows)
    data = Manifest(at, SPEC, subject_from=r"^(p\d+)-")
    assert data.subjects.tolist() == [name[:3] for name in data.ids.tolist()]
    splits = data.splits()
    of = [set(part.subjects.tolist()) for part in (splits.train, splits.validation, splits.tests["test"])]
    assert [len(subjects) for subjects in of] == [12, 4, 4]  # 15 % of 10 subjects a class, rounded up.
    assert len(set.union(*of)) == 20
    assert splits.sha256 == read_manifest(at).with_subjects(r"^(p\d+)-").fingerprint()


def test_unreadable_images_of_a_manifest(tmp_path):
    at = table(tmp_path, "path,label", "a.png,cat", "b.png,dog", "c.png,cat")
    (tmp_path / "c.png").write_bytes(b"no image")
    assert Manifest(at, SPEC, skip_unreadable=True).ids.tolist() == ["a.png", "b.png"]


@pytest.mark.parametrize("kind", [ImageFolder, Manifest])
def test_nothing_there(tmp_path, kind):
    with pytest.raises(DataNotFound, match="nowhere"):
        kind(tmp_path / "nowhere")


def test_they_are_public():
    assert masktune.ImageFolder is ImageFolder is masktune.data.ImageFolder
    assert masktune.Manifest is Manifest is masktune.data.Manifest

import numpy as np
import pytest

from masktune.data.decode import decode
from masktune.data.official import cats_vs_dogs as room
from masktune.data.official.cats_vs_dogs import FACTS, list_cats_vs_dogs
from masktune.data.official.listing import with_made_splits
from masktune.data.official.missing import MissingFiles
from masktune.data.official.registry import list_official
from masktune.errors import DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .layouts import cats_vs_dogs, noise, png, write_image


def test_kaggles_photos(tmp_path):
    listing = list_cats_vs_dogs(cats_vs_dogs(tmp_path))
    samples = listing.samples
    assert samples.ids.tolist() == [f"{kind}.{at}.jpg" for kind in ("cat", "dog") for at in range(6)]
    assert samples.labels.tolist() == [0] * 6 + [1] * 6
    assert samples.classes == ("cat", "dog")
    assert samples.splits is None


@pytest.mark.parametrize("inside", [False, True])
def test_layouts_give_the_same(tmp_path, inside):
    first = list_cats_vs_dogs(cats_vs_dogs(tmp_path / "a") / ("train" if inside else "."))
    root = cats_vs_dogs(tmp_path / "b", "microsoft")
    second = list_cats_vs_dogs(root / "PetImages" if inside else root)
    assert first.sha256 == second.sha256
    assert first.samples.ids.tolist() == second.samples.ids.tolist()
    images = [decode(listing.samples.contents.read(8)).values for listing in (first, second)]
    assert np.array_equal(*images)


def test_plain_folders_keep_their_names_and_splits(tmp_path):
    cats_vs_dogs(tmp_path, "plain")
    listing = list_cats_vs_dogs(tmp_path)
    assert listing.samples.ids[0] == "cat/0.jpg"
    for split in ("train", "val"):
        for kind in ("cats", "Dogs"):  # By name dogs come first then.
            write_image(tmp_path / "b" / split / kind / "1.jpg", 1)
    samples = list_cats_vs_dogs(tmp_path / "b").samples
    assert samples.split_names == ("train", "validation")
    assert samples.classes == ("cat", "dog")
    assert samples.labels.tolist() == ["Dogs" in name for name in samples.ids.tolist()]


def test_whole_sets_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "EACH", 6)
    assert list_cats_vs_dogs(cats_vs_dogs(tmp_path / "a")).variant == "official"
    assert list_cats_vs_dogs(cats_vs_dogs(tmp_path / "b", "microsoft")).variant == "microsoft"


def test_photos_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "EACH", 6)
    root = cats_vs_dogs(tmp_path)
    (root / "train" / "dog.3.jpg").unlink()
    listing = list_cats_vs_dogs(root)
    assert listing.variant == f"subset-{listing.sha256[:8]}"
    assert listing.notes == ("1 of 12 photos are not here: 'dog.3.jpg'",)
    write_image(root / "train" / "dog.6.jpg", 1)
    assert list_cats_vs_dogs(root).variant.startswith("other-")


def damaged(root):
    """One photo that is empty, one without a JFIF header that can be decoded, one with it that cannot."""
    photos = cats_vs_dogs(root, "microsoft") / "PetImages"
    (photos / "Cat" / "1.jpg").write_bytes(b"")
    (photos / "Cat" / "2.jpg").write_bytes(png(noise(1)))
    whole = (photos / "Dog" / "3.jpg").read_bytes()
    (photos / "Dog" / "3.jpg").write_bytes(whole[:60])
    return root


def test_both_numbers_of_photos_to_leave_out(tmp_path):
    root = damaged(tmp_path)
    listing = list_cats_vs_dogs(root)
    assert len(listing.samples) == 12
    assert listing.notes[:2] == (
        "2 of 12 photos have no JFIF header (TFDS leaves these out)",
        "empty files: 1 ('cat.1.jpg')",
    )
    assert not any("decoded" in note for note in listing.notes)
    decoded = list_cats_vs_dogs(root, drop="undecodable")
    assert "2 of 12 photos cannot be decoded, and are left out" in decoded.notes
    assert not {"cat.1.jpg", "dog.3.jpg"} & set(decoded.samples.ids.tolist())
    assert decoded.samples.passed_over["cannot be decoded"] == 2
    by_header = list_cats_vs_dogs(root, drop="no_jfif")
    assert not {"cat.1.jpg", "cat.2.jpg"} & set(by_header.samples.ids.tolist())
    assert "dog.3.jpg" in by_header.samples.ids.tolist()
    assert by_header.samples.passed_over["no JFIF header"] == 2
    assert len({one.sha256 for one in (listing, decoded, by_header)}) == 3


def test_the_seeded_split_is_the_same_in_both_layouts(tmp_path):
    splits = {}
    for layout in ("kaggle", "microsoft"):
        listing = list_cats_vs_dogs(cats_vs_dogs(tmp_path / layout, layout, each=25))
        divided = with_made_splits(listing, FACTS, seed=3)
        splits[layout] = divided.samples.splits.tolist()
        assert (divided.variant, divided.sha256) == (listing.variant, listing.sha256)
        assert [splits[layout].count(name) for name in ("train", "validation", "test")] == [32, 8, 10]
    assert splits["kaggle"] == splits["microsoft"]
    other = with_made_splits(list_cats_vs_dogs(tmp_path / "kaggle"), FACTS, seed=4)
    assert other.samples.splits.tolist() != splits["kaggle"]


def test_nothing_is_there(tmp_path):
    with pytest.raises(MissingFiles, match=r"'train/cat.0.jpg to cat.12499.jpg'"):
        list_cats_vs_dogs(tmp_path)


def test_one_class_alone(tmp_path):
    root = cats_vs_dogs(tmp_path)
    for path in (root / "train").glob("dog.*"):
        path.unlink()
    with pytest.raises(MissingFiles) as caught:
        list_cats_vs_dogs(root)
    assert caught.value.missing == ("train/dog.0.jpg to dog.12499.jpg",)
    (tmp_path / "b" / "PetImages").mkdir(parents=True)
    with pytest.raises(MissingFiles) as caught:
        list_cats_vs_dogs(tmp_path / "b")
    assert caught.value.missing == ("PetImages/Cat/", "PetImages/Dog/")


@pytest.mark.parametrize(
    ("folders", "missing"),
    [
        (("cat",), ("dog/",)),
        (("Dogs",), ("cats/",)),
        (("train/cats", "val/cats"), ("train/dogs/", "val/dogs/")),
        (("train/cat", "train/dog", "val/dog"), ("val/cat/",)),
    ],
)
def test_a_plain_folder_that_is_missing(tmp_path, folders, missing):
    for folder in folders:
        write_image(tmp_path / folder / "cat.1.jpg", 1)  # Named as Kaggle's photos in one folder are.
    with pytest.raises(MissingFiles) as caught:
        list_official("cats-vs-dogs", tmp_path)
    assert caught.value.missing == missing


def test_a_third_class(tmp_path):
    root = cats_vs_dogs(tmp_path, "plain")
    write_image(root / "wolf" / "1.jpg", 1)
    with pytest.raises(InputError, match="expected folders of cats and of dogs"):
        list_cats_vs_dogs(root)


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFound, match="no folder"):
        list_cats_vs_dogs(tmp_path / "nowhere")


@needs_shared_data
def test_the_stand_in():
    listing = list_cats_vs_dogs(SHARED_DATA / "cats_vs_dogs")
    assert listing.variant == "stand-in"
    assert [count.n for count in listing.samples.counts()] == [450, 452, 120, 120]

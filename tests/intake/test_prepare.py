import numpy as np
import pytest

from data.listed import parquet
from export.colours import picture, save_image, write_folder, write_nets, write_table
from masktune.errors import DataNotFound, InputError, UnreadableImages
from masktune.intake import DataChoices, ModelChoices, prepare


@pytest.fixture
def net(tmp_path):
    _, name, _, weights = write_nets(tmp_path)
    return lambda **choices: ModelChoices(model=name, weights=weights, **choices)


def of(data, **choices):
    return DataChoices(data=str(data), **choices)


def test_a_net_and_images_that_fit(tmp_path, net):
    prepared = prepare(of(write_folder(tmp_path / "images")), net())
    assert prepared.name == "images"
    assert prepared.same_classes
    assert len(prepared.files) == 8
    assert prepared.files.spec.size == (16, 16)
    assert prepared.checked.sizes.tolist() == [[32, 48]] * 8
    assert "input: 16x16 pixels, colour, squash, bilinear, mean 0, std 1, range dtype" in prepared.notes


def test_the_classes_order_the_labels(tmp_path, net):
    images = of(write_folder(tmp_path / "images", {"blue": 1, "red": 2}))
    assert prepare(images, net()).files.labels.tolist() == [0, 1, 1]
    turned = prepare(images, net(classes=("red", "blue")))
    assert turned.files.labels.tolist() == [1, 0, 0]
    assert turned.model.classifier.classes == ("red", "blue")


def test_images_that_lie_in_a_saved_table(tmp_path, net):
    contents = {}
    for colour in ("blue", "red"):
        for at in range(2):
            contents[f"{colour} {at}"] = save_image(
                tmp_path / "once" / f"{colour}{at}.png", picture(colour, seed=at)
            ).read_bytes()
    held = [{"bytes": content, "path": f"{name}.png"} for name, content in contents.items()]
    parquet(tmp_path / "hub/train.parquet", held, [name.split()[0] for name in contents])
    prepared = prepare(of(tmp_path / "hub"), net())
    assert prepared.files.ids.tolist() == ["blue 0.png", "blue 1.png", "red 0.png", "red 1.png"]
    batch = prepared.files.__getitems__([3])
    assert batch.images[0, 0].max() == 255  # Red.
    assert batch.images[0, 2].max() == 0


def test_what_a_person_should_know_is_noted(tmp_path, net):
    rows = []
    for at in range(8):
        colour = ("blue", "red")[at % 2]
        path = save_image(tmp_path / f"study/{at}.png", picture(colour, seed=at % 6))
        split = ("train", "test")[at // 4]
        rows.append({"path": path.name, "label": colour, "split": split, "subject": f"p{at % 7}"})
    notes = prepare(of(write_table(tmp_path / "study/table.csv", rows)), net()).notes
    assert any(
        note.startswith("images of test whose bytes are in train too: 2 (6.png = 0.png") for note in notes
    )
    (crossing,) = (note for note in notes if note.startswith("subjects with images in train and in test: 1"))
    assert "p0" in crossing
    assert crossing.endswith("numbers of one split then say little of the other")


def test_files_outside_of_the_class_folders_are_noted(tmp_path, net):
    root = write_folder(tmp_path / "images")
    save_image(root / "cover.png", picture("red"))
    assert "1 files outside of the class folders passed over" in prepare(of(root), net()).notes


def test_unreadable_files(tmp_path, net):
    root = write_folder(tmp_path / "images")
    (root / "blue/01.png").write_bytes(b"")
    with pytest.raises(UnreadableImages) as raised:
        prepare(of(root), net())
    assert raised.value.problems == (f"{root}/blue/01.png is empty (0 bytes)",)
    prepared = prepare(of(root, skip_unreadable=True), net())
    assert "1 of 8 images cannot be read and are skipped" in prepared.notes
    assert "blue/01.png" not in prepared.files.ids.tolist()
    assert len(prepared.checked.digests) == len(prepared.files) == 7
    for file in (root / "blue").iterdir():
        file.write_bytes(b"")
    with pytest.raises(InputError, match="no image of class 'blue' can be read"):
        prepare(of(root, skip_unreadable=True), net())


def test_a_part_of_the_images(tmp_path, net):
    root = write_folder(tmp_path / "images", {"blue": 6, "red": 3})
    prepared = prepare(of(root, max_images=6), net())
    assert np.bincount(prepared.files.labels).tolist() == [4, 2]
    again, other = (prepare(of(root, max_images=6), net(seed=seed)).files.ids.tolist() for seed in (0, 1))
    assert prepared.files.ids.tolist() == again != other


def test_a_cache_holds_the_same_pixels(tmp_path, net):
    root = write_folder(tmp_path / "images")
    plain = prepare(of(root), net()).files
    cached = prepare(of(root, cache=tmp_path / "cache"), net()).files
    assert cached.stored is not None
    for at in range(len(plain)):
        one, other = plain.__getitems__([at]), cached.__getitems__([at])
        assert (one.images == other.images).all()


def test_a_preprocess_that_is_not_there(tmp_path, net):
    root = write_folder(tmp_path / "images")
    with pytest.raises(DataNotFound, match=r"no file at .*net.py"):
        prepare(of(root), net(preprocess=f"{tmp_path}/net.py:blackened"))
    with pytest.raises(InputError, match=r"expected file.py:function or package.module:function, got 'nets'"):
        prepare(of(root), net(preprocess="nets"))


def test_the_hash_is_that_of_content_names_and_labels_but_not_of_the_place(tmp_path, net):
    root = write_folder(tmp_path / "images")
    first = prepare(of(root), net()).sha256
    root.rename(tmp_path / "moved")
    root = tmp_path / "moved"
    assert prepare(of(root), net()).sha256 == first
    (root / "red/03.png").rename(root / "red/3.png")
    renamed = prepare(of(root), net()).sha256
    (root / "red/3.png").rename(root / "blue/3.png")
    relabelled = prepare(of(root), net()).sha256
    assert len({first, renamed, relabelled}) == 3


def test_what_was_chosen_is_recorded(tmp_path, net):
    how = prepare(of(write_folder(tmp_path / "images"), max_images=6), net()).how
    assert how["max_images"] == 6
    assert how["classes of the net"] == ("blue", "red")
    assert how["model"].endswith("nets.py:build")
    assert "size=(16, 16)" in how["input"]

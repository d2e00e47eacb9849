"""Whether data sets that come apart share images."""

import numpy as np
import pytest
import torch
from PIL import Image

from data.listed import make
from masktune.data import InMemory, Subset
from masktune.data.base import WithoutGroups
from masktune.data.image_files import ImageFiles
from masktune.data.map_style import FromDataset
from masktune.data.public import ImageFolder
from masktune.errors import InputError
from masktune.trial.apart import check_apart, columns_of
from masktune.types import InputSpec

SPEC = InputSpec(size=(4, 4), channels=1)
COLOUR = InputSpec(size=(4, 4))


class Plain(torch.utils.data.Dataset):
    """Images of noise and their labels, without names; `flip` turns every image anew each time it is read."""

    def __init__(self, n=20, seed=0, flip=False):
        random = np.random.default_rng(seed)
        self.images = torch.from_numpy(random.integers(0, 256, (n, 1, 4, 4)).astype(np.uint8))
        self.targets, self.flip = [at % 2 for at in range(n)], flip

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.images = self.images.flip(3) if self.flip else self.images
        return self.images[index], self.targets[index]


def plain(source, spec=SPEC):
    return FromDataset(source, spec, classes=("cat", "dog"), workers=0)


def part(source, places, spec=SPEC):
    return plain(torch.utils.data.Subset(source, places), spec)


def named(ids, seed=0, labels=None):
    """Images of noise, the first of a seed always the same."""
    images = np.random.default_rng(seed).integers(0, 256, (len(ids), 1, 4, 4)).astype(np.uint8)
    labels = np.arange(len(ids)) % 2 if labels is None else np.array(labels)
    return InMemory(torch.from_numpy(images), labels, np.array(ids), ("cat", "dog"))


def shared(dataset, validation):
    """How many images are in both and the example, as the error says; None where there is none."""
    try:
        check_apart({"dataset": dataset, "validation": validation})
    except InputError as error:
        head, _, rest = str(error).partition(", got ")
        assert head == "expected other images in validation than in dataset"
        count, example = rest.removesuffix("; leave them out of one of the two").split(
            " that are in both, such as "
        )
        return int(count), example.strip("'")
    return None


def test_one_data_set_twice():
    source = Plain()
    assert shared(plain(source), plain(source)) == (20, "00000000")
    images = named(["a", "b", "c"])
    assert shared(images, WithoutGroups(images)) == (3, "a")
    # The same though no image is ever read twice alike.
    turned = Plain(flip=True)
    assert shared(plain(turned), plain(turned)) == (20, "00000000")


def test_parts_of_one_data_set():
    source = Plain()
    assert shared(part(source, range(10)), part(source, range(10, 20))) is None
    assert shared(part(source, range(12)), part(source, range(10, 20))) == (2, "00000000")
    # A part of a part: the positions 14, 16 and 18, of which 16 and 18 are in the other.
    deep = part(torch.utils.data.Subset(source, range(10, 20)), [4, 6, 8])
    assert shared(part(source, [16, 17, 18]), deep) == (2, "00000001")
    whole = named([f"i{at}" for at in range(9)])
    ours, theirs = (Subset(whole, torch.tensor(at)) for at in ([0, 1, 2, 3], [3, 4, 5]))
    assert shared(ours, theirs) == (1, "i3")
    assert shared(ours, Subset(whole, torch.tensor([7, 8]))) is None


def test_ids_that_are_positions_are_no_names():
    assert shared(plain(Plain(20, seed=0)), plain(Plain(12, seed=1))) is None
    # One image that happens to be the same at the same position is no reason either.
    other = Plain(12, seed=1)
    other.images[3] = Plain(20, seed=0).images[3]
    assert shared(plain(Plain(20, seed=0)), plain(other)) is None


def test_the_same_images_read_by_another_object():
    first = Plain(20)
    some = Plain(20)
    some.images, some.targets = some.images[:12], some.targets[:12]
    assert shared(plain(first), plain(some)) == (12, "00000000")
    # Of other labels they are other samples.
    some.targets = [1 - label for label in some.targets]
    assert shared(plain(first), plain(some)) is None


def test_one_name_and_one_content():
    first, second = named(["a", "b", "c", "d"]), named(["a", "b", "x", "y"])
    assert shared(first, second) == (2, "a")
    # Names alone, as of folders that number their images, are not enough; nor are pixels alone.
    assert shared(first, named(["a", "b", "c", "d"], seed=1)) is None
    assert shared(first, named(["p", "q", "r", "s"])) is None
    assert shared(first, named(["a", "b"], labels=[1, 0])) is None


def test_images_of_another_size_are_others():
    first = named(["a", "b"])
    larger = InMemory(torch.zeros(2, 1, 8, 8), first.labels, first.ids, first.classes)
    assert shared(first, larger) is None


def test_hundreds_of_images_are_all_counted():
    ids = [f"i{at:03d}" for at in range(200)]
    assert shared(named(ids), named(ids[:150])) == (150, "i000")


@pytest.fixture
def folder(tmp_path):
    """Eight images of noise in two class folders."""
    random = np.random.default_rng(0)
    for at in range(8):
        path = tmp_path / "photos" / ("cat", "dog")[at // 4] / f"{at % 4}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (4, 4, 3)).astype(np.uint8)).save(path)
    return tmp_path / "photos"


def test_one_file_in_two_folders(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    first, again = ImageFolder(folder, SPEC), ImageFolder("photos", SPEC)
    assert shared(first, again) == (8, "cat/0.png")
    assert shared(first.select(np.arange(4)), again.select(np.arange(4, 8))) is None
    # A copy of an image, under its name.
    copied = folder.parent / "copied"
    for label in ("cat", "dog"):
        (copied / label).mkdir(parents=True)
    (copied / "cat" / "2.png").write_bytes((folder / "cat" / "2.png").read_bytes())
    (copied / "dog" / "2.png").write_bytes((folder / "cat" / "2.png").read_bytes())
    assert shared(first, ImageFolder(copied, SPEC)) == (1, "cat/2.png")


def test_folders_of_torchvision_are_known_by_their_files(folder):
    datasets = pytest.importorskip("torchvision.datasets")
    transforms = pytest.importorskip("torchvision.transforms")
    mirrored = transforms.RandomHorizontalFlip(p=1.0)
    first, again = datasets.ImageFolder(folder), datasets.ImageFolder(folder, mirrored)
    assert shared(plain(first), plain(again)) == (8, "00000000")
    assert shared(part(first, range(5)), part(again, range(4, 8))) == (1, "00000000")
    assert shared(part(first, range(4), COLOUR), part(again, range(4, 8), COLOUR)) is None
    assert shared(plain(first), ImageFolder(folder, SPEC)) == (8, "cat/0.png")


def test_each_two_of_three_are_held_against_each_other():
    first, second, third = named(["a", "b"]), named(["c", "d"], seed=1), named(["c", "d"], seed=1)
    with pytest.raises(InputError, match="expected other images in test than in validation, got 2 that"):
        check_apart({"dataset": first, "validation": second, "test": third})
    check_apart({"dataset": first, "validation": second})


def test_columns_of_a_listing_and_of_a_part_of_it():
    listed = make([0, 1, 0, 1], columns={"site": np.array(["n", "s", "e", "w"], dtype=object)})
    files = ImageFiles(listed, SPEC)
    assert columns_of(files)["site"].tolist() == ["n", "s", "e", "w"]
    assert columns_of(Subset(files, torch.tensor([3, 0])))["site"].tolist() == ["w", "n"]
    assert columns_of(named(["a", "b"])) == {}

import time

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.data import Dataset
from masktune.data.map_style import FromDataset, shape_of_first
from masktune.errors import InputError
from masktune.types import InputSpec

SPEC = InputSpec((4, 4), resize="squash")


class Given:
    def __init__(self, images, labels, **more):
        self.images, self.answers = images, labels
        for name, value in more.items():
            setattr(self, name, value)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, at):
        return self.images[at], self.answers[at]


def grey(value, size=(4, 4)):
    return np.full((*size, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    "make", [Image.fromarray, lambda a: a, lambda a: torch.from_numpy(a).permute(2, 0, 1)]
)
def test_images_of_three_kinds(make):
    data = FromDataset(Given([make(grey(7)), make(grey(9, (8, 12)))], [1, 0]), SPEC)
    batch = data.__getitems__([1, 0])
    assert isinstance(data, Dataset)
    assert batch.images.shape == (2, 3, 4, 4)
    assert batch.images[:, 0, 0, 0].tolist() == [9, 7]
    assert batch.images.dtype == torch.uint8
    assert (batch.labels.tolist(), batch.ids) == ([0, 1], ("00000001", "00000000"))
    assert data.classes == ("class 0", "class 1")


def test_sixteen_bits_and_transparency_as_from_a_file():
    ramp = np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4)
    data = FromDataset(Given([Image.fromarray(ramp)] * 2, [0, 1]), SPEC)
    assert data.__getitems__([0]).images[0, 0].flatten().tolist() == pytest.approx(ramp.flatten() / 65535)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (FromDataset(Given([clear] * 2, [0, 1]), SPEC).__getitems__([0]).images == 255).all()


def test_floats_and_bytes_in_one_batch():
    data = FromDataset(Given([torch.full((3, 4, 4), 0.5), grey(51)], [0, 1]), SPEC)
    assert data.__getitems__([0, 1]).images[:, 0, 0, 0].tolist() == pytest.approx([0.5, 0.2])


def test_labels_are_not_read_image_by_image_where_they_are_known():
    class Torchvision(Given):
        def __getitem__(self, at):
            self.read.append(at)
            return super().__getitem__(at)

    source = Torchvision([grey(0)] * 5, [0, 1, 1, 0, 1], targets=[0, 1, 1, 0, 1], classes=["x", "y"], read=[])
    data = FromDataset(source, SPEC, workers=0, groups=list("aabbc"), subjects=list("stuvw"))
    assert source.read == []
    assert (data.labels.tolist(), data.classes) == ([0, 1, 1, 0, 1], ("x", "y"))
    batch = data.__getitems__([4])
    assert (batch.groups, batch.subjects) == (("c",), ("w",))


@pytest.mark.vision
def test_an_image_folder_of_torchvision(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(grey(40 if name == "cat" else 80)).save(tmp_path / name / "1.png")
    data = FromDataset(datasets.ImageFolder(tmp_path), SPEC)
    assert data.classes == ("cat", "dog")
    assert data.__getitems__([0, 1]).images[:, 1, 2, 2].tolist() == [40, 80]


def test_processes_only_where_reading_takes_long():
    class Slow(Given):
        def __len__(self):
            return 100_000

        def __getitem__(self, at):
            time.sleep(0.001)
            return grey(0), 0

    labels = np.zeros(100_000, dtype=np.int64)
    assert FromDataset(Given([grey(0)] * 4, [0] * 4), SPEC).workers == 0
    slow = FromDataset(Slow([], []), SPEC, labels=labels)
    from masktune.data.threads import cores

    assert slow.workers == (cores() if cores() > 1 else 0)


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_used():
    normalised = torch.linspace(-2, 2, 48).view(3, 4, 4)
    for images, labels, more, said in [
        ([normalised], [0], {}, "got torch.float32 from -2 to 2 .* leave out Normalize"),
        (["a.jpg"], [0], {}, r"expected images as PIL, .* got str \(\) \(sample 0\)"),
        ([torch.zeros(4, 4)], [0], {}, r"got Tensor \(4, 4\) \(sample 0\)"),
        ([np.zeros((4, 4, 2), dtype=np.uint8)], [0], {}, "expected images of 3 channels, got 2"),
        ([grey(0)], [0.5], {}, "expected one whole number a sample as labels"),
        ([grey(0)], [3], {"classes": ["a", "b"]}, r"expected labels from 0 to 1 \(2 classes\), got 3 to 3"),
        ([grey(0)], [0], {"groups": ["a", "b"]}, "expected 1 groups, one a sample, got 2"),
        ([grey(0)] * 2, [0, 0], {"ids": ["a", "a"]}, "expected ids that differ"),
    ]:
        with pytest.raises(InputError, match=said):
            FromDataset(Given(images, labels), SPEC, **more)


@pytest.mark.parametrize("read", [lambda source: FromDataset(source, SPEC), shape_of_first])
def test_an_empty_data_set_is_said_in_a_line(read):
    with pytest.raises(InputError, match="expected a data set with samples, got an empty list"):
        read([])


def test_a_label_below_zero_is_no_class():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"expected labels from 0, got -1 \(sample 1\)"):
        FromDataset([(image, 0), (image, -1)], SPEC)

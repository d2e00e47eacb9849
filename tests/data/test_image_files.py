import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from masktune.data import Dataset
from masktune.data.image_files import ImageFiles
from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.types import InputSpec, View

from .pictures import colours, deep, encoded, write

AS_IT_IS = InputSpec((12, 16))
SMALL = InputSpec((6, 8), resize="squash")


def three(root, **more):
    return write(root, {f"{name}.png": colours(at) for at, name in enumerate("abc")}, **more)


def as_arrays(batch):
    return batch.images.permute(0, 2, 3, 1).numpy()


def test_a_data_set_whose_rows_keep_together(tmp_path):
    samples = three(tmp_path, groups=["sea", "land", "sea"], subjects=["p", "q", "p"])
    data = ImageFiles(samples, AS_IT_IS)
    assert isinstance(data, Dataset)
    assert (len(data), data.classes) == (3, ("cat", "dog"))
    assert data.ids.tolist() == ["a.png", "b.png", "c.png"]
    batch = data.__getitems__([2, 1])
    assert batch.ids == ("c.png", "b.png")
    assert batch.labels.tolist() == [0, 1]
    assert batch.groups == ("sea", "land")
    assert batch.subjects == ("p", "q")
    assert as_arrays(batch)[0].tolist() == colours(2).tolist()
    assert as_arrays(batch)[1].tolist() == colours(1).tolist()


def test_what_is_not_known_is_none(tmp_path):
    data = ImageFiles(three(tmp_path), AS_IT_IS)
    batch = data.__getitems__(torch.tensor([0]))
    assert (data.groups, data.subjects, batch.groups, batch.subjects) == (None, None, None, None)


def test_resized_pixels_are_pillows(tmp_path):
    batch = ImageFiles(three(tmp_path), SMALL).__getitems__([0, 1, 2])
    for at in range(3):
        # Pillow resizes with other roundings than torch: within one grey level.
        theirs = Image.open(tmp_path / f"{'abc'[at]}.png").resize((8, 6), Image.Resampling.BILINEAR)
        assert np.abs(as_arrays(batch)[at].astype(int) - np.asarray(theirs)).max() <= 1


@pytest.mark.parametrize("indices", [[], torch.tensor([], dtype=torch.int64)])
def test_a_batch_of_none(tmp_path, indices):
    batch, views = ImageFiles(three(tmp_path, groups=["x", "y", "x"]), SMALL).read(indices)
    assert (batch.images.shape, batch.images.dtype) == ((0, 3, 6, 8), torch.uint8)
    assert (len(batch), batch.labels.tolist(), batch.groups, views) == (0, [], (), ())


def test_a_batch_of_one_and_the_same_image_twice(tmp_path):
    data = ImageFiles(three(tmp_path), AS_IT_IS)
    assert data.__getitems__([1]).images.shape == (1, 3, 12, 16)
    twice = data.__getitems__([1, 1])
    assert twice.ids == ("b.png", "b.png")
    assert torch.equal(twice.images[0], twice.images[1])


def test_channels_lie_last_in_memory(tmp_path):
    images = ImageFiles(three(tmp_path), SMALL).__getitems__([0, 1]).images
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_bytes_and_sixteen_bits_in_one_batch(tmp_path):
    samples = write(tmp_path, {"byte.png": np.full((12, 16), 51, np.uint8), "deep.png": deep(13107, 65535)})
    data = ImageFiles(samples, InputSpec((12, 16), channels=1))
    both = data.__getitems__([0, 1]).images
    assert both.dtype == torch.float32
    assert both[0].unique().tolist() == pytest.approx([0.2])  # 51 / 255
    assert both[1, 0, 0, [0, 15]].tolist() == pytest.approx([0.2, 1.0])  # 13107 / 65535
    assert data.__getitems__([0]).images.dtype == torch.uint8


def test_grey_files_are_repeated_for_a_colour_net(tmp_path):
    samples = write(tmp_path, {"grey.png": colours(0)[:, :, 0], "colour.png": colours(1)})
    images = as_arrays(ImageFiles(samples, AS_IT_IS).__getitems__([0, 1]))
    assert (images[0] == colours(0)[:, :, :1]).all()
    assert images[1].tolist() == colours(1).tolist()


def test_views_say_which_part_is_seen(tmp_path):
    samples = write(tmp_path, {"wide.png": colours(0, (40, 60)), "tall.png": colours(1, (60, 40))})
    _, views = ImageFiles(samples, InputSpec((10, 10))).read([1, 0])
    # 40x60 becomes 10x15; 2 columns of 15 (8 of 60) are cut off at the left, 3 at the right.
    assert views == (
        View((60, 40), (8, 0, 40, 40), (10, 10)),
        View((40, 60), (0, 8, 40, 40), (10, 10)),
    )
    assert [view.seen for view in views] == pytest.approx([2 / 3, 2 / 3])


def test_a_view_is_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by a quarter.
    samples = write(tmp_path, {"photo.jpg": encoded(colours(0, (20, 30)), "JPEG", exif=exif)})
    batch, views = ImageFiles(samples, InputSpec((30, 20))).read([0])
    assert views == (View.whole((30, 20)),)
    assert batch.images.shape == (1, 3, 30, 20)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty (0 bytes)"), (b"no image at all", "is no image that Pillow can read")],
)
def test_an_unreadable_file_is_named(tmp_path, content, said):
    data = ImageFiles(write(tmp_path, {"a.png": colours(0), "bad/b.png": content}), SMALL)
    with pytest.raises(DataDamaged) as caught:
        data.__getitems__([0, 1])
    assert str(caught.value) == f"{tmp_path}/bad/b.png {said}"
    assert len(data.__getitems__([0])) == 1


def test_a_file_that_went_away_is_named_once(tmp_path):
    data = ImageFiles(three(tmp_path), SMALL)
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataNotFound, match=rf"^{tmp_path}/b.png does not exist any more"):
        data.__getitems__([0, 1])


def test_one_and_four_threads_read_the_same(tmp_path):
    samples = write(tmp_path, {f"{at:02d}.png": colours(at) for at in range(20)})
    one, four = (ImageFiles(samples, SMALL, threads=n).__getitems__(range(20)) for n in (1, 4))
    assert torch.equal(one.images, four.images)
    assert one.ids == four.ids == tuple(samples.ids.tolist())


def test_as_many_images_are_read_at_once_as_there_are_threads(tmp_path):
    together = threading.Barrier(3, timeout=20)  # Broken unless three read at the same time.

    def preprocess(image):
        together.wait()
        return image

    samples = three(tmp_path)
    batch = ImageFiles(samples, AS_IT_IS, preprocess=preprocess, threads=3).__getitems__([0, 1, 2])
    assert as_arrays(batch)[2].tolist() == colours(2).tolist()


def test_in_a_forked_worker(tmp_path):
    data = ImageFiles(three(tmp_path), SMALL, threads=2)
    here = data.__getitems__([0, 1, 2])  # The threads of this process are not in the worker.
    loader = DataLoader(
        data,
        batch_sampler=[[2, 0], [1]],
        num_workers=1,
        collate_fn=lambda batch: batch,
        multiprocessing_context="fork",
        timeout=60,
    )
    first, second = loader
    assert (first.ids, second.ids) == (("c.png", "a.png"), ("b.png",))
    assert torch.equal(torch.cat([first.images, second.images]), here.images[[2, 0, 1]])


def test_a_selection(tmp_path):
    data = ImageFiles(three(tmp_path, subjects=["p", "q", "r"]), AS_IT_IS, threads=3)
    some = data.select(np.array([2, 0]))
    batch = some.__getitems__([0])
    assert (len(some), some.ids.tolist(), some.threads) == (2, ["c.png", "a.png"], 3)
    assert (batch.ids, batch.subjects) == (("c.png",), ("r",))
    assert as_arrays(batch)[0].tolist() == colours(2).tolist()
    assert some.select(np.array([1])).ids.tolist() == ["a.png"]


def test_a_preprocess_goes_along_with_a_selection(tmp_path):
    def preprocess(image):
        return np.full((12, 16, 3), 7, dtype=np.uint8)

    some = ImageFiles(three(tmp_path), AS_IT_IS, preprocess=preprocess).select(np.array([1]))
    batch, views = some.read([0])
    assert batch.images.unique().tolist() == [7]
    assert views == (View.whole((12, 16)),)


def test_what_cannot_be_asked_for(tmp_path):
    samples = three(tmp_path)
    with pytest.raises(InputError, match="expected a net of 1 or 3 channels for image files, got 4"):
        ImageFiles(samples, InputSpec((6, 8), channels=4))
    with pytest.raises(InputError, match="expected at least 1 thread to read images, got 0"):
        ImageFiles(samples, SMALL, threads=0)


def test_nothing_is_opened_before_a_batch_is_drawn(tmp_path):
    samples = three(tmp_path)
    for path in samples.contents.paths:
        Path(path).unlink()
    assert len(ImageFiles(samples, SMALL).select(np.array([1, 2]))) == 2

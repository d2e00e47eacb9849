from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.models.classifier import Classifier
from masktune.training.augment import augmented
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.types import Batch, InputSpec

from .tiny import settings, some_data, state_of


def a_batch(n=1000, size=(8, 8), channels=1):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, channels, *size), dtype=np.uint8))
    return Batch(images, torch.zeros(n, dtype=torch.int64), tuple(f"{i}.png" for i in range(n)))


def of(batch, *positions):
    """These samples of a batch, in this order."""
    ids = tuple(batch.ids[position] for position in positions)
    return Batch(batch.images[list(positions)], batch.labels[list(positions)], ids)


def mirrored(before, after):
    """Which images are the mirrored ones; the others are as they were."""
    turned = (after.images == before.images.flip(3)).flatten(1).all(1)
    same = (after.images == before.images).flatten(1).all(1)
    assert (turned ^ same).all()
    return turned


def test_none_is_the_batch_itself():
    batch = a_batch(2)
    assert augmented(batch, "none", seed=0, epoch=0) is batch


@pytest.mark.parametrize("size", [(8, 8), (5, 9)])
def test_about_half_of_the_images_are_mirrored(size):
    batch = a_batch(size=size)
    turned = mirrored(batch, augmented(batch, "flip", seed=0, epoch=0))
    # Of 1,000 coins 500 fall on heads, with a standard deviation of 15.8.
    assert abs(turned.sum().item() - 500) < 4 * 15.8
    again = mirrored(batch, augmented(batch, "flip", seed=0, epoch=1))
    assert abs((turned ^ again).sum().item() - 500) < 4 * 15.8  # The next epoch throws anew.


@pytest.mark.parametrize(("height", "width"), [(100, 100), (60, 120)])
def test_a_crop_keeps_four_fifths_of_the_area_and_nearly_the_shape(height, width):
    # Each pixel holds its row and column, so the step to the next one is the crop's share of a side.
    rows, columns = torch.arange(height * 1.0) / 128, torch.arange(width * 1.0) / 128
    images = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).repeat(500, 1, 1, 1)
    seen = 128 * augmented(replace(a_batch(500), images=images), "crop", seed=0, epoch=0).images
    down = (seen[:, 0, 40, 0] - seen[:, 0, 20, 0]) / 20
    across = (seen[:, 1, 0, 40] - seen[:, 1, 0, 20]) / 20
    kept, shape = down * across, down / across
    assert 0.785 < kept.min() < 0.82  # Half a pixel of 60 is 0.8 %.
    assert 0.98 < kept.max() < 1.001
    assert 0.785 < shape.min() < 0.85
    assert 1.17 < shape.max() < 1.27
    assert max(down.max(), across.max()) < 1.001
    # A crop of at most a fifth less begins in one of the first rows.
    starts = seen[:, 0, 0, 0].round().unique().tolist()
    assert starts == list(range(len(starts)))
    assert 0.1 * height < len(starts) < 0.2 * height + 2


@pytest.mark.parametrize("augment", ["flip", "crop", "crop_flip"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_type_and_size(augment, channels):
    batch = a_batch(20, (7, 9), channels)
    for images in (batch.images, batch.images / 255):
        after = augmented(replace(batch, images=images), augment, seed=0, epoch=0)
        assert (after.images.dtype, after.images.shape) == (images.dtype, images.shape)
        assert not torch.equal(after.images, images)
        assert (after.ids, after.labels.tolist()) == (batch.ids, batch.labels.tolist())


@pytest.mark.parametrize("augment", ["flip", "crop", "crop_flip"])
def test_an_image_is_moved_alike_in_any_batch_and_order(augment):
    batch = a_batch(40)
    whole = augmented(batch, augment, seed=3, epoch=1).images
    turned = augmented(of(batch, *range(39, -1, -1)), augment, seed=3, epoch=1).images
    parts = [augmented(of(batch, *range(i, i + 8)), augment, seed=3, epoch=1).images for i in range(0, 40, 8)]
    assert torch.equal(turned.flip(0), whole)
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(augmented(batch, augment, seed=4, epoch=1).images, whole)
    assert not torch.equal(augmented(batch, augment, seed=3, epoch=2).images, whole)


def test_both_are_the_one_after_the_other():
    batch = a_batch(100)
    flips = mirrored(batch, augmented(batch, "flip", seed=0, epoch=0))
    crops, both = (augmented(batch, augment, seed=0, epoch=0).images for augment in ("crop", "crop_flip"))
    expected = torch.where(flips[:, None, None, None], crops.flip(3), crops)
    assert torch.equal(both, expected)


def white_squares(n=50):
    """A white square at the upper left of black images."""
    images = torch.zeros((n, 1, 12, 12), dtype=torch.uint8)
    images[:, :, 1:4, 1:4] = 255
    return InMemory(images, np.arange(n) % 2, np.array([f"id-{i}" for i in range(n)]), ("a", "b"))


def without_square(batch, epoch):
    images = batch.images.clone()
    images[:, :, 1:4, 1:4] = 0
    return replace(batch, images=images)


def trained_on(augment, prepare=None):
    """All images that a net of 12 x 12 pixels is trained on in an epoch, in their order."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 2))
    made = Classifier(net, InputSpec(size=(12, 12), channels=1), ("a", "b"))
    seen = []
    made.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    training = settings(epochs=1, augment=augment)
    state = TrainState(made, training.make_optimizer(made.parameters()))
    list(train(state, white_squares(), training, Work(seed=0, prepare=prepare)))
    return torch.cat(seen)


@pytest.mark.parametrize("augment", ["flip", "crop", "crop_flip"])
def test_what_is_hidden_moves_with_its_image(augment):
    moved = trained_on(augment)
    at_the_old_place = moved[:, :, 1:4, 1:4].flatten(1).amin(1) == 255
    assert 0 < at_the_old_place.sum() < len(moved)  # A mask that stayed there would miss some squares.
    assert (moved.flatten(1).amax(1) == 255).all()
    assert not trained_on(augment, without_square).any()


def test_arms_with_other_masks_see_the_same_crops():
    def grey_below(batch, epoch):
        images = batch.images.clone()
        images[:, :, 8:] = 100
        return replace(batch, images=images)

    plain, other = trained_on("crop_flip"), trained_on("crop_flip", grey_below)
    # A crop has 10 of the 12 rows at least: row 5 shows nothing below row 7, row 11 nothing above row 9.
    assert torch.equal(other[:, :, :6], plain[:, :, :6])
    assert (other[:, :, 11] == 100).all()
    assert not plain[:, :, 11].any()


def images_by_id(what, epochs):
    """What a net is trained on under each id, for each epoch."""
    state, ids, images = state_of(settings()), [], []
    state.classifier.register_forward_pre_hook(lambda module, given: images.append(given[0]))

    def note(batch, epoch):
        ids.append(batch.ids)
        return batch

    training = settings(epochs=epochs, augment="flip", batch_size=50)
    list(train(state, some_data(50), training, Work(seed=0, what=what, prepare=note)))
    return [dict(zip(*one, strict=True)) for one in zip(ids, images, strict=True)]


def test_draws_follow_the_epoch_and_not_the_name_of_the_work():
    first, second = images_by_id("tuning", 2)
    (other,) = images_by_id("erm", 1)
    assert list(first) != list(other)  # In another order.
    assert all(torch.equal(first[name], other[name]) for name in first)
    assert not all(torch.equal(first[name], second[name]) for name in first)

"""Does a data set keep what the rest of the library relies on? For whoever adds one."""

from collections.abc import Iterator

import numpy as np
import torch

from masktune.data.base import Dataset
from masktune.types import Batch

_LOOKED_AT = 9
"""Images that are read."""


def check_dataset(dataset: Dataset) -> None:
    """Try a data set out; a few of its images are read.

    Raises:
        AssertionError: names everything that is not as `masktune.data.base.Dataset` says, a line each.
    """
    report("data set", list(_listing(dataset)))
    report("data set", list(_images(dataset)))


def report(what: str, problems: list[str]) -> None:
    """Raise them all at once.

    Raises:
        AssertionError: there are some.
    """
    if problems:
        lines = "\n".join(f"- {problem}" for problem in problems)
        raise AssertionError(f"the {what} does not conform:\n{lines}")


def _listing(dataset: Dataset) -> Iterator[str]:
    """What is known before an image is read."""
    n, classes = len(dataset), dataset.classes
    if n == 0:
        yield "it has no samples"
        return
    if len(classes) < 2 or len(set(classes)) < len(classes):
        yield f"classes: expected two or more names, no two alike, got {classes}"
    for name in ("ids", "labels", "groups", "subjects"):
        yield from _column(dataset, name)
    low, high = int(dataset.labels.min()), int(dataset.labels.max())
    if low < 0 or high >= len(classes):
        yield f"labels: expected 0 to {len(classes) - 1}, got {low} to {high}"
    if len(np.unique(dataset.ids)) < n:
        yield "ids: some come twice; masks and predictions are keyed by them"


def _column(dataset: Dataset, name: str) -> Iterator[str]:
    """One value a sample, the same each time it is asked for."""
    values, n = getattr(dataset, name), len(dataset)
    if values is None and name in ("groups", "subjects"):
        return
    if not isinstance(values, np.ndarray) or values.shape != (n,):
        yield f"{name}: expected an array of shape ({n},), got {getattr(values, 'shape', type(values))}"
    elif name == "labels" and values.dtype != np.int64:
        yield f"labels: expected int64, got {values.dtype}"
    elif name != "labels" and values.dtype.kind not in "UO":
        yield f"{name}: expected strings, got {values.dtype}"
    elif name != "labels" and (values == "").any():
        yield f"{name}: some have no name"
    elif not np.array_equal(values, getattr(dataset, name)):
        yield f"{name}: asked twice they are two things"


def _images(dataset: Dataset) -> Iterator[str]:
    """What a batch says, and whether it depends on anything but the positions that were asked for."""
    if len(dataset) == 0:
        return
    few = np.unique(np.linspace(0, len(dataset) - 1, _LOOKED_AT).astype(int))
    batch = dataset.__getitems__(few.tolist())
    yield from _one_batch(dataset, batch, few)
    again = dataset.__getitems__(torch.from_numpy(few))
    if not torch.equal(batch.images, again.images):
        yield "images: the same positions gave other pixels the second time; augmentation belongs to training"
    back = dataset.__getitems__(few[::-1].tolist())
    if back.ids != batch.ids[::-1] or not torch.equal(back.images.flip(0), batch.images):
        yield "images: asked for in another order they are not the same images in that order"
    (first,) = few[:1].tolist()
    twice = dataset.__getitems__([first, first])
    alone = dataset.__getitems__([first])
    if len(alone) != 1 or not torch.equal(alone.images[0], batch.images[0]):
        yield "images: one alone is not what it is among others"
    if len(twice) != 2 or not torch.equal(twice.images[0], twice.images[1]):
        yield "images: asked for twice in a batch it does not come twice; sampling with replacement does that"


def _one_batch(dataset: Dataset, batch: Batch, at: np.ndarray) -> Iterator[str]:
    images = batch.images
    if images.ndim != 4 or len(images) != len(at):
        yield f"images: expected ({len(at)}, channels, height, width), got {tuple(images.shape)}"
    if images.dtype != torch.uint8 and not images.is_floating_point():
        yield f"images: expected uint8, or floats in [0, 1], got {images.dtype}"
    if images.is_floating_point() and not ((images >= 0) & (images <= 1)).all():
        yield "images: expected floats in [0, 1]; normalising belongs to the Classifier"
    if batch.ids != tuple(dataset.ids[at].tolist()):
        yield "ids: a batch has others than the data set at these positions"
    if batch.labels.tolist() != dataset.labels[at].tolist():
        yield "labels: a batch has others than the data set at these positions"
    for name in ("groups", "subjects"):
        whole, own = getattr(dataset, name), getattr(batch, name)
        if (None if whole is None else tuple(whole[at].tolist())) != own:
            yield f"{name}: a batch has others than the data set at these positions"

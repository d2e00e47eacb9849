"""Does a data set keep what the rest of the library relies on? For whoever adds one."""

from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor

from masktune.data.base import Dataset
from masktune.types import Batch

_LOOKED_AT = 9
"""Images that are read."""


def check_dataset(dataset: Dataset) -> None:
    """Try a data set out; a few of its images are read.

    Raises:
        AssertionError: names everything that is not as `masktune.data.base.Dataset` says, a line each.
    """
    report("data set", list(tried("it", _listing(dataset))))
    report("data set", list(tried("images", _images(dataset))))


def report(what: str, problems: list[str]) -> None:
    """Raise them all at once.

    Raises:
        AssertionError: there are some.
    """
    if problems:
        lines = "\n".join(f"- {problem}" for problem in problems)
        raise AssertionError(f"the {what} does not conform:\n{lines}")


def tried(what: str, problems: Iterator[str]) -> Iterator[str]:
    """The problems; what raised an error while they were looked for is one more, and the last."""
    try:
        yield from problems
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises is to be named.
        yield f"{what}: {in_a_line(error)}"


def in_a_line(error: Exception) -> str:
    """An error as it ends a traceback, however many lines it has."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__


def _listing(dataset: Dataset) -> Iterator[str]:
    """What is known before an image is read."""
    n = len(dataset)
    if n == 0:
        yield "it has no samples"
        return
    yield from tried("classes", _classes(dataset))
    for name in ("ids", "labels", "groups", "subjects"):
        yield from tried(name, _column(dataset, name, n))


_MAYBE = ("groups", "subjects")


def _classes(dataset: Dataset) -> Iterator[str]:
    classes: Any = dataset.classes
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        yield f"classes: expected a tuple of names, got {str(classes)[:100]} ({type(classes).__name__})"
    elif len(classes) < 2 or len(set(classes)) < len(classes):
        yield f"classes: expected two or more names, no two alike, got {classes}"


def _column(dataset: Dataset, name: str, n: int) -> Iterator[str]:
    """One value a sample, the same each time it is asked for."""
    if not hasattr(dataset, name):
        yield f"{name}: it has no such member{'; None says that it knows none' if name in _MAYBE else ''}"
        return
    values: Any = getattr(dataset, name)
    if values is None and name in _MAYBE:
        return
    if not isinstance(values, np.ndarray) or values.shape != (n,):
        shape = f" of shape {values.shape}" if isinstance(values, np.ndarray) else ""
        yield f"{name}: expected a numpy array of shape ({n},), got a {type(values).__name__}{shape}"
        return
    yield from _labels(values, dataset.classes) if name == "labels" else _names(name, values)
    if not np.array_equal(values, getattr(dataset, name)):
        yield f"{name}: asked twice they are two things"


def _labels(labels: np.ndarray, classes: Any) -> Iterator[str]:
    if labels.dtype != np.int64:
        yield f"labels: expected int64, got {labels.dtype}"
    elif isinstance(classes, Sized) and (labels.min() < 0 or labels.max() >= len(classes)):
        yield f"labels: expected 0 to {len(classes) - 1}, got {labels.min()} to {labels.max()}"


def _names(name: str, values: np.ndarray) -> Iterator[str]:
    """Strings, none of them empty; of ids no two alike."""
    others = {type(value).__name__ for value in values.tolist() if not isinstance(value, str)}
    if others:
        yield f"{name}: expected strings, got {values.dtype} ({', '.join(sorted(others))})"
    elif (values == "").any():
        yield f"{name}: some have no name"
    elif name == "ids" and len(np.unique(values)) < len(values):
        yield "ids: some come twice; masks and predictions are keyed by them"


def _images(dataset: Dataset) -> Iterator[str]:
    """What a batch says, and whether it depends on anything but the positions that were asked for."""
    few = np.unique(np.linspace(0, len(dataset) - 1, _LOOKED_AT).astype(int))
    batch = dataset.__getitems__(few.tolist())
    form = list(_form(batch, len(few)))
    if form:
        yield from form
        return
    yield from _one_batch(dataset, batch, few)
    for how, check in _ASKED.items():
        yield from tried(f"images asked for {how}", check(dataset, batch, few))


def _form(batch: Any, n: int) -> Iterator[str]:
    """What is not of the type that it has to be; nothing else can be looked at then."""
    if not isinstance(batch, Batch):
        yield f"images: expected a masktune.types.Batch from __getitems__, got a {type(batch).__name__}"
        return
    images: Any = batch.images
    if not isinstance(images, Tensor) or images.ndim != 4 or len(images) != n:
        yield f"images: expected a tensor of shape ({n}, channels, height, width), got {_seen(images)}"
    labels: Any = batch.labels
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.shape != (n,):
        yield f"labels: expected an int64 tensor of shape ({n},) in a batch, got {_seen(labels)}"
    for name in ("ids", *_MAYBE):
        names: Any = getattr(batch, name)
        if not isinstance(names, tuple) and not (names is None and name in _MAYBE):
            yield f"{name}: expected a tuple of strings in a batch, got a {type(names).__name__}"


def _seen(values: Any) -> str:
    shape = (
        f" of {values.dtype}, shape {tuple(values.shape)}" if isinstance(values, Tensor | np.ndarray) else ""
    )
    return f"a {type(values).__name__}{shape}"


def _one_batch(dataset: Dataset, batch: Batch, at: np.ndarray) -> Iterator[str]:
    images = batch.images
    if images.dtype != torch.uint8 and not images.is_floating_point():
        yield f"images: expected uint8, or floats in [0, 1], got {images.dtype}"
    if images.is_floating_point() and not ((images >= 0) & (images <= 1)).all():
        yield "images: expected floats in [0, 1]; normalising belongs to the Classifier"
    if batch.ids != tuple(dataset.ids[at].tolist()):
        yield "ids: a batch has others than the data set at these positions"
    if batch.labels.tolist() != dataset.labels[at].tolist():
        yield "labels: a batch has others than the data set at these positions"
    for name in _MAYBE:
        whole, own = getattr(dataset, name), getattr(batch, name)
        if (None if whole is None else tuple(whole[at].tolist())) != own:
            yield f"{name}: a batch has others than the data set at these positions"


def _again(dataset: Dataset, batch: Batch, few: np.ndarray) -> Iterator[str]:
    again = dataset.__getitems__(torch.from_numpy(few))
    if not torch.equal(batch.images, again.images):
        yield "images: the same positions gave other pixels the second time; augmentation belongs to training"


def _backwards(dataset: Dataset, batch: Batch, few: np.ndarray) -> Iterator[str]:
    back = dataset.__getitems__(few[::-1].tolist())
    if back.ids != batch.ids[::-1] or not torch.equal(back.images.flip(0), batch.images):
        yield "images: asked for in another order they are not the same images in that order"


def _alone(dataset: Dataset, batch: Batch, few: np.ndarray) -> Iterator[str]:
    alone = dataset.__getitems__(few[-1:].tolist())
    if len(alone) != 1 or not torch.equal(alone.images, batch.images[-1:]):
        yield "images: one alone is not what it is among others"


def _twice(dataset: Dataset, batch: Batch, few: np.ndarray) -> Iterator[str]:
    twice = dataset.__getitems__(few[:1].tolist() * 2)
    if len(twice) != 2 or not torch.equal(twice.images, batch.images[:1].expand_as(twice.images)):
        yield "images: asked for twice in a batch it does not come twice; sampling with replacement does that"


_ASKED: dict[str, Callable[[Dataset, Batch, np.ndarray], Iterator[str]]] = {
    "by a tensor of positions": _again,
    "backwards": _backwards,
    "alone": _alone,
    "twice in a batch": _twice,
}
"""How else the images of a batch are read."""

"""A data set that lies in memory in pixel space and is sliced a batch at a time: no per-image Python work."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped, UInt8
from torch import Tensor

from masktune.data.base import Dataset, batch_of, batches
from masktune.errors import InputError
from masktune.types import Batch, as_float


class InMemory:
    """Images, labels and what is known about them, as arrays of equal length.

    Args:
        images: (n, c, h, w), 0 to 255; or float32 in [0, 1] where the source has more than 8 bits.
        labels: (n,), indices into `classes`.
        ids: (n,) stable names, no two alike.
        classes: names of the classes.
        groups: (n,) names of the groups, where known.
        subjects: (n,) names of the subjects, where one has several images.

    Raises:
        InputError: no such images, lengths differ, an id comes twice, or a label is no index into `classes`.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n c h w"] | Float32[Tensor, "n c h w"],
        labels: Int64[np.ndarray, " n"],
        ids: Shaped[np.ndarray, " n"],
        classes: tuple[str, ...],
        groups: Shaped[np.ndarray, " n"] | None = None,
        subjects: Shaped[np.ndarray, " n"] | None = None,
    ) -> None:
        _check_images(images)
        _check(len(images), labels, ids, classes, groups, subjects)
        self.images = images
        self.labels = labels
        self.ids = ids
        self.classes = classes
        self.groups = groups
        self.subjects = subjects

    def __len__(self) -> int:
        return len(self.ids)

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return batch_of(self, chosen.numpy(), self.images.index_select(0, chosen))


def in_memory(data: Dataset, *, at_once: int = 512) -> InMemory:
    """All of a data set, each image read once: for small images that are trained on for many epochs.

    Args:
        data: images of one size; floats, all of them, if one batch is.
        at_once: images read at a time.

    Raises:
        DataDamaged: an image cannot be read.
    """
    parts = [batch.images for batch in batches(data, at_once)]
    if any(part.is_floating_point() for part in parts):
        parts = [as_float(part) for part in parts]
    return InMemory(torch.cat(parts), data.labels, data.ids, data.classes, data.groups, data.subjects)


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.dtype not in (torch.uint8, torch.float32):
        raise InputError(
            f"expected images as uint8, or float32 in [0, 1], of shape (n, c, h, w), got {images.dtype} "
            f"{tuple(images.shape)}"
        )
    if images.dtype == torch.uint8 or not images.numel():
        return
    low, high = (float(end) for end in images.aminmax())
    if not (low >= 0 and high <= 1):  # So that NaN is refused too.
        raise InputError(
            f"expected float images in [0, 1], got {low:g} to {high:g}; divide by the value of white, and "
            f"leave normalising to the classifier"
        )


def _check(
    n: int,
    labels: Int64[np.ndarray, " m"],
    ids: Shaped[np.ndarray, " n"],
    classes: tuple[str, ...],
    groups: Shaped[np.ndarray, " n"] | None,
    subjects: Shaped[np.ndarray, " n"] | None,
) -> None:
    for name, column in (("labels", labels), ("ids", ids), ("groups", groups), ("subjects", subjects)):
        if column is not None and len(column) != n:
            raise InputError(f"expected {n} {name}, one an image, got {len(column)}")
    if len(np.unique(ids)) != n:
        raise InputError("expected ids that differ; at least one stands for two images")
    if labels.dtype != np.int64:
        raise InputError(f"expected labels as int64, got {labels.dtype}; use labels.astype(np.int64)")
    if n and (labels.min() < 0 or labels.max() >= len(classes)):
        raise InputError(
            f"expected labels from 0 to {len(classes) - 1} ({len(classes)} classes), "
            f"got {labels.min()} to {labels.max()}; check the labels or pass more class names"
        )

"""Any map-style `torch.utils.data.Dataset` that yields an image and a label, as a data set of ours."""

import time
from collections.abc import Sequence
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from PIL import Image
from torch import Tensor

from masktune.data.base import batch_of
from masktune.data.decode import pictured
from masktune.data.pixels import to_pixels
from masktune.data.threads import cores
from masktune.errors import InputError
from masktune.masking.fit import Fit
from masktune.types import Batch, InputSpec, as_float

One = UInt8[Tensor, "_ _ _"] | Float32[Tensor, "_ _ _"]

_LABELS = ("targets", "labels", "_labels")
"""Where torchvision's data sets, and most others, keep all labels."""

_TIMED = 16
"""Images read to find out how fast a data set is."""
_SLOW = 30.0
"""Seconds for the whole data set from which on processes are worth their start."""


@runtime_checkable
class MapStyle(Protocol):
    """What torchvision's data sets and most people's own are."""

    def __len__(self) -> int:
        """The number of samples."""

    def __getitem__(self, index: int) -> Any:
        """An image (PIL, or a tensor or array in pixel space) and a label; more entries are left alone."""


@final
class FromDataset:
    """Images and labels of a map-style data set; a `Dataset`.

    Its images may be PIL images, arrays (h, w, c) or tensors (c, h, w), uint8 or floats in [0, 1]; they are
    fitted to `spec`. They must not be normalised: that is the classifier's work.

    Args:
        source: what yields (image, label).
        spec: size and channels that a net wants.
        classes: names of the classes; by default those that `source.classes` has, else "class 0"...
        labels: all labels; by default `source.targets` or `.labels`, else every sample is read once for them.
        ids: stable names; by default positions.
        groups: names of the groups, where known.
        subjects: names of the subjects, where one has several images.
        workers: processes that read; None measures whether they are worth it.

    Raises:
        InputError: no such images or labels, or lengths that differ.
    """

    def __init__(
        self,
        source: MapStyle,
        spec: InputSpec,
        *,
        classes: Sequence[str] | None = None,
        labels: Sequence[int] | Int64[np.ndarray, " n"] | None = None,
        ids: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        subjects: Sequence[str] | None = None,
        workers: int | None = None,
    ) -> None:
        _check_any(source)
        self.source = source
        self.spec = spec
        self.labels = _labels(source, labels)
        if len(self.labels) and self.labels.min() < 0:
            raise InputError(
                f"expected labels from 0, got {self.labels.min()} (sample {int(self.labels.argmin())}); "
                "leave images without a class out"
            )
        self.classes = _classes(source, self.labels, classes)
        self.ids = np.array([f"{at:08d}" for at in range(len(source))] if ids is None else list(ids))
        self.groups = None if groups is None else np.array(list(groups))
        self.subjects = None if subjects is None else np.array(list(subjects))
        for name in ("labels", "ids", "groups", "subjects"):
            column = getattr(self, name)
            if column is not None and len(column) != len(source):
                raise InputError(f"expected {len(source)} {name}, one a sample, got {len(column)}")
        if len(np.unique(self.ids)) != len(self.ids):
            raise InputError("expected ids that differ; at least one stands for two samples")
        self.workers = self._measured_workers() if workers is None else workers

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        at = torch.as_tensor(indices, dtype=torch.int64).numpy()
        images = [self._one(position) for position in at.tolist()]
        if any(image.is_floating_point() for image in images):
            images = [as_float(image[None])[0] for image in images]
        height, width = self.spec.size
        none = torch.zeros((0, self.spec.channels, height, width), dtype=torch.uint8)
        return batch_of(self, at, torch.stack(images) if images else none)

    def _one(self, position: int) -> One:
        try:
            image = self.source[position][0]
        except (TypeError, KeyError, IndexError) as error:
            raise InputError(
                f"expected (image, label) from {type(self.source).__name__}[{position}], got "
                f"{type(error).__name__}: {error}"
            ) from error
        pixels = _pixels(image, position)
        seen = Fit.of((pixels.shape[1], pixels.shape[2]), self.spec).apply(
            pixels[None], self.spec.interpolation
        )[0]
        if len(seen) not in (1, self.spec.channels):
            raise InputError(
                f"expected images of {self.spec.channels} channels, got {len(seen)} (sample {position})"
            )
        return seen.expand(self.spec.channels, -1, -1)

    def _measured_workers(self) -> int:
        """As many as there are cores where reading all images one after the other takes long."""
        some = range(min(_TIMED, len(self)))
        start = time.perf_counter()
        self.__getitems__(some)
        seconds = (time.perf_counter() - start) / max(len(some), 1) * len(self)
        return cores() if seconds > _SLOW and cores() > 1 else 0


def _pixels(image: object, position: int) -> One:
    """(c, h, w), uint8 or float32 in [0, 1]."""
    if isinstance(image, Image.Image):
        image = to_pixels(pictured(image))
    if isinstance(image, np.ndarray):
        array = image[:, :, None] if image.ndim == 2 else image
        image = torch.from_numpy(np.ascontiguousarray(array)).movedim(-1, 0)
    if not isinstance(image, Tensor) or image.ndim != 3:
        shape = tuple(getattr(image, "shape", ()))
        raise InputError(
            f"expected images as PIL, (h, w, c) arrays or (c, h, w) tensors, got {type(image).__name__} "
            f"{shape} (sample {position})"
        )
    if image.dtype == torch.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    if not image.is_floating_point() or low < 0 or high > 1:
        raise InputError(
            f"expected uint8, or floats in [0, 1], got {image.dtype} from {low:.3g} to {high:.3g} (sample "
            f"{position}); leave out Normalize and give its mean and std to the classifier "
            "(mean=, std=, or an InputSpec)"
        )
    return image.float()


def _labels(
    source: MapStyle, given: Sequence[int] | Int64[np.ndarray, " n"] | None
) -> Int64[np.ndarray, " n"]:
    if given is None:
        given = next((found for name in _LABELS if (found := getattr(source, name, None)) is not None), None)
    if given is None:
        given = [source[position][1] for position in range(len(source))]
    labels = np.asarray(given)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"expected one whole number a sample as labels, got {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)


def _classes(
    source: MapStyle, labels: Int64[np.ndarray, " n"], given: Sequence[str] | None
) -> tuple[str, ...]:
    names = getattr(source, "classes", None) if given is None else given
    count = int(labels.max(initial=-1)) + 1
    if names is None:
        return tuple(f"class {index}" for index in range(max(count, 2)))
    if len(names) < count or labels.min(initial=0) < 0:
        raise InputError(
            f"expected labels from 0 to {len(names) - 1} ({len(names)} classes), got {labels.min()} to "
            f"{count - 1}"
        )
    return tuple(map(str, names))


def _check_any(source: MapStyle) -> None:
    if len(source) == 0:
        raise InputError(f"expected a data set with samples, got an empty {type(source).__name__}")


def shape_of_first(source: MapStyle) -> tuple[int, tuple[int, int]]:
    """Channels, height and width of the first image, which a bare net takes as they are."""
    _check_any(source)
    channels, height, width = _pixels(source[0][0], 0).shape
    return channels, (height, width)

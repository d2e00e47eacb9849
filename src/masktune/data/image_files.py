"""Image files as a data set: read, decoded and fitted to what a net wants, a batch at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped, UInt8
from torch import Tensor

from masktune.data.base import batch_of
from masktune.data.cache import Part, StoredImages, cache_key, open_stored, store
from masktune.data.check import Checked
from masktune.data.pixels import as_floats
from masktune.data.read_image import Preprocess, Seen, read_image
from masktune.data.samples import Samples
from masktune.data.threads import cores, pool
from masktune.errors import DataDamaged, InputError
from masktune.masking.fit import Fit
from masktune.types import Batch, InputSpec, Progress, Step, View, silent

Stack = UInt8[np.ndarray, "_ _ _ _"] | Float32[np.ndarray, "_ _ _ _"]
"""(b, h, w, c), which as (b, c, h, w) is channels last in memory, as nets on a CPU like it."""

_AT_ONCE = 64
"""Images decoded between two steps of the progress."""


class ImageFiles:
    """Images that lie in files, with what is known of them; a `Dataset`.

    A batch is decoded by as many threads as there are cores: decoding and resizing run outside Python's lock,
    so threads are as fast as processes, and nothing has to be sent (docs/results/loading.md).

    Args:
        samples: where the images are, their labels, groups and subjects.
        spec: size, channels and range of the images that a net wants.
        preprocess: what to do with an opened image instead of fitting it to `spec`; the result must have its
            size and channels, and must not be normalised.
        threads: that decode; one a core if not given.
        stored: the images as they were kept by `cached`.
    """

    def __init__(
        self,
        samples: Samples,
        spec: InputSpec,
        *,
        preprocess: Preprocess | None = None,
        threads: int | None = None,
        stored: StoredImages | None = None,
    ) -> None:
        if spec.channels not in (1, 3):
            raise InputError(
                f"expected a net of 1 or 3 channels for image files, got {spec.channels}; give a Dataset of "
                "your own that yields such images"
            )
        if threads is not None and threads < 1:
            raise InputError(f"expected at least 1 thread to read images, got {threads}")
        self.samples = samples
        self.spec = spec
        self.preprocess = preprocess
        self.threads = threads or cores()
        self.stored = stored

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.samples.classes

    @property
    def ids(self) -> Shaped[np.ndarray, " n"]:
        """Stable names: relative paths."""
        return self.samples.ids

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """Class indices."""
        return self.samples.labels

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """Names of the groups, where known."""
        return self.samples.groups

    @property
    def subjects(self) -> Shaped[np.ndarray, " n"] | None:
        """Names of the subjects, where known."""
        return self.samples.subjects

    def __len__(self) -> int:
        return len(self.samples.ids)

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        return self.read(indices)[0]

    def read(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> tuple[Batch, tuple[View, ...]]:
        """The samples at these positions, and the part of its source that each image shows.

        Raises:
            DataDamaged: an image cannot be read; its path is named.
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64).numpy()
        images, views = self._decoded(chosen) if self.stored is None else self._kept(self.stored, chosen)
        return batch_of(self, chosen, torch.from_numpy(images).permute(0, 3, 1, 2)), views

    def cached(self, folder: Path, checked: Checked, *, progress: Progress = silent) -> "ImageFiles":
        """The same data set, its images decoded once and kept in a folder; they are found there next time.

        `checked` is what `check_images` found for these very samples.

        Raises:
            InputError: images go through a preprocess of one's own, of which no change would be seen.
            StorageError: the disk has not enough room.
        """
        if self.preprocess is not None:
            raise InputError("expected --cache or --preprocess, got both: a changed function would go unseen")
        key = cache_key(checked.digests, self.spec)
        stored = open_stored(folder, key)
        if stored is None:
            parts = self._parts(progress)
            stored = store(folder, key, self.spec, len(self), parts, floats=checked.floats)
        return ImageFiles(self.samples, self.spec, threads=self.threads, stored=stored)

    def select(self, positions: Int64[np.ndarray, " m"]) -> "ImageFiles":
        """Some of the images, in this order."""
        return ImageFiles(
            self.samples.select(positions),
            self.spec,
            preprocess=self.preprocess,
            threads=self.threads,
            stored=None if self.stored is None else self.stored.select(positions),
        )

    def _parts(self, progress: Progress) -> Iterator[Part]:
        progress(Step("decoding images into the cache", 0, len(self)))
        for start in range(0, len(self), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(self))
            images, views = self._decoded(np.arange(start, stop))
            yield images, np.array([view.source for view in views])
            progress(Step("decoding images into the cache", stop, len(self)))

    def _decoded(self, positions: Int64[np.ndarray, " b"]) -> tuple[Stack, tuple[View, ...]]:
        found = list(pool(self.threads).map(self._one, positions.tolist()))
        empty = np.zeros((0, *self.spec.size, self.spec.channels), dtype=np.uint8)
        return _stacked([seen for seen, _ in found]) if found else empty, tuple(view for _, view in found)

    def _kept(
        self, stored: StoredImages, positions: Int64[np.ndarray, " b"]
    ) -> tuple[Stack, tuple[View, ...]]:
        images, sizes = stored.read(positions)
        return images, tuple(Fit.of((height, width), self.spec).view for height, width in sizes.tolist())

    def _one(self, position: int) -> tuple[Seen, View]:
        contents = self.samples.contents
        try:
            return read_image(contents.read(position), self.spec, self.preprocess)
        except DataDamaged as error:
            raise DataDamaged(f"{contents.where(position)} {error}") from error


def _stacked(seen: Sequence[Seen]) -> Stack:
    """One array; floats if one of them is."""
    if any(image.dtype != np.uint8 for image in seen):
        seen = [as_floats(image) for image in seen]
    # Into a given array: else it would be laid out as the images happen to be, those that torch resized
    # channels first, and a net's last bits would depend on whether they come from the cache.
    return np.stack(seen, out=np.empty((len(seen), *seen[0].shape), seen[0].dtype))

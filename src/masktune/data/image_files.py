"""Image files as a data set: read, decoded and fitted to what a net wants, a batch at a time."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from masktune.data.read_image import Preprocess, Seen, read_image
from masktune.data.samples import Samples
from masktune.data.threads import cores, pool
from masktune.errors import DataDamaged, InputError
from masktune.types import Batch, InputSpec, View


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
    """

    def __init__(
        self,
        samples: Samples,
        spec: InputSpec,
        *,
        preprocess: Preprocess | None = None,
        threads: int | None = None,
    ) -> None:
        if spec.channels not in (1, 3):
            raise InputError(
                f"expected a net of 1 or 3 channels for image files, got {spec.channels}; give a Dataset of "
                "your own that yields such images"
            )
        self.samples = samples
        self.spec = spec
        self.preprocess = preprocess
        self.threads = threads or cores()

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
        at = torch.as_tensor(indices, dtype=torch.int64)
        chosen = at.numpy()
        seen, views = zip(*pool(self.threads).map(self._one, at.tolist()), strict=True)
        batch = Batch(
            images=_stacked(seen),
            labels=torch.from_numpy(self.labels[chosen]),
            ids=tuple(self.ids[chosen].tolist()),
            groups=None if self.groups is None else tuple(self.groups[chosen].tolist()),
            subjects=None if self.subjects is None else tuple(self.subjects[chosen].tolist()),
        )
        return batch, tuple(views)

    def _one(self, position: int) -> tuple[Seen, View]:
        contents = self.samples.contents
        try:
            return read_image(contents.read(position), self.spec, self.preprocess)
        except DataDamaged as error:
            raise DataDamaged(f"{contents.where(position)} {error}") from error


def _stacked(seen: Sequence[Seen]) -> Tensor:
    """(b, c, h, w), channels last in memory, as nets on a CPU like it; floats if one of them is."""
    if any(image.dtype != np.uint8 for image in seen):
        seen = [image / np.float32(255) if image.dtype == np.uint8 else image for image in seen]
    return torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2)

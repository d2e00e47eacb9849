"""What a data set is to the rest of the library, and how batches are drawn from one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from masktune.errors import InputError
from masktune.types import Batch, Images


@runtime_checkable
class Dataset(Protocol):
    """Images with labels, read a batch at a time.

    Any class with these members will do; nothing needs to be inherited. Index arrays are positions in this
    data set; `ids` are the names that masks and predictions are keyed by.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; labels index them."""

    @property
    def ids(self) -> Shaped[np.ndarray, " n"]:
        """(n,) stable names of the samples, no two alike."""

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """(n,) class indices."""

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """(n,) names of the groups (class x shortcut), or None where they are unknown or withheld."""

    @property
    def subjects(self) -> Shaped[np.ndarray, " n"] | None:
        """(n,) the patient, place or object an image shows, or None where each image stands alone."""

    def __len__(self) -> int:
        """The number of samples."""

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        """The samples at these positions, in this order."""


@runtime_checkable
class KnowsShortcut(Protocol):
    """A data set that was made, so the pixels of its shortcut are known and masks can be scored."""

    def shortcut_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Tensor:
        """Bool (b, h, w): true on the shortcut; all false for an image that does not carry it."""


@runtime_checkable
class KnowsObject(Protocol):
    """A data set in whose images it is known where the object lies that they are of."""

    def object_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Tensor:
        """Bool (b, h, w): true on the object, as the images show it."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The parts of one data set."""

    name: str
    """Name of the data set as it stands in results: "biased-mnist"."""
    variant: str | None
    """Which variant of it: "sorted"."""
    train: Dataset
    """What weights are fitted to."""
    validation: Dataset
    """What a checkpoint is chosen on."""
    tests: Mapping[str, Dataset]
    """Test sets by name; read once, at the end."""
    sha256: str
    """Hash of the source files' content."""


@dataclass(frozen=True, slots=True, eq=False)
class _Regrouped:
    """A data set of which all is as it was but the groups."""

    whole: Dataset

    @property
    def classes(self) -> tuple[str, ...]:
        """As in the whole data set."""
        return self.whole.classes

    @property
    def ids(self) -> Shaped[np.ndarray, " n"]:
        """As in the whole data set."""
        return self.whole.ids

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """As in the whole data set."""
        return self.whole.labels

    @property
    def subjects(self) -> Shaped[np.ndarray, " n"] | None:
        """As in the whole data set."""
        return self.whole.subjects

    def __len__(self) -> int:
        return len(self.whole)


@dataclass(frozen=True, slots=True, eq=False)
class WithoutGroups(_Regrouped):
    """A data set whose group labels are withheld, for methods that do not declare that they read them."""

    @property
    def groups(self) -> None:
        """Withheld."""
        return

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        return replace(self.whole.__getitems__(indices), groups=None)


@dataclass(frozen=True, slots=True, eq=False)
class WithGroups(_Regrouped):
    """A data set with other group labels, such as a method has inferred.

    Raises:
        InputError: not one group a sample.
    """

    groups: Shaped[np.ndarray, " m"]
    """(n,) names of the groups."""

    def __post_init__(self) -> None:
        if len(self.groups) != len(self.whole):
            raise InputError(f"expected {len(self.whole)} groups, one an image, got {len(self.groups)}")

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        at = torch.as_tensor(indices, dtype=torch.int64).numpy()
        return replace(self.whole.__getitems__(indices), groups=tuple(self.groups[at].tolist()))


@dataclass(frozen=True, slots=True)
class Subset:
    """Some samples of a data set, in the order of `positions`."""

    whole: Dataset
    positions: Int64[Tensor, " n"]

    @property
    def classes(self) -> tuple[str, ...]:
        """As in the whole data set."""
        return self.whole.classes

    @property
    def ids(self) -> Shaped[np.ndarray, " n"]:
        """Of the chosen samples."""
        return np.asarray(self.whole.ids[self.positions.numpy()])

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """Of the chosen samples."""
        return np.asarray(self.whole.labels[self.positions.numpy()])

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """Of the chosen samples, where known."""
        return None if self.whole.groups is None else self.whole.groups[self.positions.numpy()]

    @property
    def subjects(self) -> Shaped[np.ndarray, " n"] | None:
        """Of the chosen samples, where known."""
        return None if self.whole.subjects is None else self.whole.subjects[self.positions.numpy()]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        return self.whole.__getitems__(self.positions[torch.as_tensor(indices, dtype=torch.int64)])


def batch_of(dataset: Dataset, at: Int64[np.ndarray, " b"], images: Images) -> Batch:
    """The batch of these images, with what the data set knows of the samples at their positions."""
    return Batch(
        images=images,
        labels=torch.from_numpy(dataset.labels[at]),
        ids=tuple(dataset.ids[at].tolist()),
        groups=None if dataset.groups is None else tuple(dataset.groups[at].tolist()),
        subjects=None if dataset.subjects is None else tuple(dataset.subjects[at].tolist()),
    )


def batches(dataset: Dataset, batch_size: int, order: Int64[Tensor, " n"] | None = None) -> Iterator[Batch]:
    """Draw a data set batch by batch, in `order` (positions) or from first to last.

    The last batch holds what is left. A subset of positions draws a subset of the data set.
    """
    positions = torch.arange(len(dataset)) if order is None else order
    for start in range(0, len(positions), batch_size):
        yield dataset.__getitems__(positions[start : start + batch_size])

"""Groups of training images as numbers, for methods that read them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from masktune.data.base import Dataset
from masktune.errors import InputError
from masktune.types import Selection


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The groups that there are images of; an empty one is none of them."""

    names: tuple[str, ...]
    """In the order of their names."""
    index: Int64[np.ndarray, " n"]
    """Of each image, into `names`."""
    counts: Int64[np.ndarray, " g"]
    """Images of each; none is 0."""

    def drawn_alike(self, n: int, random: torch.Generator) -> Int64[Tensor, " n"]:
        """N positions with replacement, each group as often as any other."""
        chances = torch.from_numpy(1 / self.counts[self.index])
        return torch.multinomial(chances, n, replacement=True, generator=random)


def check_selection(
    selection: Selection, validation: Dataset, method: str, *, instead: str = "choose by another rule"
) -> None:
    """Say before anything is trained that a rule reads group labels that validation does not have.

    Raises:
        InputError: it does; the message names the method, and what to do instead of giving them.
    """
    if selection == "worst_group" and validation.groups is None:
        raise InputError(
            f"{method} needs the group labels of the validation images, which these data do not have; give "
            f"them, or {instead}"
        )


def groups_of(data: Dataset, method: str) -> Groups:
    """The groups of a data set.

    Raises:
        InputError: it has none; the message names the method that wants them.
    """
    if data.groups is None:
        raise InputError(
            f"{method} needs the group labels of the training images, which these data do not have; give "
            "them, or take a method that needs none"
        )
    return grouped(data.groups)


def classes_of(data: Dataset) -> Groups:
    """The classes in the groups' place."""
    index: Int64[np.ndarray, " n"]
    present, index, counts = np.unique(data.labels, return_inverse=True, return_counts=True)
    return Groups(tuple(data.classes[label] for label in present.tolist()), index, counts)


def grouped(names: np.ndarray) -> Groups:
    """Images by a name of each."""
    found, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    return Groups(tuple(map(str, found.tolist())), index.astype(np.int64), counts.astype(np.int64))

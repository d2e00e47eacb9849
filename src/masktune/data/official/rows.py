"""Images without names, as CIFAR-10 and SVHN have them: rows of files, split after split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from masktune.data.contents import Contents
from masktune.data.samples import Samples
from masktune.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Labelled images, those of each split in the order of its files."""

    labels: Int64[np.ndarray, " n"]
    """(n,) class indices."""
    counts: Mapping[str, int]
    """How many of them each split has, in this order."""
    contents: Contents
    """The images."""

    def samples(self, classes: Sequence[str], positions: Int64[np.ndarray, " n"] | None = None) -> Samples:
        """Samples in the order of their ids: "train/00017" is split and position in it.

        `positions` are given where a split's files are not in the makers' order.

        Raises:
            InputError: a split has no images.
        """
        empty = [split for split, count in self.counts.items() if count == 0]
        if empty:
            raise InputError(
                f"expected images of {' and '.join(self.counts)}, got none of {' and '.join(empty)}, though "
                "its files are there; get them again"
            )
        splits = np.repeat(np.array(list(self.counts)), list(self.counts.values()))
        at = positions if positions is not None else positions_of(self.counts)
        return Samples(
            ids=np.array(
                [f"{split}/{number:05d}" for split, number in zip(splits, at.tolist(), strict=True)]
            ),
            labels=self.labels,
            classes=tuple(classes),
            contents=self.contents,
            splits=splits,
        ).in_order()


def positions_of(counts: Mapping[str, int]) -> Int64[np.ndarray, " n"]:
    """(n,) 0, 1, 2, ... within each split."""
    return np.concatenate([np.arange(count) for count in counts.values()])


def of_files(lengths: Sequence[int]) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """For each row of files one after the other: which file, and which row of it."""
    return np.repeat(np.arange(len(lengths)), lengths), np.concatenate([np.arange(n) for n in lengths])

"""Groups are class x attribute: their index, and whether every split has images of each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.data.names import SPLITS
from masktune.errors import InputError

SPLIT_OF = np.array(SPLITS)
"""The split of the numbers 0, 1, 2, as Waterbirds and CelebA write them."""


def group_index(
    labels: Int64[np.ndarray, " n"], attributes: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """(n,) 2 * class + attribute, as in group DRO and most code since; WILDS has it the other way round."""
    index: Int64[np.ndarray, " n"] = 2 * labels + attributes
    return index


def check_every_split(splits: Shaped[np.ndarray, " n"], source: str, advice: str) -> None:
    """Refuse a data set of which a whole split is missing: without it nothing can be chosen, or tested.

    Raises:
        InputError: says which, and what to do, which `advice` tells.
    """
    empty = [name for name in SPLITS if not (splits == name).any()]
    if empty:
        raise InputError(
            f"expected images of train, validation and test in {source}, got none of {' and '.join(empty)}; "
            f"{advice}"
        )


def check_every_group(
    groups: Int64[np.ndarray, " n"],
    names: Sequence[str],
    splits: Shaped[np.ndarray, " n"],
    source: str,
    advice: str,
) -> None:
    """Refuse a split that has no images of a group: its worst group would not be the data set's.

    Raises:
        InputError: says which, and what to do, which `advice` tells.
    """
    for split in (name for name in SPLITS if (splits == name).any()):
        counts = np.bincount(groups[splits == split], minlength=len(names))
        empty = [name for name, n in zip(names, counts.tolist(), strict=True) if n == 0]
        if empty:
            listed = ", ".join(f"{name!r}" for name in empty)
            raise InputError(
                f"expected images of all {len(names)} groups in each split, but {split} of {source} has none "
                f"of {listed}; {advice}"
            )

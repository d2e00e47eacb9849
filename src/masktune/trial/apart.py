"""Data sets that come apart: whether they are of different images, and what else is known of these.

Ids alone don't tell: those of a plain torch data set are its positions, those of a folder are relative to it.
"""

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped

from masktune.data.base import Dataset, Subset, WithoutGroups
from masktune.data.image_files import ImageFiles
from masktune.data.map_style import FromDataset
from masktune.errors import InputError
from masktune.types import as_float

_AT_ONCE = 64
"""Images compared at once."""

Positions = Int64[np.ndarray, " n"]


def check_apart(parts: Mapping[str, Dataset]) -> None:
    """Make sure that no image is in two data sets: the same of one source, or of one name and one content.

    Args:
        parts: by what messages call them; all of the same classes.

    Raises:
        InputError: names two that share images, how many these are, and one of them.
    """
    for (first, one), (second, other) in combinations(parts.items(), 2):
        shared = _shared(one, other)
        if shared:
            raise InputError(
                f"expected other images in {second} than in {first}, got {len(shared)} that are in both, "
                f"such as {shared[0]!r}; leave them out of one of the two"
            )


def columns_of(data: Dataset) -> dict[str, Shaped[np.ndarray, " n"]]:
    """Further columns of its images, where it is, or is taken from, a listing that has them."""
    whole, at = _whole_of(data)
    if not isinstance(whole, ImageFiles):
        return {}
    return {name: values[at] for name, values in whole.samples.columns.items()}


def _shared(one: Dataset, other: Dataset) -> list[str]:
    """Ids of the images of `other` that are in `one` too."""
    sources = set(_sources(one))
    pairs = zip(other.ids.tolist(), _sources(other), strict=True)
    return [name for name, source in pairs if source in sources] or _alike(one, other)


def _sources(data: Dataset) -> Iterator[Hashable]:
    """What each image is taken from: its file, or an object and the position in it."""
    whole, at = _whole_of(data)
    if isinstance(whole, ImageFiles):
        contents = whole.samples.contents
        return (os.path.abspath(contents.where(position)) for position in at.tolist())  # noqa: PTH100 - of many.
    if isinstance(whole, FromDataset):
        return _sources_of_torch(whole.source, at)
    return ((id(whole), position) for position in at.tolist())


def _sources_of_torch(source: Any, at: Positions) -> Iterator[Hashable]:
    """The same of a plain data set, which may be a part of another one, or one of torchvision's folders."""
    while isinstance(source, torch.utils.data.Subset):
        source, at = source.dataset, np.asarray(source.indices)[at]
    files = getattr(source, "samples", None)
    if isinstance(files, Sequence) and files and isinstance(files[0], tuple) and isinstance(files[0][0], str):
        return (os.path.abspath(files[position][0]) for position in at.tolist())  # noqa: PTH100 - of many.
    return ((id(source), position) for position in at.tolist())


def _whole_of(data: Dataset) -> tuple[Dataset, Positions]:
    """The data set that one is a part of, and the positions of its images there."""
    at = np.arange(len(data))
    while isinstance(data, Subset | WithoutGroups):
        if isinstance(data, Subset):
            at = data.positions.numpy()[at]
        data = data.whole
    return data, at


def _alike(one: Dataset, other: Dataset) -> list[str]:
    """Ids that both have, of images whose labels and pixels are the same.

    Ids that are positions mean the same image only if all of them do.
    """
    first, second = _same_ids(one.ids, other.ids)
    same = one.labels[first] == other.labels[second]
    counted = _are_positions(one) and _are_positions(other)
    found = []
    for start in range(0, len(first), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        here = np.flatnonzero(same[some]) + start
        if len(here):
            same[here] = _same_pixels(one, first[here], other, second[here])
        if counted and not same[some].all():
            return []
        found += other.ids[second[some][same[some]]].tolist()
    return found


def _same_ids(
    one: Shaped[np.ndarray, " n"], other: Shaped[np.ndarray, " m"]
) -> tuple[Int64[np.ndarray, " s"], Int64[np.ndarray, " s"]]:
    """Positions in both of the ids that both have."""
    _, first, second = np.intersect1d(one, other, return_indices=True)
    return first, second


def _same_pixels(
    one: Dataset, first: Int64[np.ndarray, " b"], other: Dataset, second: Int64[np.ndarray, " b"]
) -> Shaped[np.ndarray, " b"]:
    """(b,) whether the two images of each pair are equal."""
    ours, theirs = (
        as_float(data.__getitems__(torch.from_numpy(at)).images)
        for data, at in ((one, first), (other, second))
    )
    if ours.shape != theirs.shape:
        return np.zeros(len(first), dtype=bool)
    return np.asarray((ours == theirs).flatten(1).all(1).numpy())


def _are_positions(data: Dataset) -> bool:
    """Whether its ids were made by counting, and name nothing."""
    whole, _ = _whole_of(data)
    return isinstance(whole, FromDataset) and whole.ids.tolist() == [f"{at:08d}" for at in range(len(whole))]

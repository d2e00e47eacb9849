"""A part of the images that stands for all: by class, by seed, whatever the order of the listing."""

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.samples import Samples
from masktune.data.splits import cells, rarest
from masktune.errors import InputError
from masktune.seeds import seed_of

LEAST = 2
"""Images of each class, in each split, that are drawn where there are so many."""


def drawn(samples: Samples, count: int, seed: int = 0) -> Int64[np.ndarray, " m"]:
    """Positions, in order, of `count` images, or of all if there are no more."""
    return np.sort(_shuffled(samples.ids, seed)[:count])


def drawn_by_class(samples: Samples, count: int, seed: int = 0) -> Int64[np.ndarray, " m"]:
    """Positions, in order, of about `count` images: each class its share, and at least two of it.

    Where splits are given, each class has its share and its two images in each. Where subjects are known they
    are drawn whole, from all splits, so that one whose images were trained on can still be told; as many as
    come nearest to `count`. A subject counts for the rarest of its classes. Only the two images of small
    classes make the part larger.

    Raises:
        InputError: fewer than two images a class are asked for.
    """
    needed = LEAST * len(np.unique(samples.labels))
    if count < needed:
        raise InputError(f"expected at least {needed} images, two a class, got {count}")
    if count >= len(samples):
        return np.arange(len(samples))
    names = samples.ids if samples.subjects is None else samples.subjects
    units, unit_of = np.unique(names, return_inverse=True)
    kinds = cells(samples.labels, samples.splits)
    order = _shuffled(units, seed)
    taken = _shared_out(kinds, unit_of, order, count)
    return np.flatnonzero(_completed(taken, kinds, unit_of, order)[unit_of])


def _shared_out(
    kinds: Int64[np.ndarray, " n"],
    unit_of: Int64[np.ndarray, " n"],
    order: Int64[np.ndarray, " u"],
    count: int,
) -> Bool[np.ndarray, " u"]:
    """Which subjects are drawn, so that each kind of image has its share of `count`."""
    sizes = np.bincount(unit_of)
    strata = rarest(kinds, unit_of, len(order))
    taken = np.zeros(len(order), dtype=bool)
    wanted = 0
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        available = int(sizes[members].sum())
        wanted += min(available, max(LEAST, round(count * available / len(kinds))))
        # Counted over all strata, so that what whole subjects bring too many or too few evens out. One is
        # drawn if more than half of it is wanted.
        middles = sizes[taken].sum() + np.cumsum(sizes[members]) - sizes[members] / 2
        taken[members[middles < wanted]] = True
    return taken


def _completed(
    taken: Bool[np.ndarray, " u"],
    kinds: Int64[np.ndarray, " n"],
    unit_of: Int64[np.ndarray, " n"],
    order: Int64[np.ndarray, " u"],
) -> Bool[np.ndarray, " u"]:
    """The same subjects, and more where a kind has fewer images than it must have."""
    taken = taken.copy()
    drawn_of = np.bincount(kinds[taken[unit_of]], minlength=kinds.max() + 1)
    for kind in np.flatnonzero(drawn_of < np.minimum(LEAST, np.bincount(kinds))):
        images = np.bincount(unit_of[kinds == kind], minlength=len(order))
        for unit in order[(images > 0)[order]]:
            if images[taken].sum() < LEAST:
                taken[unit] = True
    return taken


def _shuffled(names: Shaped[np.ndarray, " n"], seed: int) -> Int64[np.ndarray, " n"]:
    keys = np.array([seed_of("draw", seed, name) for name in names.tolist()], dtype=np.int64)
    return np.argsort(keys, kind="stable")

"""A part of the images that stands for all: by class, by seed, whatever the order of the listing."""

import numpy as np
from jaxtyping import Int64

from masktune.data.samples import Samples
from masktune.errors import InputError
from masktune.seeds import seed_of


def drawn(samples: Samples, count: int, seed: int = 0) -> Int64[np.ndarray, " m"]:
    """Positions, in order, of `count` images, or of all if there are no more."""
    return np.sort(_shuffled(samples, seed)[:count])


def drawn_by_class(samples: Samples, count: int, seed: int = 0) -> Int64[np.ndarray, " m"]:
    """Positions, in order, of about `count` images: each class its share, and at least two of it.

    Raises:
        InputError: fewer than two images a class are asked for.
    """
    labels = samples.labels
    present = np.unique(labels)
    if count < 2 * len(present):
        raise InputError(f"expected at least {2 * len(present)} images, two a class, got {count}")
    if count >= len(samples):
        return np.arange(len(samples))
    order = _shuffled(samples, seed)
    chosen = []
    for label in present:
        members = order[labels[order] == label]
        chosen.append(members[: max(2, round(count * len(members) / len(samples)))])
    return np.sort(np.concatenate(chosen))


def _shuffled(samples: Samples, seed: int) -> Int64[np.ndarray, " n"]:
    keys = np.array([seed_of("draw", seed, sample) for sample in samples.ids.tolist()], dtype=np.int64)
    return np.argsort(keys, kind="stable")

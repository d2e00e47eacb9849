"""Missing splits are made, the same whatever the order of the listing; faults of given ones are reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.names import CALIBRATION, SPLITS, first_three, in_order_of_splits
from masktune.data.samples import Samples
from masktune.errors import InputError, near
from masktune.seeds import seed_of

SHARES: Mapping[str, float] = MappingProxyType({"validation": 0.15, "test": 0.15})


@dataclass(frozen=True, slots=True, eq=False)
class Divided:
    """Samples that have all splits that are needed."""

    samples: Samples
    """The same images in the same order; each is in one split."""
    made: tuple[str, ...]
    """The splits that were not given."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Subjects that have images in two splits."""

    splits: tuple[str, str]
    subjects: tuple[str, ...]
    """All of them, by name."""

    def __str__(self) -> str:
        first, second = self.splits
        named = first_three(self.subjects)
        return f"subjects with images in {first} and in {second}: {len(self.subjects)} ({named})"


@dataclass(frozen=True, slots=True)
class Doubles:
    """Images of one split whose very bytes are in another split too."""

    splits: tuple[str, str]
    count: int
    """How many images of the second split."""
    pairs: tuple[tuple[str, str], ...]
    """The first three: an id of the first split, and one of the second."""

    def __str__(self) -> str:
        first, second = self.splits
        pairs = ", ".join(f"{other} = {one}" for one, other in self.pairs)
        return f"images of {second} whose bytes are in {first} too: {self.count} ({pairs})"


def with_splits(
    samples: Samples,
    needed: Sequence[str] = SPLITS,
    *,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
) -> Divided:
    """Make the splits that are missing, of training images, or of all where no splits are given.

    Each class gives its share to each made split, within one image, and at least one image. Which ones
    they are follows from the seed and the ids alone: another order of the listing changes nothing, and a new
    image moves at most one other over each border. No made split divides a subject; a subject counts for the
    rarest of its classes, so that a class that is rare within subjects is shared out too.

    Raises:
        InputError: there are no training images to draw from, a class has too few for its shares, or `needed`
            or `shares` cannot be used.
    """
    _check_shares(needed, shares)
    given = samples.split_names
    made = tuple(name for name in in_order_of_splits(needed) if name not in given)
    if not made:
        return Divided(samples, ())
    if given and "train" not in given:
        raise InputError(
            f"expected training images, got {' and '.join(given)} only; give a split 'train' too"
        )
    drawn = tuple(name for name in made if name != "train")
    pool = np.ones(len(samples), dtype=bool) if samples.splits is None else samples.splits == "train"
    before = np.full(len(samples), "train") if samples.splits is None else samples.splits
    splits = before.astype(f"<U{max(map(len, (*drawn, *given, 'train')))}")
    names = samples.ids if samples.subjects is None else samples.subjects
    splits[pool] = drawn_splits(
        names[pool], samples.labels[pool], {name: shares[name] for name in drawn}, seed
    )
    divided = replace(samples, splits=splits)
    _check_classes(divided, pool, ("train", *drawn))
    return Divided(divided, made if samples.splits is None and "train" in made else drawn)


def drawn_splits(
    names: Shaped[np.ndarray, " m"],
    labels: Int64[np.ndarray, " m"],
    shares: Mapping[str, float],
    seed: int,
    *,
    least: int = 1,
) -> Shaped[np.ndarray, " m"]:
    """The split of each image: one of `shares`, which each class gives alike, or "train" for the rest.

    Args:
        names: of the subjects, or of the images where each stands alone; none is divided.
        labels: of the classes, or of whatever else is to be shared out (see `cells`).
        shares: splits beside "train"; together they leave images for it.
        seed: with the names, all that decides.
        least: subjects, or images, of each class in each split, where there are so many and one more.
    """
    units, unit_of = np.unique(names, return_inverse=True)
    strata = rarest(labels, unit_of, len(units))
    keys = np.array([seed_of("split", seed, unit) for unit in units.tolist()], dtype=np.int64)
    split_of = np.full(len(units), "train", dtype=f"<U{max(map(len, ('train', *shares)))}")
    for label in np.unique(strata).tolist():
        members = np.flatnonzero(strata == label)
        members = members[np.argsort(keys[members], kind="stable")]
        start = 0
        for name, size in _sizes(len(members), shares, least).items():
            # Test from the other end, so that a new image can move no more than one over each border.
            first = len(members) - size if name == "test" else start
            split_of[members[first : first + size]] = name
            start += 0 if name == "test" else size
    return split_of[unit_of]


def rarest(
    labels: Int64[np.ndarray, " m"], unit_of: Int64[np.ndarray, " m"], n_units: int
) -> Int64[np.ndarray, " u"]:
    """For each subject or image the class, of those it shows, that has the fewest images."""
    order = np.argsort(np.bincount(labels), kind="stable")
    rank = np.argsort(order)
    least = np.full(n_units, len(order), dtype=np.int64)
    np.minimum.at(least, unit_of, rank[labels])
    found: Int64[np.ndarray, " u"] = order[least].astype(np.int64)
    return found


def cells(
    labels: Int64[np.ndarray, " m"], splits: Shaped[np.ndarray, " m"] | None
) -> Int64[np.ndarray, " m"]:
    """A number for each class of each split, where splits are given: what is to be shared out by both."""
    if splits is None or not len(labels):
        return labels
    _, split_of = np.unique(splits, return_inverse=True)
    numbers: Int64[np.ndarray, " m"] = split_of * (labels.max() + 1) + labels
    return numbers


def crossing_subjects(samples: Samples) -> tuple[Crossing, ...]:
    """For each two splits that share subjects, which; nothing where splits or subjects are not known."""
    if samples.splits is None or samples.subjects is None:
        return ()
    of_split = {name: set(samples.subjects[samples.splits == name].tolist()) for name in samples.split_names}
    pairs = combinations(samples.split_names, 2)
    shared = {pair: tuple(sorted(of_split[pair[0]] & of_split[pair[1]])) for pair in pairs}
    return tuple(Crossing(pair, subjects) for pair, subjects in shared.items() if subjects)


def doubles(digests: Shaped[np.ndarray, " n"], samples: Samples) -> tuple[Doubles, ...]:
    """For each two splits, which images have the same content; `digests` are "" where it is not known."""
    if samples.splits is None:
        return ()
    known = digests != ""
    at = {name: np.flatnonzero((samples.splits == name) & known) for name in samples.split_names}
    found = []
    for first, second in combinations(samples.split_names, 2):
        twin = dict(zip(digests[at[first]][::-1].tolist(), at[first][::-1].tolist(), strict=True))
        same = [position for position in at[second].tolist() if digests[position] in twin]
        pairs = [(samples.ids[twin[digests[p]]], samples.ids[p]) for p in same[:3]]
        if same:
            shown = tuple((str(one), str(other)) for one, other in pairs)
            found.append(Doubles((first, second), len(same), shown))
    return tuple(found)


def split_table(samples: Samples) -> list[tuple[str, str]]:
    """(id, split) of each image, for the record of a run.

    Raises:
        InputError: the samples have no splits.
    """
    if samples.splits is None:
        raise InputError("expected samples with splits, got none; make them with `with_splits`")
    return list(zip(samples.ids.tolist(), samples.splits.tolist(), strict=True))


def _sizes(n: int, shares: Mapping[str, float], least: int) -> dict[str, int]:
    """How many of n each split gets: the rounded share, at least `least`, and 1 is left for training."""
    sizes = {name: max(least, int(n * share + 0.5)) for name, share in shares.items()}
    while sizes and sum(sizes.values()) >= n and max(sizes.values()) > 0:
        largest = max(sizes, key=lambda name: sizes[name])
        sizes[largest] -= 1
    return sizes


def _check_classes(samples: Samples, pool: Bool[np.ndarray, " n"], splits: Sequence[str]) -> None:
    """Refuse made splits in which a class of the pool has no images."""
    assert samples.splits is not None
    labels = samples.labels[pool]
    for split in splits:
        absent = np.setdiff1d(labels, labels[samples.splits[pool] == split])
        if len(absent):
            of_class = pool & (samples.labels == absent[0])
            units = (samples.ids if samples.subjects is None else samples.subjects)[of_class]
            things = "images" if samples.subjects is None else "subjects"
            raise InputError(
                f"class {samples.classes[absent[0]]!r} has no images in split {split!r}, which was to be "
                f"made: it has only {len(np.unique(units))} {things} for {', '.join(splits)}; add images, or "
                "give the splits yourself"
            )


def _check_shares(needed: Sequence[str], shares: Mapping[str, float]) -> None:
    for name in needed:
        if name not in (*SPLITS, CALIBRATION):
            raise InputError(f"no split {name!r}{near(name, SPLITS)}; there are {', '.join(SPLITS)}")
        if name != "train" and name not in shares:
            raise InputError(f"expected a share of the images for the split {name!r}, got none")
    if any(share <= 0 for share in shares.values()) or sum(shares.values()) >= 1:
        raise InputError(
            f"expected shares above 0 that leave images for training, got {dict(shares)}; make them smaller"
        )

"""A data set that was found on a disk: its images, and which variant of it they are."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from masktune.data.official.facts import Facts
from masktune.data.samples import Samples
from masktune.data.splits import with_splits


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The images of an official data set, in the order of their ids."""

    samples: Samples
    """What everything downstream reads; ids are the same in all layouts."""
    variant: str
    """"official", another name that the facts explain, or "subset-" or "other-" and 8 digits of the hash."""
    sha256: str
    """Of ids, labels, splits and groups, not of pixels: `sha256_of`."""
    notes: tuple[str, ...] = ()
    """What a user should know of this folder, a sentence each."""
    group_names: tuple[str, ...] = ()
    """Names of the groups by index; none where the data set has no groups."""


def sha256_of(samples: Samples) -> str:
    """A sha256 of ids, names of classes, splits and groups, whatever the order of the images."""
    classes = [samples.classes[label] for label in samples.labels.tolist()]
    empty = [""] * len(samples)
    splits = empty if samples.splits is None else samples.splits.tolist()
    groups = empty if samples.groups is None else samples.groups.tolist()
    rows = map("\x1f".join, zip(samples.ids.tolist(), classes, splits, groups, strict=True))
    return hashlib.sha256("\x1e".join(sorted(rows)).encode()).hexdigest()


def variant_of(sha256: str, pinned: Mapping[str, str], *, subset: bool = False) -> str:
    """That of a known hash, else "subset-" or "other-" and the first 8 digits of the hash."""
    return pinned.get(sha256, f"{'subset' if subset else 'other'}-{sha256[:8]}")


def shortened(notes: Sequence[str]) -> tuple[str, ...]:
    """The first three, and how many more there are."""
    more = len(notes) - 3
    return (*notes[:3], *((f"and {more} more of this kind",) if more > 0 else ()))


def stand_in_note(variant: str, facts: Facts) -> tuple[str, ...]:
    """What is said of a stand-in; nothing of other variants."""
    return (f"a stand-in, no benchmark: {facts.variants[variant]}",) if variant == "stand-in" else ()


def with_made_splits(listing: Listing, facts: Facts, *, seed: int = 0) -> Listing:
    """The same listing with the splits that its makers do not give, drawn as `facts.shares` says.

    Variant and hash stay those of what was found: the seed says the rest (`masktune.data.with_splits`).

    Raises:
        InputError: a class has too few images.
    """
    needed = ("train", *facts.shares)
    divided = with_splits(listing.samples, needed, seed=seed, shares=facts.shares)
    return replace(listing, samples=divided.samples)

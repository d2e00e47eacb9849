"""Is a data set whole, and which variant of it is it? Asked before anything is trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masktune.data.check import check_images
from masktune.data.names import first_three
from masktune.data.official.facts import Facts
from masktune.data.official.listing import Listing
from masktune.data.official.registry import list_official, official
from masktune.errors import DataDamaged
from masktune.types import Progress, silent


class NotDecoded(DataDamaged):
    """Images of a data set cannot be read; `problems` names them all."""

    def __init__(self, problems: Sequence[str], n: int) -> None:
        more = f" and {len(problems) - 1:,} more" if len(problems) > 1 else ""
        super().__init__(
            f"expected {n:,} images that can be read, but {len(problems):,} cannot: {problems[0]}{more}; get "
            "them again, or remove them"
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Row:
    """How many images a split has of a class and group, and how many it should have."""

    split: str | None
    """None where the data set has no splits."""
    label: str
    """Name of the class."""
    group: str | None
    """Name of the group; None where the data set has none."""
    n: int
    """Images that are listed."""
    published: int | None
    """Images that this variant has when it is whole; None where nobody published it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds of a data set."""

    name: str
    """Of the data set."""
    title: str
    """As people write it."""
    variant: str
    """Which variant; see `Listing.variant`."""
    sha256: str
    """Of ids, labels, splits and groups."""
    rows: tuple[Row, ...]
    """Counts by split, class and group."""
    notes: tuple[str, ...]
    """What a user should know, a sentence each."""
    whole: bool
    """It is a known variant, and complete."""
    unreadable: tuple[str, ...] = ()
    """A sentence on each image that cannot be read; none where nobody asked for decoding."""

    def to_record(self) -> dict[str, Any]:
        """As JSON has it."""
        cells = [{name: getattr(row, name) for name in Row.__slots__} for row in self.rows]
        return {
            "name": self.name,
            "variant": self.variant,
            "sha256": self.sha256,
            "whole": self.whole,
            "rows": cells,
            "notes": list(self.notes),
            "unreadable": list(self.unreadable),
        }


def check(
    name: str, root: str | Path, *, decode: bool = False, progress: Progress = silent, **options: str
) -> Found:
    """Hold a folder against what is published of a data set; no image is opened unless `decode` asks for it.

    Args:
        name: of the data set: `OFFICIAL`.
        root: the folder.
        decode: open every image too, and count those that cannot be read.
        progress: is told how many images are decoded.
        options: of the data set's own function: `target` and `spurious` of CelebA.

    Raises:
        InputError: no such data set, a folder of another one, or what the data set's own function refuses.
        DataNotFound, DataDamaged, StorageError: as the data set's own function raises them.
    """
    facts = official(name).facts
    listing = list_official(name, root, **options)
    notes = [*listing.notes, *_differences(listing, facts)]
    unreadable: tuple[str, ...] = ()
    if decode:
        unreadable = check_images(listing.samples, progress=progress).problems
        notes.append(_decoded(unreadable, len(listing.samples)))
    return Found(
        facts.name,
        facts.title,
        listing.variant,
        listing.sha256,
        tuple(_rows(listing, facts)),
        tuple(notes),
        listing.variant in facts.published and not unreadable,
        unreadable,
    )


def check_readable(found: Found) -> None:
    """Refuse a data set of which images cannot be read, where decoding was asked for.

    Raises:
        NotDecoded: names them all.
    """
    if found.unreadable:
        raise NotDecoded(found.unreadable, sum(row.n for row in found.rows))


def _rows(listing: Listing, facts: Facts) -> Iterator[Row]:
    """Splits in the order in which they are published, groups by their index."""
    published = facts.published.get(listing.variant, ())
    expected = {(count.split, count.label, count.group): count.n for count in published}
    known = [count.split for count in facts.published["official"]]
    splits = list(dict.fromkeys([*known, *listing.samples.split_names, None]))
    groups = ["", *listing.group_names]
    counts = sorted(
        listing.samples.counts(),
        key=lambda count: (splits.index(count.split), groups.index(count.group or "")),
    )
    for count in counts:
        n = expected.get((count.split, count.label, count.group))
        yield Row(count.split, count.label, count.group, count.n, n)


def _differences(listing: Listing, facts: Facts) -> Iterator[str]:
    """Of an unknown variant: where it differs from the official one, if it is like it at all."""
    if listing.variant in facts.variants:
        return
    here = {(count.split, count.label, count.group): count.n for count in listing.samples.counts()}
    there = {(count.split, count.label, count.group): count.n for count in facts.published["official"]}
    if not here.keys() & there.keys():
        return
    # That a whole split is missing is the first thing that `Listing.notes` say.
    splits = listing.samples.split_names or (None,)
    other = [key for key in {**there, **here} if here.get(key, 0) != there.get(key, 0) and key[0] in splits]
    said = [f"{_cell(key)} {here.get(key, 0):,} instead of {there.get(key, 0):,}" for key in other]
    if said:
        more = f" and {len(said) - 3} more" if len(said) > 3 else ""
        yield f"other counts than the official ones: {'; '.join(said[:3])}{more}"


def _cell(key: tuple[str | None, str, str | None]) -> str:
    split, label, group = key
    return f"{split + ', ' if split else ''}{group or label}"


def _decoded(problems: Sequence[str], n: int) -> str:
    if not problems:
        return f"all {n:,} images can be decoded"
    return f"{len(problems):,} of {n:,} images cannot be decoded: {first_three(problems)}"

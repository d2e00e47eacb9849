"""Waterbirds: is the bird a waterbird? The background, land or water, goes with the answer in training."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from masktune.data.contents import FilesOnDisk
from masktune.data.names import first_three
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import absent, existing_folder, first_bytes, home_of
from masktune.data.official.groups import SPLIT_OF, check_every_group, check_every_split, group_index
from masktune.data.official.listing import Listing, sha256_of, stand_in_note, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.official.once import check_once
from masktune.data.samples import Samples
from masktune.data.tables import Table, read_table
from masktune.errors import DataDamaged, InputError
from masktune.files import storage_errors

CLASSES = ("landbird", "waterbird")
PLACES = ("land", "water")
GROUPS = tuple(f"{bird} on {place}" for bird in CLASSES for place in PLACES)
"""By index: 2 * bird + place."""

_OFFICIAL = (
    *counted("train", CLASSES, (3498, 184, 56, 1057), GROUPS),
    *counted("validation", CLASSES, (467, 466, 133, 133), GROUPS),
    *counted("test", CLASSES, (2255, 2255, 642, 642), GROUPS),
)
_CORRECTED = (
    *counted("train", CLASSES, (3502, 252, 52, 989), GROUPS),
    *counted("validation", CLASSES, (478, 473, 122, 126), GROUPS),
    *counted("test", CLASSES, (2298, 2302, 599, 595), GROUPS),
)

FACTS = Facts(
    name="waterbirds",
    title="Waterbirds",
    task="landbird or waterbird; 95 % of the training images have the bird's usual background",
    source="Sagawa et al. 2020 (group DRO): birds of CUB-200-2011, pasted onto backgrounds of Places",
    licence="research without commercial use",
    noise=paragraphs("""
        Eastern Towhee, Western Meadowlark and Western Wood Pewee are landbirds, but labelled waterbirds:
        the generator looks for "tern" in the names of species, and finds it in "eastern" and "western".

        In validation and test half of each class is on either background, so choosing on validation is
        easier than in life, as its authors warn.

        Some birds were cut out badly.
    """),
    namesakes=paragraphs("""
        WILDS' waterbirds_v1.0 is the same set, but numbers groups place + 2 * bird, by background first.

        The set that MaskTune's authors corrected, and used in their paper, is no longer given out; what
        is called `corrected` here follows the rule below and need not have their pictures.

        Copies on the hub and on file drives differ in content; the hash tells.
    """),
    layouts=paragraphs("""
        waterbird_complete95_forest2water2/metadata.csv beside a folder a species

        waterbirds_v1.0/ (WILDS): the same files

        either folder itself
    """),
    variants={
        "official": "as its authors give it out",
        "wilds": "the official set in WILDS' folder",
        "corrected": "the three species with tern in Eastern or Western are landbirds, all else as official",
        "stand-in": "1,156 + 315 + 1,013 birds of 50 species on other backgrounds",
    },
    published={"official": _OFFICIAL, "wilds": _OFFICIAL, "corrected": _CORRECTED},
)

_PINNED = {
    "fa1ebcd3827805a11d65b03ae6382b54b79bc607301befe3f00cb56723deed7d": "official",
    "9bbe96b63437f66561b289ec6d1063242cb8cffb935e5d0b468474e4899b8ca6": "corrected",
    "206b99bb310d664e1919b600cfd9af59b29abad12d104284652a388dbb03c927": "stand-in",
}
"""The first is that of the metadata.csv (11,788 rows, the published counts) which the authors of GRFAL keep
on GitHub (sysu19351146/GRFAL, read in 2026-11); the second follows from it by the rule."""

_TERN = frozenset((21, 88, 102))
"""Numbers of the species that only their names made waterbirds."""
# fmt: off
_WATER = _TERN | {
    1, 2, 3, 5, 6, 7, 8, 23, 24, 25, 44, 45, 46, 50, 51, 52, 53, 58, 59, 60, 61, 62, 63, 64, 65, 66, 71, 72,
    84, 86, 87, 89, 90, 100, 101, 106, 141, 142, 143, 144, 145, 146, 147,
}
# fmt: on
"""Numbers of CUB's species that are labelled waterbirds in the official set; all other of the 200 are not."""
_SPECIES = 200
_IMAGES = 11_788

_MARK = "metadata.csv"
_FOLDERS = ("waterbird_complete95_forest2water2", "waterbirds_v1.0")
_COLUMNS = ("img_filename", "y", "split", "place")
_BIRD = re.compile(r"(\d{3})\.[A-Za-z_]+/[A-Za-z_]+_\d{4}_\d+\.jpg")


def list_waterbirds(root: str | Path) -> Listing:
    """List Waterbirds; ids are names of files as in metadata.csv: "001.Black_footed_Albatross/....jpg".

    Further columns of metadata.csv are kept. No image is opened.

    Args:
        root: the folder with metadata.csv, or the folder that this lies in.

    Raises:
        DataNotFound: no such folder; `MissingFiles`: no metadata.csv, or images that it names are not there.
        DataDamaged: metadata.csv is empty, or no table.
        InputError: it lacks a column, names an image twice, has values that cannot be, or no images of a
            split, or of a group in a split.
    """
    root = existing_folder(root, FACTS.name)
    home = home_of_waterbirds(root)
    if home is None:
        raise MissingFiles(FACTS.name, root, [_MARK], nothing=True)
    samples = _samples(home, f"get Waterbirds again with `masktune data get waterbirds {root}`")
    missing = absent(home, samples.ids.tolist())
    if missing:
        raise MissingFiles(FACTS.name, root, missing, len(samples))
    samples = samples.in_order()
    sha256 = sha256_of(samples)
    variant, notes = _variant(samples, sha256, home)
    return Listing(samples, variant, sha256, notes, GROUPS)


def home_of_waterbirds(root: Path) -> Path | None:
    """The folder of metadata.csv, in the root or the root itself; None if there is none."""
    return home_of(root, _FOLDERS, (_MARK,))


def seems_waterbirds(root: Path) -> bool:
    """Whether a folder looks like Waterbirds, whole or not."""
    at = root / "metadata.csv"
    start = first_bytes(str(at), 4096).decode("utf-8", "replace") if at.is_file() else ""
    return all(name in start for name in _COLUMNS) and _BIRD.search(start) is not None


def _samples(home: Path, again: str) -> Samples:
    """What metadata.csv says; `again` is what to do where it cannot be used."""
    table = _table(home / _MARK, again)
    names = table.columns["img_filename"]
    _check_birds(names, home)
    check_once(names, table.numbers, home / _MARK, again)
    labels = _numbers(table, "y", home, most=1)
    places = _numbers(table, "place", home, most=1)
    splits = SPLIT_OF[_numbers(table, "split", home, most=2)]
    groups = group_index(labels, places)
    check_every_split(splits, str(home / _MARK), again)
    check_every_group(groups, GROUPS, splits, str(home), again)
    others = {name: values for name, values in table.columns.items() if name not in _COLUMNS[:3]}
    return Samples(
        ids=np.array(names),
        labels=labels,
        classes=CLASSES,
        contents=FilesOnDisk(tuple(f"{home}/{name}" for name in names)),
        splits=splits,
        groups=np.array(GROUPS)[groups],
        columns={name: np.array(values, dtype=object) for name, values in others.items()},
    )


def _table(at: Path, again: str) -> Table:
    with storage_errors(at, "read"):
        rows = sum(1 for line in at.read_bytes().splitlines() if line.strip())
    if rows < 2:  # What `read_table` says of these is for tables that a user writes.
        what = "but it is empty" if rows == 0 else "got one row alone"
        raise DataDamaged(f"expected names of columns and a row an image in {at}, {what}; {again}")
    table = read_table(at)
    if not set(_COLUMNS) <= table.columns.keys():
        raise InputError(
            f"expected the columns {', '.join(_COLUMNS)} in {at}, got {', '.join(table.columns)}; {again}"
        )
    return table


def _check_birds(names: list[str], home: Path) -> None:
    strange = [name for name in names if not _BIRD.fullmatch(name)]
    if strange:
        raise InputError(
            f"expected birds of CUB (145.Elegant_Tern/Elegant_Tern_0085_151091.jpg) in {home}/metadata.csv, "
            f"got {len(strange):,} other images: {first_three(strange)}; is it another data set?"
        )


def _numbers(table: Table, column: str, home: Path, *, most: int) -> Int64[np.ndarray, " n"]:
    """A column of whole numbers from 0 to `most`."""
    known = {str(number): number for number in range(most + 1)}
    values = table.columns[column]
    wrong = [row for row, value in enumerate(values) if value not in known]
    if wrong:
        raise InputError(
            f"expected {' or '.join(known)} in column {column!r} of {home / 'metadata.csv'}, got "
            f"{values[wrong[0]]!r} in row {table.numbers[wrong[0]]} ({len(wrong):,} such rows)"
        )
    return np.array([known[value] for value in values], dtype=np.int64)


def _variant(samples: Samples, sha256: str, home: Path) -> tuple[str, tuple[str, ...]]:
    """Its name, and what is to be said of it."""
    species = np.array([int(name[:3]) for name in samples.ids.tolist()])
    by_rule = {
        "official": np.isin(species, list(_WATER)),
        "corrected": np.isin(species, list(_WATER - _TERN)),
    }
    follows = [rule for rule, water in by_rule.items() if (samples.labels == water).all()]
    part = bool(follows) and len(samples) < _IMAGES and set(species.tolist()) <= set(range(1, _SPECIES + 1))
    variant = variant_of(sha256, _PINNED, subset=part)
    if variant == "official" and (home.name == "waterbirds_v1.0" or (home / "RELEASE_v1.0.txt").exists()):
        return "wilds", ()
    if variant in FACTS.variants:
        return variant, stand_in_note(variant, FACTS)
    labels = (
        f"labels follow the {' and the '.join(follows)} rule" if follows else "labels follow no known rule"
    )
    rest = "cannot be checked for a part of the images" if part else "are not those of a known variant"
    return variant, (f"{labels}; splits and places {rest}",)

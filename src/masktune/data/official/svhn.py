"""SVHN, cropped digits: house numbers in 32x32 pixels; the paper abstains on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from masktune.data.folder import list_folder
from masktune.data.names import first_three
from masktune.data.official.arrays import images_of
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import existing_folder, folders_in, home_of
from masktune.data.official.listing import Listing, sha256_of, stand_in_note, variant_of
from masktune.data.official.mat_files import read_crops, read_digits
from masktune.data.official.missing import MissingFiles
from masktune.data.official.parquet import Look, find_shards, missing_shards, read_shards, seems_parquet
from masktune.data.official.rows import Rows
from masktune.data.samples import Samples
from masktune.errors import InputError

CLASSES = tuple(map(str, range(10)))

_OFFICIAL = (
    *counted("train", CLASSES, (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)),
    *counted("test", CLASSES, (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595)),
)

FACTS = Facts(
    name="svhn",
    title="SVHN (cropped digits)",
    task="the digit in the middle of a 32x32 cut-out of a house number",
    source="Netzer et al. 2011 (Stanford, Google Street View)",
    licence="use without commerce",
    noise=paragraphs("""
        Neighbouring digits are seen at the sides of many images.

        In the .mat files the label 10 means the digit 0; here, and on the hub, it is 0.

        Class 1 is the largest (19 %), class 9 the smallest.
    """),
    namesakes=paragraphs("""
        full_numbers are whole house numbers with boxes; another task.

        extra_32x32.mat has 531,131 further, easier training digits; it is not read.
    """),
    layouts=paragraphs("""
        train_32x32.mat and test_32x32.mat

        train-00000-of-00001.parquet and test-00000-of-00001.parquet (ufldl-stanford/svhn on the hub; also
        in cropped_digits/)

        a folder a digit, 0 to 9
    """),
    variants={
        "official": "73,257 + 26,032 digits",
        "stand-in": "130 digits without splits: enough to read, not to train",
    },
    published={"official": _OFFICIAL},
    shares={"validation": 0.2},
)
"""Counts per class as they are commonly quoted; they add up to the published totals. MaskTune's code holds
back a fifth of train as validation."""

_PINNED = {"da5ffb6d6a83a49efdb253cd5b9ce6fc90b8a0cd68c1916962a69366a6fe2c3c": "stand-in"}

_MATS = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
_HOMES = (".", "svhn", "SVHN")
_TABLES = (".", "cropped_digits", "data")
_LOOK = Look("SVHN", "image", CLASSES)


def list_svhn(root: str | Path) -> Listing:
    """List SVHN's cropped digits; an id is split and position: "train/00017". No image is decoded.

    Raises:
        DataNotFound: no such folder; `MissingFiles`: no layout, or not all of its files.
        DataDamaged, StorageError: a file is something else, cut off, or cannot be read.
        InputError: Parquet without images and labels, or folders that are not the ten digits.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    root = existing_folder(root, FACTS.name)
    samples = _found(root)
    sha256 = sha256_of(samples)
    whole = set(samples.counts()) == set(_OFFICIAL)
    variant = "official" if whole else variant_of(sha256, _PINNED)
    return Listing(samples, variant, sha256, stand_in_note(variant, FACTS))


def seems_svhn(root: Path) -> bool:
    """Whether a folder looks like SVHN, whole or not."""
    return (
        any((root / name).is_file() for name in _MATS.values())
        or len(_digits_in(root)) > len(CLASSES) / 2
        or seems_parquet(root, _TABLES, _LOOK)
    )


def _found(root: Path) -> Samples:
    """All digits, in the first layout that is there."""
    if home := home_of(root, _HOMES, tuple(_MATS.values())):
        return _from_mats(home, root)
    if files := find_shards(root, _TABLES, tuple(_MATS)):
        return _from_parquet(files, root)
    if _digits_in(root):
        return _from_folders(root)
    raise MissingFiles(FACTS.name, root, list(_MATS.values()), nothing=True)


def _digits_in(root: Path) -> list[str]:
    return [name for name in folders_in(root) if name in CLASSES]


def _from_folders(root: Path) -> Samples:
    digits = _digits_in(root)
    if len(digits) < len(CLASSES):
        raise MissingFiles(FACTS.name, root, [f"{name}/" for name in CLASSES if name not in digits])
    samples = list_folder(root)
    if samples.classes != CLASSES:
        others = [name for name in samples.classes if name not in CLASSES]
        raise InputError(
            f"expected a folder a digit, 0 to 9, in {root}, got {first_three(others)} too; move others away"
        )
    return samples


def _from_mats(home: Path, root: Path) -> Samples:
    paths = [home / name for name in _MATS.values()]
    missing = [path.relative_to(root).as_posix() for path in paths if not path.is_file()]
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    labels = [read_digits(path) for path in paths]
    counts = dict(zip(_MATS, map(len, labels), strict=True))
    return Rows(np.concatenate(labels), counts, images_of(paths, labels, read_crops)).samples(CLASSES)


def _from_parquet(files: Mapping[str, Sequence[Path]], root: Path) -> Samples:
    missing = missing_shards(files, root)
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    return read_shards(files, _LOOK).samples(CLASSES)

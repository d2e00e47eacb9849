"""ImageNet-9L and the Backgrounds Challenge: nine kinds of things, tested with exchanged backgrounds."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from masktune.data.contents import FilesOnDisk
from masktune.data.names import first_three
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import existing_folder, folders_in, images_in
from masktune.data.official.listing import Listing, sha256_of, shortened, stand_in_note, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.samples import Count, Samples
from masktune.errors import InputError, near

CLASSES = (
    "dog",
    "bird",
    "wheeled vehicle",
    "reptile",
    "carnivore",
    "insect",
    "musical instrument",
    "primate",
    "fish",
)
FOLDERS = tuple(f"{number:02d}_{name}" for number, name in enumerate(CLASSES))
"""Of the classes: "00_dog"."""
TESTS = (
    "original",
    "mixed_same",
    "mixed_rand",
    "mixed_next",
    "only_fg",
    "no_fg",
    "only_bg_b",
    "only_bg_t",
)
"""The Backgrounds Challenge's variants of the test images, each a split of its own."""

_TRAINED = {"train": "train", "val": "validation"}
"""Folders of IN-9L, and their splits."""


def _each(split: str, n: int) -> tuple[Count, ...]:
    return counted(split, CLASSES, (n,) * len(CLASSES))


_IN9L = (*_each("train", 20_334), *_each("validation", 800))
_CHALLENGE = tuple(count for split in TESTS for count in _each(split, 450))

FACTS = Facts(
    name="imagenet9",
    title="ImageNet-9 (IN-9L and the Backgrounds Challenge)",
    task="nine kinds of things out of 370 classes of ImageNet; tests exchange or remove the background",
    source="Xiao et al. 2020 (MadryLab): ImageNet's images, foregrounds cut out by boxes and GrabCut",
    licence="none named; the images are ImageNet's, for research without commercial use",
    noise=paragraphs("""
        mixed_rand's names of files carry mixed_next's background: which background an image has cannot be
        read off.

        One image has the same name in every variant: an id is the path, never the name.
    """),
    namesakes=paragraphs("""
        Of each variant there is a training release too (train/ and val/ in one folder); its val/ is not
        the cleaned test set.

        IN-9 (45,405 training images, with boxes) is the smaller one; IN-9L is the one to train on.

        IN-9L rebuilt from ImageNet by the class map counts otherwise: the authors' list is not published.

        SubpopBench and XRM use mixed_rand's worst class as a worst group.
    """),
    layouts=paragraphs("""
        train/00_dog/..., val/00_dog/... (IN-9L)

        original/val/00_dog/..., mixed_same/val/..., ... (Backgrounds Challenge; also in bg_challenge/ or
        test/)

        both in one folder, or one of them alone
    """),
    variants={
        "official": "IN-9L and the Backgrounds Challenge, both whole",
        "backgrounds-challenge": "all eight variants of the test images, without training images",
        "in9l": "the training and validation images alone",
        "stand-in": "156 images in eight variants, made from other images of ImageNet",
    },
    published={
        "official": (*_IN9L, *_CHALLENGE),
        "backgrounds-challenge": _CHALLENGE,
        "in9l": _IN9L,
    },
)
"""The challenge has 450 images a class and variant. Of IN-9L the paper gives the totals, 183,006 and 7,200; a
ninth of each is whole, and 800 is 50 for each of the 16 fishes, the smallest class: all are alike."""

_PINNED = {"440c719abd927892656704750d2d83d3cf186be5b5539c9b260fc13322327607": "stand-in"}

_HOMES = (".", "bg_challenge", "in9l", "imagenet9")
_CLASS = re.compile(r"(\d\d)_(.+)")
_MIXED = re.compile(r"fg_(.+)_bg_.+")

BUILT = "built.json"
"""What `masktune data build-in9` leaves beside the training images that it makes."""


@dataclass(slots=True)
class _Found:
    """What a walk through the folders collects."""

    ids: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def list_imagenet9(root: str | Path) -> Listing:
    """List what there is of IN-9L and of the Backgrounds Challenge; no image is opened.

    Splits are train, validation, and each variant of the test images: original, mixed_same, ... Ids are paths
    from the folder that holds train or the variants: "original/val/00_dog/....JPEG".

    Raises:
        DataNotFound: no such folder; `MissingFiles`: neither of the two, or a split lacks a class.
        InputError: a folder that is none of the nine classes.
        StorageError: a folder cannot be read.
    """
    root = existing_folder(root, FACTS.name)
    found = _Found()
    parts = list(_parts(root))
    for split, folder, name in parts:
        _list_split(found, split, folder, name)
    if not parts:
        found.missing = [f"{folder}/" for folder in _TRAINED] + [f"{test}/val/" for test in TESTS]
    if found.missing:
        raise MissingFiles(FACTS.name, root, found.missing, nothing=not parts)
    samples = Samples(
        ids=np.array(found.ids),
        labels=np.array(found.labels, dtype=np.int64),
        classes=CLASSES,
        contents=FilesOnDisk(tuple(found.paths)),
        splits=np.array(found.splits),
    ).in_order()
    sha256 = sha256_of(samples)
    unlike, unknown = _unlike(samples)
    variant = (None if unlike else _by_counts(samples)) or variant_of(sha256, _PINNED)
    notes = _notes(parts, unknown)
    told = *_absent(samples, root), *shortened(unlike), *notes, *stand_in_note(variant, FACTS)
    return Listing(samples, variant, sha256, told)


def seems_imagenet9(root: Path) -> bool:
    """Whether a folder looks like ImageNet-9, whole or not."""
    return any(set(folders_in(folder)) & set(FOLDERS) for _, folder, _ in _parts(root, (".",)))


def _parts(root: Path, homes: Sequence[str] = _HOMES) -> Iterator[tuple[str, Path, str]]:
    """Each split that is there: its name, its folder, and how its ids begin."""
    seen = set()
    for home in (root / name for name in homes):
        for folder, split in _TRAINED.items():
            if split not in seen and (home / folder).is_dir():
                seen.add(split)
                yield split, home / folder, folder
        for test in TESTS:
            places = [home / test / "val", home / "test" / test / "val"]
            place = next((place for place in places if place.is_dir()), None)
            if test not in seen and place is not None:
                seen.add(test)
                yield test, place, f"{test}/val"


def _list_split(found: _Found, split: str, folder: Path, name: str) -> None:
    seen = set()
    for class_folder in folders_in(folder):
        label = _label(class_folder, folder)
        files = images_in(folder / class_folder)
        if files:
            seen.add(label)
        found.ids += [f"{name}/{FOLDERS[label]}/{file}" for file in files]
        found.paths += [f"{folder}/{class_folder}/{file}" for file in files]
        found.labels += [label] * len(files)
        found.splits += [split] * len(files)
    found.missing += [f"{name}/{FOLDERS[label]}/" for label in range(len(CLASSES)) if label not in seen]


def _label(name: str, folder: Path) -> int:
    match = _CLASS.fullmatch(name)
    plain = match[2].replace("_", " ") if match else name
    if match is None or plain not in CLASSES or CLASSES.index(plain) != int(match[1]):
        raise InputError(
            f"expected the nine classes of ImageNet-9 in {folder}, got the folder "
            f"{name!r}{near(name, FOLDERS)}; they are {', '.join(FOLDERS)}"
        )
    return int(match[1])


def _by_counts(samples: Samples) -> str | None:
    """The whole variant that has these very counts: nobody publishes a list of the files."""
    here = set(samples.counts())
    return next((name for name, counts in FACTS.published.items() if set(counts) == here), None)


def _absent(samples: Samples, root: Path) -> Iterator[str]:
    """Whole splits that are not there, and how to get them."""
    here = samples.split_names
    tests = [test for test in TESTS if test not in here]
    if "train" not in here:
        yield "no training images: IN-9L's links are dead, `masktune data build-in9` makes them from ImageNet"
    elif "validation" not in here:
        yield "no validation images: val/ of IN-9L is not there"
    if len(tests) == len(TESTS):
        beside = root.parent if root.name == "in9l" else root
        yield f"no test images: `masktune data get imagenet9 {beside}` gets the Backgrounds Challenge"
    elif tests:
        number = f"{len(tests)} of {len(TESTS)}"
        yield f"{number} variants of the test images are not there: {', '.join(tests)}"


def object_of(name: str) -> str:
    """Folder and name of the image whose object a test image shows: mixed ones are "fg_NAME_bg_OTHER"."""
    _, folder, file = name.rsplit("/", 2)
    stem = file.rpartition(".")[0]
    mixed = _MIXED.fullmatch(stem)
    return f"{folder}/{mixed[1] if mixed else stem}"


def _unlike(samples: Samples) -> tuple[list[str], list[str]]:
    """Variants of the test images that don't hold the same objects, a sentence each.

    And variants of which that cannot be told: most of their names are none of the others'.
    """
    assert samples.splits is not None
    tests = [test for test in TESTS if test in samples.split_names]
    ids = {test: samples.ids[samples.splits == test].tolist() for test in tests}
    objects = {test: {object_of(name) for name in names} for test, names in ids.items()}
    holders = Counter(name for found in objects.values() for name in found)
    # Of an object that one variant lacks the others should not be told that they have one too many.
    common = {name for name, count in holders.items() if 2 * count >= len(tests)}
    unknown = [test for test, found in objects.items() if 2 * len(found & common) < len(found)]
    told = []
    for test in (test for test in tests if test not in unknown):
        lost, more = sorted(common - objects[test]), sorted(objects[test] - common)
        if lost:
            told.append(f"{test} lacks {_objects(len(lost))}, which others have: {first_three(lost)}")
        if more:
            told.append(f"{test} has {_objects(len(more))} alone: {first_three(more)}")
    return told, unknown


def _objects(n: int) -> str:
    return f"{n:,} object{'s' if n > 1 else ''}"


def _notes(parts: list[tuple[str, Path, str]], unknown: list[str]) -> Iterator[str]:
    if unknown:
        yield f"names of files do not tell whether others' objects are those of {', '.join(unknown)}"
    for split, folder, _ in parts:
        if split in TESTS and (folder.parent / "train").is_dir():
            yield f"{split} has a train/ beside its val/: its training release, not the cleaned test set"
        if split == "train" and _built_without_tests(folder.parent / BUILT):
            yield (
                "build-in9 found no tests beside these training images when it made them, so some may be "
                f"tests too: get the tests, remove {folder.parent} and make it again beside them"
            )


def _built_without_tests(record: Path) -> bool:
    try:
        return bool(json.loads(record.read_text(encoding="utf-8"))["tests"] == 0)
    except (OSError, ValueError, KeyError, TypeError):  # Somebody else made the folder.
        return False

"""Cats vs Dogs: photos as Kaggle's contest or Microsoft's archive has them; the paper abstains on them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool

from masktune.data.check import check_images
from masktune.data.contents import FilesOnDisk
from masktune.data.folder import list_folder
from masktune.data.names import first_three, split_name
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import existing_folder, files_in, first_bytes, folders_in
from masktune.data.official.listing import Listing, sha256_of, stand_in_note, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.samples import Samples
from masktune.errors import InputError

CLASSES = ("cat", "dog")
EACH = 12_500
"""Labelled photos of each class, numbered from 0."""

Drop = Literal["nothing", "no_jfif", "undecodable"]

_WHOLE = counted(None, CLASSES, (EACH, EACH))

FACTS = Facts(
    name="cats-vs-dogs",
    title="Cats vs Dogs",
    task="cat or dog, in photos of all sizes; the paper takes 64x64",
    source="Asirra (Elson et al. 2007, Microsoft with Petfinder); Kaggle's contest Dogs vs. Cats of 2013",
    licence="research",
    noise=paragraphs("""
        In Microsoft's archive Cat/666.jpg and Dog/11702.jpg cannot be decoded, and a dozen more have
        trailing bytes.

        1,738 of Microsoft's photos lack a JFIF header: TFDS drops these and keeps 23,262; the hub has
        23,410. A filter by header and one by decoding do not drop the same photos.

        Some labels are wrong: cat.4085 and cat.4338 among them.
    """),
    namesakes=paragraphs("""
        test1/ of the contest has 12,500 photos without labels; they are not read.

        kagglecatsanddogs_3367a.zip is gone; _5340.zip is the archive to get.

        MaskTune's two lists of test images (5,000) were never given out: splits here are drawn by seed.
    """),
    layouts=paragraphs("""
        train/cat.0.jpg ... dog.12499.jpg (Kaggle)

        PetImages/Cat/0.jpg, PetImages/Dog/0.jpg (Microsoft)

        cat/, dog/, or train/cat/, train/dog/, val/..., test/...: plain folders, given splits are kept
    """),
    variants={
        "official": "Kaggle's 25,000 labelled photos",
        "microsoft": "Microsoft's archive, damaged files included",
        "stand-in": "902 + 240 of Kaggle's photos in small",
    },
    published={"official": _WHOLE, "microsoft": _WHOLE},
    shares={"validation": 0.16, "test": 0.2},
)
"""MaskTune's code tests on 5,000 images and validates on a fifth of the rest."""

_PINNED = {"762e9b765af14dd671d3d0187514c844bbed1dd37e0417f2ba04c5d7478c7f35": "stand-in"}

_PHOTO = re.compile(r"(cat|dog)\.(\d+)\.jpg")
_NUMBERED = re.compile(r"\d+\.jpg")
_NAMES = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
_KAGGLE = f"train/{{0}}.0.jpg to {{0}}.{EACH - 1}.jpg"
_HEAD = 10
"""Bytes in which a JFIF header names itself, as TFDS looks for it."""


def list_cats_vs_dogs(root: str | Path, drop: Drop = "nothing") -> Listing:
    """List the labelled photos; ids are Kaggle's names ("cat.0.jpg") in both layouts, paths in plain folders.

    No split is given but in plain folders: `with_made_splits` draws them. The first bytes of each file are
    read, to count those without a JFIF header; no image is decoded unless `drop` asks for it.

    Args:
        root: the folder of photos, or the folder that it lies in.
        drop: which photos to leave out: none, those without a JFIF header, or those that cannot be decoded.

    Raises:
        DataNotFound: no such folder; `MissingFiles`: none of the layouts, or no photo or folder of a class.
        InputError: folders of other classes than cats and dogs.
        StorageError: a folder or file cannot be read.
    """
    root = existing_folder(root, FACTS.name)
    layout, samples = _found(root)
    heads = _heads(samples)
    notes = list(_notes(samples, heads, layout))
    if drop == "no_jfif":
        samples = _without(samples, np.array([b"JFIF" not in head for head in heads]), "no JFIF header")
    elif drop == "undecodable":
        broken = ~check_images(samples).readable
        notes.append(f"{broken.sum():,} of {len(samples):,} photos cannot be decoded, and are left out")
        samples = _without(samples, broken, "cannot be decoded")
    sha256 = sha256_of(samples)
    variant = _variant(samples, sha256, layout)
    return Listing(samples, variant, sha256, (*notes, *stand_in_note(variant, FACTS)))


def seems_cats_vs_dogs(root: Path) -> bool:
    """Whether a folder looks like Cats vs Dogs, whole or not."""
    return _kaggle(root) is not None or _microsoft(root) is not None or _is_plain(root)


def _found(root: Path) -> tuple[str | None, Samples]:
    """The variant whose layout it has, None for plain folders; and all photos."""
    if home := _kaggle(root):
        files = {name: f"{home}/{name}" for name in files_in(home) if _PHOTO.fullmatch(name)}
        return "official", _named(files, root, _KAGGLE)
    if home := _microsoft(root):
        files = {}
        for folder, label in (("Cat", "cat"), ("Dog", "dog")):
            numbers = [name for name in files_in(home / folder) if _NUMBERED.fullmatch(name)]
            files |= {f"{label}.{name}": f"{home}/{folder}/{name}" for name in numbers}
        return "microsoft", _named(files, root, "PetImages/{1}/")
    if _plain_folders(root):
        return None, _plain(root)
    raise MissingFiles(FACTS.name, root, [_KAGGLE.format(name) for name in CLASSES], nothing=True)


def _kaggle(root: Path) -> Path | None:
    homes = (root, root / "train")
    return next((home for home in homes if any(map(_PHOTO.fullmatch, files_in(home)))), None)


def _microsoft(root: Path) -> Path | None:
    home = root if root.resolve().name == "PetImages" else root / "PetImages"
    return home if home.is_dir() else None


def _is_plain(root: Path) -> bool:
    """Whether it has folders of both kinds, in itself or in its splits."""
    found = [_NAMES[name.lower()] for names in _plain_folders(root).values() for name in names]
    return set(found) == set(CLASSES)


def _plain_folders(root: Path) -> dict[str, list[str]]:
    """The folders of cats and of dogs, by the place that they are in: "" is the root, else a split."""
    places = ["", *(f"{name}/" for name in folders_in(root) if split_name(name))]
    found = {place: [name for name in folders_in(root / place) if name.lower() in _NAMES] for place in places}
    return {place: names for place, names in found.items() if names}


def _named(files: dict[str, str], root: Path, where: str) -> Samples:
    """Photos by Kaggle's names, which tell the class; `where` names the photos of a class that has none."""
    labels = [CLASSES.index(name[:3]) for name in files]
    missing = [where.format(name, name.title()) for at, name in enumerate(CLASSES) if at not in labels]
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    return Samples(
        ids=np.array(list(files)),
        labels=np.array(labels, dtype=np.int64),
        classes=CLASSES,
        contents=FilesOnDisk(tuple(files.values())),
    ).in_order()


def _plain(root: Path) -> Samples:
    found = _plain_folders(root).items()
    missing = [f"{place}{_beside(names[0])}/" for place, names in found if len(names) == 1]
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    samples = list_folder(root)
    classes = [_NAMES.get(name.lower(), "") for name in samples.classes]
    if sorted(classes) != list(CLASSES):
        raise InputError(
            f"expected folders of cats and of dogs in {root}, got {first_three(samples.classes)}; move others"
            " away"
        )
    index = np.array([CLASSES.index(name) for name in classes], dtype=np.int64)
    return replace(samples, labels=index[samples.labels], classes=CLASSES)


def _beside(name: str) -> str:
    """What the folder of the other kind would be called: "dogs" beside "cats"."""
    other = "dog" if _NAMES[name.lower()] == "cat" else "cat"
    return f"{other}{name[3:]}"


def _heads(samples: Samples) -> list[bytes]:
    """The first bytes of each file."""
    assert isinstance(samples.contents, FilesOnDisk)
    return [first_bytes(path, _HEAD) for path in samples.contents.paths]


def _notes(samples: Samples, heads: list[bytes], layout: str | None) -> Iterator[str]:
    without = sum(b"JFIF" not in head for head in heads)
    empty = [name for name, head in zip(samples.ids.tolist(), heads, strict=True) if not head]
    if without:
        yield f"{without:,} of {len(samples):,} photos have no JFIF header (TFDS leaves these out)"
    if empty:
        yield f"empty files: {len(empty):,} ({first_three(empty)})"
    if layout:
        here = set(samples.ids.tolist())
        absent = [name for name in _official_names() if name not in here]
        if absent:
            yield f"{len(absent):,} of {2 * EACH:,} photos are not here: {first_three(absent)}"


def _without(samples: Samples, dropped: Bool[np.ndarray, " n"], reason: str) -> Samples:
    passed_over = {**samples.passed_over, reason: int(dropped.sum())}
    return replace(samples.select(~dropped), passed_over=passed_over)


def _variant(samples: Samples, sha256: str, layout: str | None) -> str:
    official = set(_official_names())
    here = set(samples.ids.tolist())
    if layout and here == official:
        return layout
    return variant_of(sha256, _PINNED, subset=here < official)


def _official_names() -> list[str]:
    return [f"{label}.{number}.jpg" for label in CLASSES for number in range(EACH)]

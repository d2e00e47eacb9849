"""CelebA: does a face have an attribute, where another goes with it? By default blond hair, and sex."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.contents import FilesOnDisk
from masktune.data.names import first_three
from masktune.data.official.celeba_tables import Attributes, read_attributes, read_partition, rows_of
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import absent, existing_folder
from masktune.data.official.groups import SPLIT_OF, check_every_group, check_every_split, group_index
from masktune.data.official.listing import Listing, sha256_of, stand_in_note, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.official.once import check_once
from masktune.data.samples import Samples
from masktune.errors import InputError, near

TARGET, SPURIOUS = "Blond_Hair", "Male"
"""The task of group DRO, and of most papers since."""

_WORDS = {
    "Blond_Hair": ("not blond", "blond"),
    "Male": ("woman", "man"),
    "Young": ("not young", "young"),
}
"""Without and with an attribute, where "not" and its name would sound odd."""


def words_of(attribute: str) -> tuple[str, str]:
    """Names for faces without and with an attribute: ("not smiling", "smiling")."""
    plain = attribute.replace("_", " ").lower()
    return _WORDS.get(attribute, (f"not {plain}", plain))


def group_names(target: str, spurious: str) -> tuple[str, ...]:
    """By index, 2 * target + spurious: "not blond, woman" first."""
    return tuple(f"{one}, {other}" for one in words_of(target) for other in words_of(spurious))


_OFFICIAL = (
    *counted("train", words_of(TARGET), (71629, 66874, 22880, 1387), group_names(TARGET, SPURIOUS)),
    *counted("validation", words_of(TARGET), (8535, 8276, 2874, 182), group_names(TARGET, SPURIOUS)),
    *counted("test", words_of(TARGET), (9767, 7535, 2480, 180), group_names(TARGET, SPURIOUS)),
)

FACTS = Facts(
    name="celeba",
    title="CelebA",
    task="any of 40 attributes of a face against any other; by default blond hair: 0.85 % are blond men",
    source="Liu et al. 2015 (MMLab, CUHK): faces of celebrities, aligned and cut to 178x218",
    licence="research without commercial use, no passing on",
    noise=paragraphs("""
        Some attributes are wrong or debatable; how many nobody has measured.

        Several images show one person. The partition divides no person; the tables here do not name them.

        Names of files count from 000001, rows from 0.
    """),
    namesakes=paragraphs("""
        CelebA-HQ and CelebAMask-HQ are other pictures of some of these people.

        metadata.csv of JTT, DFR and BalancingGroups are merged from the two tables, each with its own
        columns; none is read here.

        Some code cuts the middle 178x178 before resizing, some resizes the whole: not the same task.
    """),
    layouts=paragraphs("""
        list_attr_celeba.txt, list_eval_partition.txt and img_align_celeba/ (also in Anno/, Eval/, Img/)

        Kaggle: the same tables as .csv, and img_align_celeba/img_align_celeba/

        celebA_v1.0/ (WILDS), celeba/ (torchvision), or that folder itself
    """),
    variants={
        "official": "all 202,599 images with the makers' attributes and partition",
        "stand-in": "900 + 160 + 299 of the official images at half size",
    },
    published={"official": _OFFICIAL},
)

_PINNED = {
    "8b861466ab7a5b2c0931a183a5a2d5bf019e39214096d7f1cbed80b4d2eeb4ff": "official",
    "f8b030c70452cbd96feef9f68d6bdca6b72c6e455d010c4b18dbcd11d1b7b4de": "stand-in",
}
"""Of the tables: `_sha256_of_tables`. The first is that of copies on GitHub (list_attr_celeba.txt in
SalmanAlsubaihi/Eyeglasses-Detection-Exercise, list_eval_partition.txt in constanzaelf/thesis_fairness_xai;
read in 2026-11): with a first line and a line end that they lost, they have the md5s of torchvision."""

_FOLDERS = (".", "celeba", "celebA_v1.0", "celebA")
_ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")
_IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba")

_AGAIN = "get both tables from one source"

_NAME = re.compile(r"(\d{6})\.jpg")
_ENDS = (162_770, 182_637, 202_599)
"""Number of the last image of train, validation and test: the partition is three runs."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the parts of CelebA lie; None for what is not there."""

    attributes: Path | None
    partition: Path | None
    images: Path | None

    @property
    def missing(self) -> list[str]:
        parts = {
            "list_attr_celeba.txt or .csv": self.attributes,
            "list_eval_partition.txt or .csv": self.partition,
            "img_align_celeba/": self.images,
        }
        return [name for name, path in parts.items() if path is None]


def list_celeba(root: str | Path, target: str = TARGET, spurious: str = SPURIOUS) -> Listing:
    """List CelebA with two classes, without and with an attribute; ids are names of files: "000001.jpg".

    No image is opened. The variant is that of all attributes, the hash that of the two that were asked for.

    Args:
        root: the folder with the tables and the images, or the folder that this lies in.
        target: the attribute that is the label.
        spurious: the attribute that makes the groups with it.

    Raises:
        DataNotFound: no such folder; `MissingFiles`: a table, or images that the tables name, are not there.
        DataDamaged, StorageError: a table is something else, cut off, or cannot be read.
        InputError: no such attribute, with near names; the tables name different images, or one twice; no
            images of a split, or of a group in a split.
    """
    root = existing_folder(root, FACTS.name)
    found = _find(root)
    if found.attributes is None or found.partition is None or found.images is None:
        nothing = found == _Found(None, None, None)
        raise MissingFiles(FACTS.name, root, found.missing, nothing=nothing)
    table = read_attributes(found.attributes)
    columns = _columns(table, target, spurious, found.attributes)
    table, numbers = _joined(table, found.attributes, found.partition)
    samples = _samples(table, columns, numbers, found.images, (target, spurious))
    _check_images(samples, found.images, root)
    sha256 = sha256_of(samples)
    part = len(samples) < _ENDS[-1] and _follow_the_partition(table.files, numbers)
    known = _PINNED.get(_sha256_of_tables(table, numbers))
    variant = known or variant_of(sha256, {}, subset=part)
    return Listing(samples, variant, sha256, _notes(variant, part), group_names(target, spurious))


def seems_celeba(root: Path) -> bool:
    """Whether a folder looks like CelebA, whole or not."""
    found = _find(root, (".",))
    return found.attributes is not None or found.partition is not None or found.images is not None


def _find(root: Path, folders: Sequence[str] = _FOLDERS) -> _Found:
    tables = [root / folder / part for folder in folders for part in (".", "Anno", "Eval")]
    images = [root / folder / part for folder in folders for part in (".", "Img")]
    return _Found(
        attributes=_first(home / name for home in tables for name in _ATTRIBUTES if (home / name).is_file()),
        partition=_first(home / name for home in tables for name in _PARTITION if (home / name).is_file()),
        images=_first(home / name for home in images for name in _IMAGES if (home / name).is_dir()),
    )


def _first(paths: Iterator[Path]) -> Path | None:
    return next(paths, None)


def _columns(table: Attributes, target: str, spurious: str, at: Path) -> tuple[int, int]:
    for name in (target, spurious):
        if name not in table.names:
            raise InputError(
                f"no attribute {name!r}{near(name, table.names)} in {at}, which has {len(table.names)}: "
                f"{first_three(table.names)}"
            )
    if target == spurious:
        raise InputError(f"expected two attributes, got {target!r} as target and as spurious; choose another")
    return table.names.index(target), table.names.index(spurious)


def _joined(
    table: Attributes, attributes: Path, partition: Path
) -> tuple[Attributes, Int64[np.ndarray, " n"]]:
    """The attributes in the order of files' names, and the number of each one's split."""
    files, numbers = read_partition(partition)
    order, other = np.argsort(table.files), np.argsort(files)
    for names, at in ((table.files[order], attributes), (files[other], partition)):
        if (names[1:] == names[:-1]).any():
            check_once(*rows_of(at), at, _AGAIN)
    if not np.array_equal(table.files[order], files[other]):
        alone = np.setxor1d(table.files, files).tolist()
        raise InputError(
            f"expected the same images in {attributes.name} ({len(table.files):,}) and {partition.name} "
            f"({len(files):,}), but {len(alone):,} are in one alone: {first_three(alone)}; {_AGAIN}"
        )
    check_every_split(SPLIT_OF[numbers], str(partition), _AGAIN)
    return Attributes(table.names, table.files[order], table.values[order]), numbers[other]


def _samples(
    table: Attributes,
    columns: tuple[int, int],
    numbers: Int64[np.ndarray, " n"],
    images: Path,
    names: tuple[str, str],
) -> Samples:
    labels = table.values[:, columns[0]].astype(np.int64)
    groups = group_index(labels, table.values[:, columns[1]].astype(np.int64))
    group_of = group_names(*names)
    splits = SPLIT_OF[numbers]
    check_every_group(
        groups,
        group_of,
        splits,
        f"CelebA with {names[0]} x {names[1]}",
        "take images, or attributes, of which each split has some",
    )
    return Samples(
        ids=table.files,
        labels=labels,
        classes=words_of(names[0]),
        contents=FilesOnDisk(tuple(f"{images}/{name}" for name in table.files.tolist())),
        splits=splits,
        groups=np.array(group_of)[groups],
    )


def _check_images(samples: Samples, images: Path, root: Path) -> None:
    missing = absent(images, samples.ids.tolist())
    if missing:
        names = [f"img_align_celeba/{name}" for name in missing]
        raise MissingFiles(FACTS.name, root, names, len(samples))


def _sha256_of_tables(table: Attributes, numbers: Int64[np.ndarray, " n"]) -> str:
    """Of names of attributes, and of each image's name, split and attributes, in the order of names."""
    digest = hashlib.sha256("\x1f".join((*table.names, *table.files.tolist())).encode())
    digest.update(numbers.astype(np.uint8).tobytes() + table.values.astype(np.uint8).tobytes())
    return digest.hexdigest()


def _follow_the_partition(files: Shaped[np.ndarray, " n"], numbers: Int64[np.ndarray, " n"]) -> bool:
    """Whether all are named as official images are, and each is in its official split."""
    found = [_NAME.fullmatch(name) for name in files.tolist()]
    at = np.array([int(match[1]) if match else 0 for match in found])
    inside: Bool[np.ndarray, " n"] = (at >= 1) & (at <= _ENDS[-1])
    return bool(inside.all() and (np.searchsorted(_ENDS, at) == numbers).all())


def _notes(variant: str, part: bool) -> tuple[str, ...]:
    if variant in FACTS.variants:
        return stand_in_note(variant, FACTS)
    names = "names and splits are official ones" if part else "names or splits are not the official ones"
    return (f"{names}; attributes cannot be checked for a part of the images",) if part else (names,)

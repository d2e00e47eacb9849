"""A folder of images as a data set: `class/...`, or `train|validation|val|test/class/...`."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from masktune.data.contents import FilesOnDisk
from masktune.data.names import first_three, labels_of, split_name
from masktune.data.samples import Samples, check_classes
from masktune.errors import DataNotFound, InputError, near
from masktune.files import storage_errors

_ENDINGS = """
    jpg jpeg jpe jfif png apng webp bmp dib tif tiff gif dcm dicom avif avifs heic heif ppm pgm pbm pnm jp2
    j2k jpx ico tga pcx
"""
IMAGE_ENDINGS = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Of files that are listed; so are files without an ending, as DICOM files often are."""

_NO_IMAGES = frozenset(("dicomdir", "readme", "license", "licence", "makefile"))
"""Files without an ending that are none; a DICOMDIR lists images."""

_LOOSE = "outside of the class folders"
_OR_MANIFEST = (
    "or give a manifest: a CSV file with the first row path,label (and perhaps split), then a row an image"
)


@dataclass(slots=True)
class _Found:
    """What a walk through the folders collects."""

    root: str
    paths: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def list_folder(root: str | Path) -> Samples:
    """List the images of a folder, sorted by id: the path relative to the folder, with `/`.

    The folders in it are the classes, or splits (`train`, `validation`, `val`, `valid`, `dev`, `test`, ... in
    any case) that hold classes; deeper folders belong to their class. Hidden files and files whose ending is
    no image's are passed over and counted. Links are followed, each folder once a class.

    Raises:
        DataNotFound: there is no such folder.
        StorageError: a folder cannot be read.
        InputError: a file; an empty folder; no class folders; splits beside classes; one class only; a class
            without images in a split; a file name that is no text.
    """
    folder = os.path.abspath(root)  # noqa: PTH100 - not resolved: ids and messages keep the user's path.
    _check_is_folder(folder)
    found = _Found(folder)
    names = _folders(found, folder)
    splits = {name: split for name in names if (split := split_name(name))}
    if not splits:
        _list_classes(found, folder, names)
    else:
        _check_splits(folder, names, splits)
    for name, split in splits.items():
        inner = _join(folder, name)
        _list_classes(found, inner, _folders(found, inner), split)
    return _listed(found)


def _listed(found: _Found) -> Samples:
    labels, classes = labels_of(found.classes, found.root)
    if len(classes) == 1:
        _hint_at_deeper(found.root, classes[0])
    start = len(_join(found.root, ""))
    samples = Samples(
        ids=np.array([path[start:].replace(os.sep, "/") for path in found.paths]),
        labels=labels,
        classes=classes,
        contents=FilesOnDisk(tuple(found.paths)),
        splits=np.array(found.splits) if found.splits else None,
        passed_over=dict(found.passed_over),
    )
    check_classes(samples, found.root)
    return samples.in_order()


def _list_classes(found: _Found, folder: str, names: list[str], split: str | None = None) -> None:
    if not names:
        what = "images" if found.passed_over[_LOOSE] else "neither images nor class folders"
        raise InputError(
            f"expected a folder for each class in {folder}, got {what}; sort the images into folders named "
            f"as their classes, {_OR_MANIFEST}"
        )
    for name in names:
        seen = {_identity(found.root), _identity(folder)}
        paths = list(_images(found, _join(folder, name), seen))
        if not paths:
            raise InputError(
                f"class {name!r} has no images in {folder}; each folder there is a class: fill it or take it "
                "away"
            )
        found.paths += paths
        found.classes += [name] * len(paths)
        found.splits += [split] * len(paths) if split else []


def _images(found: _Found, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Paths of the images in a folder and in those below; `seen` are folders not to enter again."""
    if (identity := _identity(folder)) in seen:
        return  # A link that leads back.
    seen.add(identity)
    for entry in _entries(folder):
        kind = _kind(entry)
        if kind == "image":
            yield entry.path
        elif kind == "folder":
            yield from _images(found, entry.path, seen)
        else:
            found.passed_over[kind] += 1


def _folders(found: _Found, folder: str) -> list[str]:
    """Names of the folders at a level where images have no class."""
    names = []
    for entry in _entries(folder):
        kind = _kind(entry)
        if kind == "folder":
            names.append(entry.name)
        else:
            found.passed_over[_LOOSE if kind == "image" else kind] += 1
    return names


def _kind(entry: os.DirEntry[str]) -> str:
    """What it is: "image", "folder", or why it is neither."""
    if entry.name.startswith(".") or entry.name.lower() == "__macosx":
        return "hidden"
    if entry.is_dir():
        return "folder"
    if not (entry.is_file() or entry.is_symlink()):
        return "no file"
    name = entry.name.lower()
    ending = os.path.splitext(name)[1]  # noqa: PTH122
    # A DICOM file is often named by its number: 1.2.840.113619.2.55
    if ending in IMAGE_ENDINGS or (not ending.strip(".0123456789") and name not in _NO_IMAGES):
        return "image"
    return ending or "no image"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, so that of two links to one folder always the same is followed."""
    with storage_errors(Path(folder), "read"), os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"expected file names in UTF-8 in {folder}, got {os.fsencode(entry.name)!r}; rename it"
            ) from None
    return found


def _identity(folder: str) -> tuple[int, int]:
    with storage_errors(Path(folder), "read"):
        stat = os.stat(folder)  # noqa: PTH116
    return stat.st_dev, stat.st_ino


def _join(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # noqa: PTH118


def _check_is_folder(folder: str) -> None:
    path = Path(folder)
    with storage_errors(path, "read"):
        if path.is_dir():
            return
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        if path.exists():
            raise InputError(
                f"expected a folder of images, got the file {folder}; name the folder it lies in"
            )
    raise DataNotFound(f"no folder {folder}{near(path.name, beside)}")


def _check_splits(folder: str, names: list[str], splits: dict[str, str]) -> None:
    classes = [name for name in names if name not in splits]
    if classes:
        raise InputError(
            f"expected folders of classes or of splits in {folder}, got both: {first_three([*splits])} "
            f"beside {first_three(classes)}; move the classes into the splits, {_OR_MANIFEST}"
        )
    first: dict[str, str] = {}
    for name, split in splits.items():
        if first.setdefault(split, name) != name:
            raise InputError(
                f"expected one folder a split in {folder}, got {first[split]!r} and {name!r}, which both "
                f"mean {split}; join them"
            )


def _hint_at_deeper(root: str, name: str) -> None:
    """What was packed as a folder often comes out as a folder in a folder."""
    deeper = [entry.name for entry in _entries(_join(root, name)) if _kind(entry) == "folder"]
    if len(deeper) > 1:
        raise InputError(
            f"expected at least two classes in {root}, got one: {name!r}, which holds the folders "
            f"{first_three(deeper)}; did you mean {_join(root, name)}?"
        )

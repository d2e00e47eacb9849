"""IN-9L made from a user's own ImageNet by the published class map: the links of the training set are dead.

It is made as IN-9L seems to be: as many images in each of the nine classes, since 183,006 and 7,200 are
nine times 20,334 and 800. Which images those are was never published. 800 is also what ImageNet's validation
images of the smallest class, the fishes, come to; but the tests of the Backgrounds Challenge may be among
those, so here the validation images are held out of ImageNet's training images.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from masktune.data.names import first_three
from masktune.data.official.folders import folders_in, images_in
from masktune.data.official.imagenet9 import BUILT, FOLDERS
from masktune.errors import DataNotFound, InputError
from masktune.fetching.synsets import in9_class_of
from masktune.files import make_folder, remove_folder, storage_errors, write_text
from masktune.seeds import generator
from masktune.types import Progress, Step, silent

FOLDER = "in9l"
"""Under the root; in it `train` and `val`, and the record of how they were made."""

_TRAIN_FOLDERS = ("train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train", "ILSVRC2012_img_train", ".")
_TESTS = ("bg_challenge/original/val", "original/val", "test/original/val")

Classes = list[list[Path]]
"""Images of each of the nine classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildIN9:
    """Choices of how IN-9L is made."""

    seed: int = 0
    """Which images are held out, and which are taken where a class has more than needed."""
    validation: int = 800
    """Images of each class to hold out; 800 in IN-9L."""
    unbalanced: bool = False
    """Keep all training images of every class; in IN-9L each class has as many."""
    copy: bool = False
    """Copy the images instead of linking to them."""

    def __post_init__(self) -> None:
        if self.validation < 1:
            raise InputError(f"expected 1 validation image a class or more, got {self.validation}")


@dataclass(frozen=True, slots=True)
class BuiltIN9:
    """What was made."""

    folder: Path
    """With `train` and `val`."""
    train: tuple[int, ...]
    """Images of each class, in the order of the classes."""
    validation: tuple[int, ...]
    """Images of each class, in the order of the classes."""
    spare: int
    """Training images left out so that all classes have as many."""
    tests: int
    """Names of test images that were found under the root."""
    left_out: int
    """Training images left out because a test image has their name."""


class MissingSynsets(DataNotFound):
    """Folders of ImageNet are not there; `missing` holds all their WordNet ids."""

    def __init__(self, folder: Path, missing: Sequence[str], all_of_them: int) -> None:
        super().__init__(
            f"expected images of {all_of_them} WordNet ids in {folder}, but {len(missing)} have none: "
            f"{first_three(missing)}; unpack ImageNet's training images there, one folder an id"
        )
        self.missing = tuple(missing)


def build_in9(
    imagenet: str | Path, root: str | Path, choices: BuildIN9 = BuildIN9(), *, progress: Progress = silent
) -> BuiltIN9:
    """Make `ROOT/in9l/train` and `ROOT/in9l/val`, a folder a class, of links to ImageNet's training images.

    They appear when all is done. The same call again does nothing; with other choices it is refused.

    Args:
        imagenet: folder with `train/n01440764/*.JPEG` or `ILSVRC/Data/CLS-LOC/train/...`, or that train.
        root: folder to add to. Training images with the name of a test image under it are left out.
        choices: how it is made.
        progress: is told how many images have been linked.

    Raises:
        DataNotFound: no ImageNet there; `MissingSynsets`: some of it is not.
        InputError: a class has too few images, or `ROOT/in9l` is there and was made otherwise.
        StorageError: links or copies cannot be made.
    """
    source, root = _training_images(Path(imagenet)), Path(root)
    target = root / FOLDER
    made_from = {"imagenet": str(source), **asdict(choices)}
    if target.exists():
        return _built_before(target, made_from)
    found = _images_of_classes(source)
    tests = _names_of_tests(root)
    kept = [[path for path in paths if path.name not in tests] for paths in found]
    splits = _divided(kept, choices)
    counts = {split: [len(images) for images in classes] for split, classes in splits.items()}
    spare = _total(kept) - sum(map(_total, splits.values()))
    numbers = {**counts, "spare": spare, "tests": len(tests), "left_out": _total(found) - _total(kept)}
    _make(target, splits, choices.copy, {"made_from": made_from, **numbers}, progress)
    return _built_before(target, made_from)


def _training_images(imagenet: Path) -> Path:
    """The folder that has a folder a WordNet id."""
    known = in9_class_of().keys()
    for name in _TRAIN_FOLDERS:
        if known & set(folders_in(imagenet / name)):
            return (imagenet / name).resolve()
    raise DataNotFound(
        f"no ImageNet at {imagenet}: looked for folders like n01440764 in {', '.join(_TRAIN_FOLDERS[:-1])} "
        "and in itself; name the folder that ImageNet's training images were unpacked to"
    )


def _images_of_classes(source: Path) -> Classes:
    """All images of each of the nine classes, sorted by WordNet id and name."""
    found: Classes = [[] for _ in FOLDERS]
    missing = []
    for synset, number in in9_class_of().items():
        images = images_in(source / synset)
        found[number] += [source / synset / name for name in images]
        if not images:
            missing.append(synset)
    if missing:
        raise MissingSynsets(source, missing, len(in9_class_of()))
    return found


def _names_of_tests(root: Path) -> set[str]:
    """Names of the Backgrounds Challenge's images as they were before any background was exchanged."""
    return {
        name
        for tests in _TESTS
        for folder in folders_in(root / tests)
        for name in images_in(root / tests / folder)
    }


def _divided(classes: Classes, choices: BuildIN9) -> dict[str, Classes]:
    """The images of each split, drawn by the seed."""
    smallest = min(map(len, classes))
    if smallest <= choices.validation:
        name = FOLDERS[[len(images) for images in classes].index(smallest)]
        raise InputError(
            f"expected more than {choices.validation} images of each class, got {smallest} of {name}; hold "
            "out fewer with --validation"
        )
    most = None if choices.unbalanced else smallest
    splits: dict[str, Classes] = {"train": [], "val": []}
    for name, images in zip(FOLDERS, classes, strict=True):
        order = torch.randperm(len(images), generator=generator("in9l", choices.seed, name)).tolist()
        drawn = [images[at] for at in order[:most]]
        splits["train"].append(drawn[choices.validation :])
        splits["val"].append(drawn[: choices.validation])
    return splits


def _make(
    target: Path, splits: dict[str, Classes], copy: bool, record: dict[str, object], progress: Progress
) -> None:
    """All links or copies under a hidden name, which becomes the target's at the end."""
    hidden = target.with_name(f".{target.name}.building")
    remove_folder(hidden)
    total = sum(map(_total, splits.values()))
    doing = "copying" if copy else "linking"
    try:
        for done, (image, place) in enumerate(_places(hidden, splits), 1):
            with storage_errors(place, "make"):
                if copy:
                    shutil.copyfile(image, place)
                else:
                    os.symlink(image, place)  # noqa: PTH211 - 190,000 of them, and this is the faster one.
            progress(Step(f"{doing} ImageNet-9", done, total))
        write_text(hidden / BUILT, json.dumps(record, indent=1))
        with storage_errors(target, "make"):
            hidden.replace(target)
    finally:
        remove_folder(hidden)


def _places(hidden: Path, splits: dict[str, Classes]) -> Iterator[tuple[Path, Path]]:
    """Each image, and where it goes; the folders are made on the way."""
    for split, classes in splits.items():
        for name, images in zip(FOLDERS, classes, strict=True):
            folder = make_folder(hidden / split / name)
            for image in images:
                synset = image.parent.name
                # ImageNet's names begin with the id; other copies may have the same name in two folders.
                own = image.name.startswith(f"{synset}_")
                yield image, folder / (image.name if own else f"{synset}_{image.name}")


def _total(classes: Classes) -> int:
    return sum(map(len, classes))


def _built_before(target: Path, made_from: dict[str, object]) -> BuiltIN9:
    """What the record says; refused where another one, or none, made the folder."""
    try:
        record = json.loads((target / BUILT).read_text(encoding="utf-8"))
        before = {name: record["made_from"][name] for name in made_from}
        built = BuiltIN9(
            folder=target,
            train=tuple(record["train"]),
            validation=tuple(record["val"]),
            spare=record["spare"],
            tests=record["tests"],
            left_out=record["left_out"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected no {target}, or one that this command made, got one made from something else (the "
            "authors' own archive, perhaps); remove it, or choose another root"
        ) from error
    other = [_choice(name, before[name], now) for name, now in made_from.items() if before[name] != now]
    if other:
        raise InputError(
            f"expected no {target}, or one made from the same images with the same choices, got one made "
            f"{' and '.join(other)}; remove it, or choose another root"
        )
    return built


def _choice(name: str, before: object, now: object) -> str:
    """How a folder was made, and what is asked for, as it would be typed."""
    if name == "imagenet":
        return f"from {before}, not {now}"
    if isinstance(now, bool):
        return f"{'with' if before else 'without'} --{name}"
    return f"with --{name} {before}, not {now}"

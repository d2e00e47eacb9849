"""Which images the given weights were trained on: on those a gain says nothing about other images.

They are named by a file, or by one of `WORDS`. An image whose subject was trained on counts as seen too: it
shows the same patient, place or thing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.base import Dataset
from masktune.data.names import first_three
from masktune.data.samples import Samples
from masktune.data.tables import read_table
from masktune.errors import DataDamaged, DataNotFound, InputError, near
from masktune.files import storage_errors
from masktune.findings.review_file import out_of_cell

TrainedOn = Literal["all", "none", "unknown"]
"""What can be said of the given weights without a file that names images."""

WORDS: tuple[TrainedOn, ...] = get_args(TrainedOn)

_COLUMNS = ("path", "id")
"""Of a table, which of them names the images; the first is looked for first."""

_TABLES = (".csv", ".tsv", ".parquet")

_HEADING = re.compile(r"[A-Za-z_ -]+")
"""What a first line looks like that names a column and no image."""

_UNKNOWN = (
    "it is not known which of these images the weights were trained on, and a gain on such images says "
    "nothing about others, so none can be claimed; say which they are with --trained-on FILE or none"
)

_SEVERAL = -1
"""In place of a position: more than one image."""


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """What is known of the images before any of them is opened."""

    ids: Shaped[np.ndarray, " n"]
    """(n,) stable names, no two alike."""
    labels: Int64[np.ndarray, " n"]
    """(n,) indices into `classes`."""
    classes: tuple[str, ...]
    """Names of the classes."""
    subjects: Shaped[np.ndarray, " n"] | None = None
    """(n,) names of subjects, or None where each image stands alone."""
    splits: Shaped[np.ndarray, " n"] | None = None
    """(n,) names of splits, or None where none are given."""

    @classmethod
    def of_samples(cls, samples: Samples) -> "Listed":
        """Of images that were listed, in the same order."""
        return cls(samples.ids, samples.labels, samples.classes, samples.subjects, samples.splits)

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> "Listed":
        """Of any data set, which knows no splits."""
        return cls(dataset.ids, dataset.labels, dataset.classes, dataset.subjects)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def units(self) -> Shaped[np.ndarray, " n"]:
        """(n,) names of what must not be divided: the subject of each image, or the image alone."""
        return self.ids if self.subjects is None else self.subjects


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the given weights were trained on."""

    seen: Bool[np.ndarray, " n"] | None
    """(n,) true for an image that was trained on, or whose subject was; None where nothing is known."""
    told: str
    """The same in a sentence; where nothing is known, why that allows no verdict."""

    @property
    def known(self) -> bool:
        """Whether anything is known, so that a verdict can be reached."""
        return self.seen is not None


def seen_images(choice: str | None, listed: Listed, *, own_training: bool) -> Seen:
    r"""Read what `--trained-on` says of the images.

    Names in a file are ids, or paths that end in one, or ends of ids that only one image has; `/` and `\`,
    `./` and folders in front don't matter. The file has one name a line, or is a table (CSV, TSV, Parquet)
    with a column `path` or `id`; of one with neither, the first column counts.

    Args:
        choice: one of `WORDS`, or the path of a file; None takes the split `train` where splits are given.
        listed: the images.
        own_training: whether the trial trains the weights itself, so that without a choice none were seen.

    Raises:
        DataNotFound, StorageError, DataDamaged: there is no such file, or it cannot be read.
        InputError: it names nothing, other images only, or an end that several images have.
    """
    none = np.zeros(len(listed), dtype=bool)
    if choice is None and own_training:
        return Seen(none, "the trial trains the weights itself, so they have seen none of the images before")
    if choice is None:
        return _by_split(listed)
    if choice == "unknown":
        return Seen(None, _UNKNOWN)
    if choice == "all":
        return Seen(~none, f"the weights were trained on all {len(listed)} images, as --trained-on all says")
    if choice == "none":
        return Seen(none, "the weights were trained on none of the images, as --trained-on none says")
    return _by_file(Path(choice), listed)


def _by_split(listed: Listed) -> Seen:
    """Nothing is said: training images bear their split's name, or nothing is known."""
    if listed.splits is None or not (listed.splits == "train").any():
        return Seen(None, _UNKNOWN)
    trained = listed.splits == "train"
    seen, more = _with_subjects(trained, listed)
    return Seen(
        seen,
        f"the weights are assumed to have been trained on the {trained.sum()} images of split train{more}, "
        "since the data name splits; --trained-on says otherwise",
    )


def _by_file(path: Path, listed: Listed) -> Seen:
    names = _names(path)
    places = _places(names, listed.ids, path)
    if len(names) > 1 and places[0] is None and _HEADING.fullmatch(names[0]):
        names, places = names[1:], places[1:]
    known = [place for place in places if place is not None]
    if not known:
        raise InputError(
            f"--trained-on {path} names other images: none of its {len(names)} names is one of the "
            f"{len(listed)} images here; its first such name is {names[0]!r}, ids here look like "
            f"{first_three(listed.ids.tolist())}; write those, or paths that end in them"
        )
    trained = np.zeros(len(listed), dtype=bool)
    trained[known] = True
    seen, more = _with_subjects(trained, listed)
    others = len(names) - len(known)
    odd = f"; {others} of its {len(names)} names are no images here" if others else ""
    return Seen(
        seen,
        f"the weights were trained on {len(set(known))} of the {len(listed)} images{more}, as {path.name} "
        f"says{odd}",
    )


def _with_subjects(trained: Bool[np.ndarray, " n"], listed: Listed) -> tuple[Bool[np.ndarray, " n"], str]:
    """Images of the same subjects too, and how many they are, in words."""
    seen = np.isin(listed.units, listed.units[trained])
    more = int(seen.sum() - trained.sum())
    return seen, f" ({more} more show the same subjects and count too)" if more else ""


def _names(path: Path) -> list[str]:
    """The names in a file, as written; a heading may be the first of them."""
    with storage_errors(path, "read"):
        if not path.exists():
            beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataNotFound(
                f"no file {path}{near(str(path), WORDS) or near(path.name, beside)} for --trained-on; give a "
                f"file that names images, or {', '.join(WORDS)}"
            )
        if path.is_dir():
            raise InputError(f"expected a file that names images for --trained-on, got the folder {path}")
    if path.suffix.lower() in _TABLES:
        return _column(path)
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if not lines:
        raise InputError(f"--trained-on {path} is empty; write one name a line, or give the word none")
    cells = {cell.strip(' "').casefold() for cell in re.split(r"[,;\t|]", lines[0])}
    return _column(path) if cells.intersection(_COLUMNS) else lines


def _column(path: Path) -> list[str]:
    """The column of a table that names images."""
    columns = read_table(path).columns
    names = {name.casefold(): name for name in columns}
    for wanted in _COLUMNS:
        if wanted in names:
            return [out_of_cell(value) for value in columns[names[wanted]]]
    heading, values = next(iter(columns.items()))
    return [out_of_cell(value) for value in (heading, *values)]


def _text(path: Path) -> str:
    with storage_errors(path, "read"):
        content = path.read_bytes()
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # As programs on Windows write it.
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataDamaged(
            f"expected text in UTF-8 in {path}, got something else; save it as UTF-8"
        ) from error


def _places(names: Sequence[str], ids: Shaped[np.ndarray, " n"], path: Path) -> list[int | None]:
    """The position of the image that each name means; None where it means none of them."""
    written = ids.tolist()
    exact = {name: at for at, name in enumerate(written)}
    wholes: dict[str, int] = {}
    endings: dict[str, int] = {}
    for at, name in enumerate(written):
        parts = _parts(name)
        wholes["/".join(parts)] = at
        for start in range(len(parts)):
            ending = "/".join(parts[start:])
            endings[ending] = _SEVERAL if ending in endings else at
    found = [exact[name] if name in exact else _place(_parts(name), wholes, endings) for name in names]
    if _SEVERAL in found:
        name = names[found.index(_SEVERAL)]
        alike = [one for one in written if f"/{'/'.join(_parts(one))}".endswith(f"/{'/'.join(_parts(name))}")]
        raise InputError(
            f"expected names that mean one image each in --trained-on {path}, got {name!r}, which may be "
            f"{first_three(alike)}; write more of their folders"
        )
    return found


def _place(parts: list[str], wholes: dict[str, int], endings: dict[str, int]) -> int | None:
    """The image that shares the longest end of its path: all of the name, or all of the id.

    Were it enough that both end alike, train/cat/1.png would be taken for test/cat/1.png.
    """
    whole = "/".join(parts)
    if whole in wholes or whole in endings:
        return wholes.get(whole, endings.get(whole))
    ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return next((wholes[end] for end in ends if end in wholes), None)


def _parts(name: str) -> list[str]:
    """The folders and the file of a path, written on whatever system."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]

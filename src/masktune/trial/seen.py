"""Which images the given weights were trained on: on those a gain says nothing about other images.

They are named by a file, or by one of `WORDS`. An image whose subject was trained on counts as seen too (it
shows the same patient, place or thing), and so does a copy under another name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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

_LEAST_SHARE = 0.1
"""Of a file's names those that are images here, or of the images those that are named: a file about a larger
data set has few of the first, one that names few images few of the second. Where both are less, the file is
about other images or names these otherwise, and images that were trained on would be judged on."""


@dataclass(frozen=True, eq=False)
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
    digests: Shaped[np.ndarray, " n"] | None = None
    """(n,) of each file's content, or None where that was not read."""

    @classmethod
    def of_samples(cls, samples: Samples, digests: Shaped[np.ndarray, " n"] | None = None) -> "Listed":
        """Of images that were listed, in the same order."""
        return cls(samples.ids, samples.labels, samples.classes, samples.subjects, samples.splits, digests)

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> "Listed":
        """Of any data set, which knows no splits."""
        return cls(dataset.ids, dataset.labels, dataset.classes, dataset.subjects)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def units(self) -> Shaped[np.ndarray, " n"]:
        """(n,) names of what must not be divided: the subject of each image, or the image alone.

        Those that have an image in common, byte by byte, have one name.
        """
        names = self.ids if self.subjects is None else self.subjects
        return names if self.digests is None else _joined(names, self.digests)


def _joined(names: Shaped[np.ndarray, " n"], digests: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """One name, the first of them, for all that hang together by images of equal digests."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known, name = np.unique(names, return_inverse=True)
    contents, content = np.unique(digests, return_inverse=True)
    if len(contents) == len(digests):
        return names
    size = len(known) + len(contents)
    edges = coo_array((np.ones(len(names)), (name, len(known) + content)), shape=(size, size))
    parts = connected_components(edges, directed=False)[1][: len(known)]
    first = np.unique(parts, return_index=True)[1]
    return np.asarray(known[first[parts[name]]])


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the given weights were trained on."""

    seen: Bool[np.ndarray, " n"] | None
    """(n,) true for an image that was trained on, or whose subject or copy was; None if not known."""
    told: str
    """The same in a sentence; where nothing is known, why that allows no verdict."""
    notes: tuple[str, ...] = ()
    """What a person should make sure of, with names of images."""

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
        InputError: it names nothing, other images only or nearly so (`_LEAST_SHARE`), or an end that several
            images have.
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
    _check_no_split(choice, listed)
    return _by_file(Path(choice), listed)


def _check_no_split(choice: str, listed: Listed) -> None:
    """Say what is meant by a split, which is neither a file nor one of `WORDS`."""
    if listed.splits is None or choice not in listed.splits or Path(choice).exists():
        return
    way = "leave --trained-on out" if choice == "train" else "write the names of its images to a file"
    raise InputError(
        f"expected a file that names images, or {', '.join(WORDS)}, for --trained-on, got the split "
        f"{choice!r}; if the weights were trained on the images of that split, {way}"
    )


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
    names, places = _named(path, listed)
    others = [name for name, place in zip(names, places, strict=True) if place is None]
    trained = np.zeros(len(listed), dtype=bool)
    trained[[place for place in places if place is not None]] = True
    _check_matches(path, names, others, trained, listed)
    seen, more = _with_subjects(trained, listed)
    odd = f"; {len(others)} of its {len(names)} names are no images here" if others else ""
    told = (
        f"the weights were trained on {trained.sum()} of the {len(listed)} images{more}, as {path.name} says"
    )
    return Seen(seen, f"{told}{odd}", _note_on(others, path))


def _named(path: Path, listed: Listed) -> tuple[list[str], list[int | None]]:
    """The names in a file, each once and without a heading, and the position of the image that each means."""
    names = list(dict.fromkeys(_names(path)))
    places = _places(names, listed.ids, path)
    if len(names) > 1 and places[0] is None and _HEADING.fullmatch(names[0]):
        return names[1:], places[1:]
    return names, places


def _check_matches(
    path: Path, names: Sequence[str], others: Sequence[str], trained: Bool[np.ndarray, " n"], listed: Listed
) -> None:
    """Refuse a file that names hardly any of the images; half of its names may well be other images."""
    found = len(names) - len(others)
    if found >= _LEAST_SHARE * len(names) or trained.sum() >= _LEAST_SHARE * len(listed):
        return
    few, less, way_out = "none", "", ""
    if found:
        few, less = f"only {found}", f", less than {100 * _LEAST_SHARE:.0f} % of either"
        way_out = "; leave names of other images out"
    raise InputError(
        f"--trained-on {path} names other images: {few} of its {len(names)} names mean one of the "
        f"{len(listed)} images here{less}; those that mean none: {first_three(others)}; ids here look like "
        f"{first_three(listed.ids.tolist())}; write those, or paths that end in them{way_out}"
    )


def _note_on(others: Sequence[str], path: Path) -> tuple[str, ...]:
    """Names of no image here, which may be images under another name."""
    note = (
        f"names in {path.name} that are no images here: {first_three(others)}; an image that one of them "
        "means under another name counts as never trained on"
    )
    return (note,) if others else ()


def _with_subjects(trained: Bool[np.ndarray, " n"], listed: Listed) -> tuple[Bool[np.ndarray, " n"], str]:
    """Images of the same subjects, and copies, too; and how many they are, in words."""
    seen = np.isin(listed.units, listed.units[trained])
    more = int(seen.sum() - trained.sum())
    which = ", copies of these," if listed.subjects is None else " show the same subjects and"
    return seen, f" ({more} more{which} count too)" if more else ""


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
    several = [name for name, place in zip(names, found, strict=True) if place == _SEVERAL]
    if several:
        raise InputError(
            f"expected names that mean one image each in --trained-on {path}, got {len(several)} of "
            f"{len(names)} that may be several: {first_three(several)}; the first may be "
            f"{first_three(_ending_in(several[0], written))}; write more of their folders"
        )
    return found


def _ending_in(name: str, ids: Sequence[str]) -> list[str]:
    """The ids that end in a name."""
    end = f"/{'/'.join(_parts(name))}"
    return [one for one in ids if f"/{'/'.join(_parts(one))}".endswith(end)]


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

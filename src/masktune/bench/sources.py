"""The data sets of a bench, as plain data from which every process makes the same recipe."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from masktune.bench.celeba import celeba
from masktune.bench.digits import CPU_EPOCHS, biased_digits, biased_mnist
from masktune.bench.in9 import in9
from masktune.bench.own import OwnTraining, own
from masktune.bench.photos import Photos
from masktune.bench.recipe import Choices, Recipe
from masktune.bench.selective import SELECTIVE, FromNothing, selective
from masktune.bench.waterbirds import waterbirds
from masktune.data import Shortcut
from masktune.errors import DataNotFound, InputError, near
from masktune.intake import DataChoices, ModelChoices

EMBEDDED = "biased-digits"
"""The data set that travels with the package."""

IN_FOLDERS = ("biased-mnist", "waterbirds", "celeba", "in9", *SELECTIVE)
"""Data sets of the paper, which lie in a folder of the user's."""

WITHOUT_WEIGHTS = (EMBEDDED, "biased-mnist", *SELECTIVE)
"""Data sets of ours whose nets start from random weights."""


@dataclass(frozen=True, slots=True)
class Source:
    """One data set as it was typed."""

    kind: str
    """A name of ours, or "own"."""
    at: str | None = None
    """Its folder, manifest or hub name; None for what travels with the package."""

    @classmethod
    def typed(cls, word: str) -> "Source":
        """What `--datasets` means by a word: biased-digits, waterbirds=FOLDER, or data of the user's own.

        Raises:
            InputError: no such data set, or one of ours without its folder.
            DataNotFound: one of ours whose folder is not there.
        """
        name, given, place = word.partition("=")
        if word == EMBEDDED:
            return cls(EMBEDDED)
        if given and name in IN_FOLDERS:
            if not Path(place).exists():
                raise DataNotFound(f"there is no {place} to find {name} in")
            return cls(name, place)
        if word in IN_FOLDERS:
            raise InputError(f"expected {word}=FOLDER, where {word} lies, got {word!r} alone")
        if Path(word).exists() or word.startswith("hub:"):
            return cls("own", word)
        if not given and ("/" in word or "." in word):
            raise DataNotFound(f"there is no {word}")
        known = (EMBEDDED, *IN_FOLDERS)
        raise InputError(
            f"unknown data set {word!r}{near(name, known)}; it is {EMBEDDED}, one of "
            f"{', '.join(f'{one}=FOLDER' for one in IN_FOLDERS)}, or a folder or manifest of your own"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What holds for all data sets of a bench; each takes of it what concerns it."""

    epochs: int | None = None
    """Of ERM; None is the data set's own number."""
    batch_size: int | None = None
    """Images a step; None is the data set's own."""
    layer: str | None = None
    """Layer that maps are made at; None finds it."""
    cpu: bool = False
    """The small variants."""
    weights: Path | None = None
    """Weights to start from."""
    protocol: Literal["sorted", "random"] = "sorted"
    """Of biased MNIST: which images contradict the shortcut."""
    workers: int | None = None
    """Threads that read images; no number depends on them."""
    model: ModelChoices | None = None
    """The classifier for data of the user's own."""
    images: DataChoices | None = None
    """How these are understood; its `data` is each source's in turn."""
    training: OwnTraining = OwnTraining()  # noqa: RUF009 - it is frozen.
    """How ERM trains on these."""


def recipe_of(source: Source, common: Common, seeds: tuple[int, ...]) -> Recipe:
    """The recipe of a data set.

    Raises:
        DataNotFound, DataDamaged, InputError, MissingExtra: data, weights or a setting cannot be used.
    """
    epochs = common.epochs
    if source.kind == "biased-mnist" and epochs is None and common.cpu:
        epochs = CPU_EPOCHS
    choices = Choices(
        seeds=seeds,
        methods=("erm",),
        epochs=epochs,
        batch_size=common.batch_size,
        layer=common.layer,
    )
    return replace(_made(source, common, choices), command="bench")


def _made(source: Source, common: Common, choices: Choices) -> Recipe:
    if source.at is None:
        return biased_digits(choices)
    if source.kind == "own":
        if common.model is None or common.images is None:
            raise InputError(f"expected --model for {source.at}, which is data of your own; none was given")
        images = replace(common.images, data=source.at)
        return own(images, common.model, common.training, choices, threads=common.workers)
    folder = Path(source.at)
    if source.kind == "biased-mnist":
        return biased_mnist(folder, Shortcut(protocol=common.protocol), choices)
    if source.kind in SELECTIVE:
        return selective(source.kind, FromNothing(folder, cpu=common.cpu, threads=common.workers), choices)
    photos = Photos(folder, common.weights, common.cpu, common.workers)
    match source.kind:
        case "waterbirds":
            return waterbirds(photos, choices)
        case "celeba":
            return celeba(photos, choices=choices)
        case _:
            return in9(photos, choices)

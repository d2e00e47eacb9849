"""The paper's selective classification: CIFAR-10, SVHN, Cats vs Dogs, with images reserved for thresholds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from masktune.bench.recipe import Choices, PresetName, Recipe
from masktune.bench.shown import Column, Shown, Status
from masktune.data import Dataset, ImageFiles, Samples, Splits, with_splits
from masktune.data.official.listing import Listing
from masktune.data.official.registry import list_official
from masktune.data.splits import drawn_splits
from masktune.methods import MaskTune
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.resnet32 import ResNet32
from masktune.models.vgg16_bn import VGG16BN
from masktune.training.settings import Training
from masktune.types import InputSpec

NetName = Literal["resnet32", "vgg16_bn"]

SelectiveName = Literal["selective-cifar10", "selective-svhn", "selective-cats-dogs"]

_OFFICIAL_SHARE = 0.2
"""Of the training images: the official code's validation, which chooses the epoch and calibrates too."""

_SGD = Training(
    epochs=300,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=1e-4,
    milestones=tuple(range(25, 300, 25)),
    precision="auto",
)


@dataclass(frozen=True, slots=True)
class _Data:
    """What is known of one of the three."""

    official: str
    """Name of the data set."""
    size: int
    """Pixels a side."""
    training: Training
    """As the official scripts write it down; they never apply the schedule (`selective.md` 0.7, 56)."""
    cpu_epochs: int
    """Of the small variant."""


_DATA: Mapping[SelectiveName, _Data] = {
    "selective-cifar10": _Data("cifar10", 32, replace(_SGD, augment="crop_flip"), 15),
    "selective-svhn": _Data("svhn", 32, replace(_SGD, weight_decay=5e-4, augment="crop"), 15),
    "selective-cats-dogs": _Data(
        "cats-vs-dogs",
        64,
        Training(
            epochs=200,
            batch_size=128,
            optimizer="adam",
            learning_rate=1e-3,
            milestones=(50,),
            decay=0.1,
            augment="crop_flip",
            precision="auto",
        ),
        30,
    ),
}

_MASKTUNE: Mapping[PresetName, MaskTune] = {
    "default": MaskTune(),
    "paper": MaskTune.paper(),
    "official_code": MaskTune.official_code(),
}

_STATUS = Status("never run")


@dataclass(frozen=True, slots=True)
class SelectiveOptions:
    """What may be chosen of these recipes, beside what may be chosen of any."""

    data: Path
    """Folder of the data set in one of its official layouts."""
    net: NetName = "resnet32"
    """The official scripts' net, or the VGG-16 with batch norm of the competitors' papers."""
    cpu: bool = False
    """The small variant: few epochs, at the end of which the learning rate is 0."""
    threads: int | None = None
    """That read images; one a core if not given."""


def selective(name: SelectiveName, options: SelectiveOptions, choices: Choices = Choices()) -> Recipe:  # noqa: B008
    """A recipe whose models `masktune select` reads.

    Of the official training images 80 % train, 10 % choose the epoch and 10 % are reserved: `select`
    calibrates on them. With the preset `official_code` 20 % do both, as in the official code, nothing is
    normalised, and the learning rate stays as it is.

    Raises:
        DataNotFound, DataDamaged, InputError, MissingExtra: the data set cannot be used.
    """
    known = _DATA[name]
    listing = list_official(known.official, options.data)
    code = choices.preset == "official_code"
    samples = _divided(listing.samples, code=code)
    spec = _spec(known, code=code)
    training, masktune = choices.applied_to(_training(known, options, choices), _MASKTUNE[choices.preset])
    splits = _splits(known.official, listing, samples, spec, options.threads)
    return Recipe(
        name=name,
        command="reproduce",
        choices=choices,
        training=training,
        masktune=masktune,
        splits=lambda seed: splits,
        build=partial(_built, options.net, known.size, spec, samples.classes),
        shown=_shown(listing, code=code),
        own_settings={"net": options.net, "input": repr(spec), "small": options.cpu},
    )


def _training(known: _Data, options: SelectiveOptions, choices: Choices) -> Training:
    training = known.training
    if choices.preset == "official_code":
        training = replace(training, milestones=())
    if options.cpu:
        # So short a training has no time for steps: the rate falls evenly.
        rate = min(training.learning_rate, 0.05)
        training = replace(
            training, epochs=known.cpu_epochs, milestones=(), annealing="linear", learning_rate=rate
        )
    return training if choices.epochs is None else training.with_epochs(choices.epochs)


def _divided(samples: Samples, *, code: bool) -> Samples:
    """Official test images stay; what chooses and what is reserved is drawn by ids from all others."""
    splits = samples.splits
    if splits is not None and "test" not in splits and "validation" in splits:
        splits = np.where(
            splits == "validation", "test", splits
        )  # A made validation is the only test there is.
    if splits is None:
        splits = with_splits(samples, ("train", "test")).samples.splits
    assert splits is not None
    roles = np.where(splits == "test", "test", "train").astype("<U11")
    for share, of, to in ((_OFFICIAL_SHARE, "train", "validation"), (0.5, "validation", "calibration")):
        if code and to == "calibration":
            break
        pool = np.flatnonzero(roles == of)
        drawn = drawn_splits(samples.ids[pool], samples.labels[pool], {to: share}, seed=0)
        roles[pool[drawn == to]] = to
    return replace(samples, splits=roles)


def _spec(known: _Data, *, code: bool) -> InputSpec:
    """The official code squashes images, and takes pixels as they are."""
    size = (known.size, known.size)
    if code:
        return InputSpec(size=size, resize="squash")
    return InputSpec(size=size, resize="crop", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def _splits(name: str, listing: Listing, samples: Samples, spec: InputSpec, threads: int | None) -> Splits:
    parts = {part: ImageFiles(samples.of_split(part), spec, threads=threads) for part in samples.split_names}
    tests: dict[str, Dataset] = {part: parts[part] for part in ("test", "calibration") if part in parts}
    return Splits(name, listing.variant, parts["train"], parts["validation"], tests, listing.sha256)


def _built(net: NetName, size: int, spec: InputSpec, classes: tuple[str, ...], seed: int) -> Classifier:
    make: Mapping[NetName, Callable[[], nn.Module]] = {
        "resnet32": lambda: ResNet32(len(classes)),
        "vgg16_bn": lambda: VGG16BN(len(classes), size=size),
    }
    return Classifier(from_seed(make[net], seed), spec, classes)


def _shown(listing: Listing, *, code: bool) -> Shown:
    notes = []
    if listing.variant != "official":
        notes.append(f"the images are {listing.variant}: no number here is a benchmark's")
    if code:
        notes.append(
            "the images that choose the epoch calibrate too, as in the official code: no risk can be "
            "guaranteed"
        )
    return Shown(
        columns=(
            Column("accuracy", "test", "accuracy"),
            Column("worst class", "test", "worst_class_accuracy"),
            Column("image hidden", "train", "image_hidden"),
        ),
        headline="accuracy",
        where="on the test images",
        explained="All images are answered here. To abstain: `masktune select OUT --calibrate calibration "
        "--test test --out SELECTED`.",
        notes=tuple(notes),
        status=_STATUS,
    )

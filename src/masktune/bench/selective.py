"""Small images on which the paper abstains: CIFAR-10, SVHN, Cats vs Dogs, by nets that start from nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from torch import nn

from masktune.bench.photos import MASKTUNE, notes_on, with_epochs
from masktune.bench.recipe import Choices, PresetName, Recipe
from masktune.bench.shown import Column, Shown, Status
from masktune.data import ImageFiles, Samples, Splits, with_splits
from masktune.data.memory import InMemory, in_memory
from masktune.data.names import CALIBRATION
from masktune.data.official.listing import Listing
from masktune.data.official.registry import list_official
from masktune.errors import InputError, near
from masktune.methods import MaskTune
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.resnet32 import ResNet32
from masktune.models.vgg16_bn import VGG16BN
from masktune.training.settings import Training
from masktune.types import InputSpec

NetName = Literal["resnet32", "vgg16_bn"]

_NETS: Mapping[NetName, Callable[[int, int], nn.Module]] = {
    "resnet32": lambda classes, size: ResNet32(classes),
    "vgg16_bn": VGG16BN,
}
"""By number of classes and sides of the images."""

SPLIT_SEED = 0
"""The same images are held back with every seed, as in the official code: nets of two seeds can vote on
them."""

TESTED = 0.2
"""Of the images that come without test images: 5,000 of the 25,000 cats and dogs, as in the official code."""

HELD_BACK: Mapping[PresetName, Mapping[str, float]] = {
    "default": {"validation": 0.1, CALIBRATION: 0.1},
    "paper": {"validation": 0.1, CALIBRATION: 0.1},
    "official_code": {"validation": 0.2},
}
"""Of the training images. The official code sets thresholds on the images that chose the checkpoint, so that
no guarantee holds; what the paper did is not known."""

_SGD = Training(
    epochs=300,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=5e-4,
    milestones=tuple(range(25, 300, 25)),
    augment="crop_flip",
    precision="auto",
)
"""Momentum 0.9, the rate halved every 25 epochs (`selective.md` sections 1.3 and 6.1)."""

_ADAM = Training(
    epochs=200,
    batch_size=128,
    optimizer="adam",
    learning_rate=1e-3,
    decay=0.1,
    milestones=(50,),
    augment="crop_flip",
    precision="auto",
)
"""Weight decay 1e-4; all of it the official code's alone."""

SMALL_EPOCHS = 30
"""Of the small variant, whose rate falls to zero. 9,600 images of 32 pixels pass one core once in 25 seconds,
in bfloat16 with matrix units, in 60 without."""

STATUS = Status("never run")

SMALL_STATUS: Mapping[str, Status] = {
    "selective-cifar10": Status(
        "stand-in only",
        command="masktune reproduce selective-cifar10 --data shared/data/cifar10 --cpu --seeds 0 "
        "--methods erm masktune continue_erm random_mask",
        hardware="one of two Xeon cores",
        seen="one seed: ERM 65.1 %, MaskTune 64.9",
    )
}
"""Of the small variants that were run, with ResNet-32."""

OURS = MaskTune(learning_rate_factor=0.1)
"""Tuning takes a tenth of ERM's first rate, where `MaskTune()` takes five times it, which was found for rates
of 0.01: at 0.5 a net would be lost. On CIFAR-10's stand-in one more ordinary epoch at a tenth
loses nothing (65.5 % against ERM's 65.1, one seed); other rates were not tried there yet."""


@dataclass(frozen=True, slots=True)
class _Experiment:
    """What sets one of the recipes apart."""

    official: str
    """Name of the data set."""
    size: int
    """Sides of the images."""
    training: Training
    """Of ERM, by our preset."""
    their_weight_decay: float
    """Of ERM, by the paper and by the official code."""


_EXPERIMENTS: Mapping[str, _Experiment] = {
    "selective-cifar10": _Experiment("cifar10", 32, _SGD, 1e-4),
    # A mirrored digit is none.
    "selective-svhn": _Experiment("svhn", 32, replace(_SGD, augment="crop"), 5e-4),
    "selective-cats-dogs": _Experiment("cats-vs-dogs", 64, _ADAM, 1e-4),
}

SELECTIVE = tuple(_EXPERIMENTS)
"""Names of the recipes."""


@dataclass(frozen=True, slots=True)
class FromNothing:
    """What may be chosen of a recipe whose net starts from random weights, beside what may be of any."""

    data: Path
    """Folder of the data set."""
    net: NetName = "resnet32"
    """ResNet-32 as in the official code, or VGG-16-BN as in most of the literature on abstaining."""
    cpu: bool = False
    """The small variant: the same nets and images for fewer epochs."""
    threads: int | None = None
    """That read images; one a core if not given."""

    def settings(self, spec: InputSpec, shares: Mapping[str, float]) -> dict[str, Any]:
        """What the numbers depend on."""
        held_back = {f"split.{name}": share for name, share in shares.items()}
        return {"net": self.net, "input": repr(spec), "small": self.cpu, **held_back}

    def training(self, name: str, choices: Choices) -> Training:
        """ERM's of a recipe, by the preset."""
        experiment, preset = _EXPERIMENTS[name], choices.preset
        training = experiment.training
        if self.cpu:
            training = replace(training, epochs=SMALL_EPOCHS, milestones=(), annealing="linear")
        elif preset != "default":
            training = replace(training, weight_decay=experiment.their_weight_decay)
        if preset == "official_code":
            training = replace(training, milestones=())  # It writes a schedule down and never applies it.
        return with_epochs(training, choices)

    def images(self, samples: Samples, spec: InputSpec) -> InMemory:
        """Some of the data set's images, read once."""
        return in_memory(ImageFiles(samples, spec, threads=self.threads))


def selective(name: str, chosen: FromNothing, choices: Choices = Choices()) -> Recipe:  # noqa: B008
    """One of the paper's three experiments on abstaining: the models whose votes `masktune select` counts.

    Args:
        name: among `SELECTIVE`.
        chosen: data, net, variant.
        choices: seeds, methods, preset and the like.

    Raises:
        DataNotFound, DataDamaged, InputError: no such recipe, or the data set cannot be used.
    """
    if name not in _EXPERIMENTS:
        raise InputError(f"no recipe {name!r}{near(name, SELECTIVE)}; there are {', '.join(SELECTIVE)}")
    experiment = _EXPERIMENTS[name]
    listing = list_official(experiment.official, chosen.data)
    samples = divided(listing.samples, choices.preset)
    # Squashed and not normalised, as in the official code.
    spec = InputSpec(size=(experiment.size, experiment.size), resize="squash")
    masktune = OURS if choices.preset == "default" else MASKTUNE[choices.preset]
    training, masktune = choices.applied_to(chosen.training(name, choices), masktune)

    @cache
    def splits() -> Splits:
        parts = {split: chosen.images(samples.of_split(split), spec) for split in samples.split_names}
        return Splits(
            name=name,
            variant=listing.variant,
            train=parts.pop("train"),
            validation=parts.pop("validation"),
            tests=parts,
            sha256=listing.sha256,
        )

    def build(seed: int) -> Classifier:
        net = from_seed(partial(_NETS[chosen.net], len(samples.classes), experiment.size), seed)
        return Classifier(net, spec, samples.classes)

    return Recipe(
        name=name,
        command="reproduce",
        choices=choices,
        training=training,
        masktune=masktune,
        splits=lambda seed: splits(),
        build=build,
        shown=_shown(name, chosen, listing, choices),
        own_settings=chosen.settings(spec, HELD_BACK[choices.preset]),
    )


def divided(samples: Samples, preset: PresetName = "default") -> Samples:
    """The same images in train, validation, calibration (but with the official code's preset) and test.

    Drawn from the training images by class and id alone, so that a listing's order changes nothing; splits
    that are given stay as they are. Calibration is none of the images that choose a checkpoint, so that a
    guarantee can be given on it.

    Raises:
        InputError: there are no training images to draw from, or too few of a class.
    """
    tested = with_splits(samples, ("train", "test"), seed=SPLIT_SEED, shares={"test": TESTED}).samples
    shares = HELD_BACK[preset]
    return with_splits(tested, ("train", *shares), seed=SPLIT_SEED, shares=shares).samples


def _shown(name: str, chosen: FromNothing, listing: Listing, choices: Choices) -> Shown:
    calibrated = CALIBRATION if CALIBRATION in HELD_BACK[choices.preset] else "validation"
    return Shown(
        columns=(Column("accuracy", "test", "accuracy"), Column("image hidden", "train", "image_hidden")),
        headline="accuracy",
        where="on test",
        explained=f"`accuracy`: of {chosen.net} on all test images, none abstained from. Who abstains is for "
        f"`masktune select`: it sets thresholds on predictions/{calibrated}.npz of two models.",
        notes=(*notes_on(listing, choices, chosen.cpu), *_notes_on_splits(listing, choices)),
        status=SMALL_STATUS.get(name, STATUS) if chosen.cpu and chosen.net == "resnet32" else STATUS,
    )


def _notes_on_splits(listing: Listing, choices: Choices) -> tuple[str, ...]:
    told = []
    if "test" not in listing.samples.split_names:
        told.append(
            "the data come without test images: a fifth of the others is tested on, drawn by class and id"
        )
    if choices.preset == "official_code":
        told.append(
            "as in the official code the images that choose the checkpoint set the thresholds too: no "
            "guarantee holds"
        )
    return tuple(told)

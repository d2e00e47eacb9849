"""CelebA: one attribute of a face, where another goes with it; blond hair and sex if not asked otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from masktune.bench.photos import Photos, attributes_of, shown_by_group
from masktune.bench.recipe import Choices, PresetName, Recipe
from masktune.bench.shown import Published, Status
from masktune.data.official.celeba import SPURIOUS, TARGET, words_of
from masktune.data.official.registry import list_official
from masktune.models.specs import InputOverrides
from masktune.training.settings import Training

PUBLISHED = (
    Published("erm", "worst group", 0.472, "the paper"),
    Published("masktune", "worst group", 0.780, "the paper"),
    Published("masktune", "average", 0.913, "the paper, as quoted by SAGE"),
)

STATUS = Status("never run")

SMALL_STATUS = Status(
    "stand-in only",
    command="masktune reproduce celeba --data shared/data/celeba --weights LITE0 --cpu --seeds 0 1 2",
    hardware="two cores of an AMD EPYC",
    weights="tf_efficientnet_lite0.in1k",
    seen="MaskTune 15.9 to 20.5 % in the worst group, ERM 13.6 to 20.5",
)

_OFFICIAL = Training(
    epochs=20, batch_size=512, learning_rate=1e-4, milestones=(), augment="crop_flip", precision="auto"
)
"""SGD, momentum 0.9, weight decay 1e-4, at a constant rate (`paper.md` section 6.2); the size of batches is
the official code's, a re-implementation says 128."""

_PRESETS: Mapping[PresetName, Training] = dict.fromkeys(get_args(PresetName), _OFFICIAL)


_INPUT = InputOverrides(size=(224, 224), resize="crop", crop_share=1.0)
"""The middle 178 x 178 of 178 x 218, enlarged (`paper.md` section 3.7)."""


def celeba(
    photos: Photos,
    target: str = TARGET,
    spurious: str = SPURIOUS,
    choices: Choices = Choices(),  # noqa: B008 - it is frozen.
) -> Recipe:
    """CelebA (paper, section 4.2).

    Args:
        photos: data and weights.
        target: the attribute that is told.
        spurious: the attribute that goes with it.
        choices: seeds, methods, preset and the like.

    Raises:
        DataNotFound, DataDamaged, InputError: the data set, an attribute or the weights cannot be used.
    """
    listing = list_official("celeba", photos.data, target=target, spurious=spurious)
    made = photos.resolved(listing.samples.classes, choices, _PRESETS, _INPUT)
    # As named in the table: the task is part of what a number is about.
    asked = (target, spurious) == (TARGET, SPURIOUS)
    listing = listing if asked else replace(listing, variant=f"{listing.variant}, {target} x {spurious}")
    splits = photos.splits("celeba", listing, made.spec)
    return Recipe(
        name="celeba",
        command="reproduce",
        choices=choices,
        training=made.training,
        masktune=made.masktune,
        splits=lambda seed: splits,
        build=made.build,
        shown=shown_by_group(
            words_of(spurious),
            published=PUBLISHED if asked and listing.variant == "official" else (),
            notes=photos.notes(listing, choices),
            status=SMALL_STATUS if photos.cpu else STATUS,
        ),
        attributes=attributes_of(listing.group_names, words_of(spurious)),
        own_settings=photos.settings(made.spec) | {"target": target, "spurious": spurious},
    )

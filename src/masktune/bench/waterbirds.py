"""Waterbirds: landbird or waterbird, where the background goes with the answer in training."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from masktune.bench.photos import Photos, attributes_of, shown_by_group
from masktune.bench.recipe import Choices, PresetName, Recipe
from masktune.bench.shown import Published, Status
from masktune.data import ObjectBoxes, ObjectMasks
from masktune.data.objects import Objects, read_boxes
from masktune.data.official.registry import list_official
from masktune.data.official.waterbirds import GROUPS, PLACES, home_of_waterbirds
from masktune.models.specs import InputOverrides
from masktune.training.settings import Training

PUBLISHED = (
    Published("erm", "worst group", 0.808, "the paper, on its corrected set"),
    Published("masktune", "worst group", 0.864, "the paper, on its corrected set"),
    Published("masktune", "average", 0.930, "the paper, on its corrected set"),
)

STATUS = Status("never run")

SMALL_STATUS = Status(
    "stand-in only",
    command="masktune reproduce waterbirds --data shared/data/waterbirds --weights LITE0 --cpu --seeds 0 1 2",
    hardware="two cores of an AMD EPYC",
    weights="tf_efficientnet_lite0.in1k",
    seen="MaskTune 15.6 to 22.9 % in the worst group, ERM 20.1 to 25.7",
)

_OFFICIAL = Training(
    epochs=100,
    batch_size=128,
    learning_rate=1e-4,
    milestones=(25, 50, 75),
    augment="crop_flip",
    precision="auto",
)
"""SGD, momentum 0.9, weight decay 1e-4; of the paper only the net is known, the rest is the official code's
(`paper.md` section 6.2). Its crops keep 70 % of an image at least, ours 80."""

_PRESETS: Mapping[PresetName, Training] = {
    "default": _OFFICIAL,
    "paper": _OFFICIAL,
    "official_code": replace(_OFFICIAL, milestones=()),
}
"""The official code writes its schedule down and never applies it, and starts from random weights."""


_INPUT = InputOverrides(size=(224, 224), resize="squash", crop_share=0.875)
"""Squashed to 256 x 256, of which the middle 224 x 224 are seen, as everybody reads it."""


def waterbirds(photos: Photos, choices: Choices = Choices()) -> Recipe:  # noqa: B008 - it is frozen.
    """Waterbirds (paper, section 4.2).

    Raises:
        DataNotFound, DataDamaged, InputError: the data set or the weights cannot be used.
    """
    listing = list_official("waterbirds", photos.data)
    made = photos.resolved(listing.samples.classes, choices, _PRESETS, _INPUT, scratch="official_code")
    splits = photos.splits("waterbirds", listing, made.spec, birds_in(photos.data))
    return Recipe(
        name="waterbirds",
        command="reproduce",
        choices=choices,
        training=made.training,
        masktune=made.masktune,
        splits=lambda seed: splits,
        build=made.build,
        shown=shown_by_group(
            PLACES,
            thing="bird",
            published=PUBLISHED if listing.variant == "corrected" else (),
            notes=photos.notes(listing, choices),
            status=SMALL_STATUS if photos.cpu else STATUS,
        ),
        attributes=attributes_of(GROUPS, PLACES),
        own_settings=photos.settings(made.spec),
    )


def birds_in(data: Path) -> Objects | None:
    """Where the birds are: `masks.zip`, else the boxes in `part_boxes.csv`, beside metadata.csv or above it.

    None where neither lies there.
    """
    places = [place for place in (home_of_waterbirds(data), data) if place is not None]
    masks = [path for place in places if (path := place / "masks.zip").exists()]
    boxes = [path for place in places if (path := place / "part_boxes.csv").exists()]
    if masks:
        return ObjectMasks(masks[0])
    if not boxes:
        return None
    found = read_boxes(boxes[0], "image", "part")
    return ObjectBoxes({name: box for (name, part), box in found.items() if part == "bird"})

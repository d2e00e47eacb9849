"""ImageNet-9: nine classes of objects; the Backgrounds Challenge swaps the background behind them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from masktune.bench.photos import Photos
from masktune.bench.recipe import Choices, PresetName, Recipe
from masktune.bench.shown import Column, Shown, Status
from masktune.data import ObjectBoxes, Samples, Splits
from masktune.data.objects import Objects, read_boxes
from masktune.data.official.imagenet9 import TESTS, object_of
from masktune.data.official.listing import Listing
from masktune.data.official.registry import list_official
from masktune.data.splits import drawn_splits
from masktune.errors import InputError
from masktune.evaluation import Measure, Predictions, accuracy, difference
from masktune.models.specs import InputOverrides
from masktune.training.settings import Training

_SHARES = {"validation": 2 / 15, "test": 1 / 3}
"""Where there are no training images: of the objects of `original` a third is tested on, and of the others,
which are tuned on, a fifth chooses a checkpoint."""

_PARTED = (
    "there are no training images: two thirds of the objects of `original` are tuned on, drawn by class and "
    "seed, and the others are tested in all variants, so n is small"
)

STATUS = Status("never run")

SMALL_STATUS = Status(
    "stand-in only",
    command="masktune reproduce in9 --data shared/data/mini_in9 --weights LITE0 --cpu --seeds 0 1 2",
    hardware="two cores of an AMD EPYC",
    weights="tf_efficientnet_lite0.in1k",
    seen="MaskTune 27.8 to 53.7 % on mixed_rand, ERM 29.6 to 51.9",
)

_OFFICIAL = Training(
    epochs=100,
    batch_size=128,
    learning_rate=1e-4,
    decay=0.1,
    milestones=(30, 60, 90),
    augment="crop_flip",
    precision="auto",
)
"""SGD, momentum 0.9, weight decay 1e-4 (`paper.md` sections 2.1 and 6.2). The official code changes colours
too, and crops down to 8 % of an image; here 80 are kept."""

_PRESETS: Mapping[PresetName, Training] = {
    "default": _OFFICIAL,
    "paper": _OFFICIAL,
    "official_code": replace(_OFFICIAL, milestones=()),
}
"""The official code writes its schedule down and never applies it, and starts from random weights."""


_INPUT = InputOverrides(size=(224, 224), resize="crop", crop_share=0.875)
"""The shorter side to 256, of which the middle 224 x 224 are seen (`paper.md` section 3.7)."""


def in9(photos: Photos, choices: Choices = Choices()) -> Recipe:  # noqa: B008 - it is frozen.
    """ImageNet-9 and the Backgrounds Challenge (paper, section 4.3).

    A folder without training images (the Backgrounds Challenge alone) is divided by image, for each seed
    anew: two thirds of `original` are tuned on, the other images are tested in all variants.

    Raises:
        DataNotFound, DataDamaged, InputError: the data set or the weights cannot be used.
    """
    listing = list_official("imagenet9", photos.data)
    _check_tests(listing.samples)
    made = photos.resolved(listing.samples.classes, choices, _PRESETS, _INPUT, scratch="official_code")

    def splits(seed: int) -> Splits:
        samples = parted(listing.samples, seed)
        tests = [name for name in TESTS if name in samples.split_names]
        objects = boxes_in(photos.data, samples)
        return Splits(
            name="in9",
            variant=listing.variant,
            train=photos.images(samples.of_split("train"), made.spec, objects),
            validation=photos.images(samples.of_split("validation"), made.spec),
            tests={name: photos.images(samples.of_split(name), made.spec) for name in tests},
            sha256=listing.sha256,
        )

    return Recipe(
        name="in9",
        command="reproduce",
        choices=choices,
        training=made.training,
        masktune=made.masktune,
        splits=splits,
        build=made.build,
        shown=_shown(listing, photos.notes(listing, choices), SMALL_STATUS if photos.cpu else STATUS),
        across=background_gap,
        own_settings=photos.settings(made.spec),
    )


def _check_tests(samples: Samples) -> None:
    """Refuse before anything is trained what has no numbers to show in the end."""
    missing = [name for name in ("mixed_same", "mixed_rand") if name not in samples.split_names]
    if missing:
        raise InputError(
            f"expected the variants mixed_same and mixed_rand of the Backgrounds Challenge, of which "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there; add them with "
            "`masktune data get imagenet9`"
        )


def parted(samples: Samples, seed: int) -> Samples:
    """The same images with splits to train and validate on; as they are where these exist.

    Drawn by class and image: no object is on both sides. The backgrounds of mixed variants come from other
    images, of which some are tuned on.

    Raises:
        InputError: there is neither a training split nor `original`.
    """
    if "train" in samples.split_names and "validation" in samples.split_names:
        return samples
    if samples.splits is None or "original" not in samples.split_names:
        raise InputError(
            "expected train and val of ImageNet-9, or the variant original of the Backgrounds Challenge, got "
            f"{', '.join(samples.split_names) or 'no splits'}"
        )
    names = np.array([object_of(name) for name in samples.ids.tolist()])
    original = samples.splits == "original"
    drawn = drawn_splits(names[original], samples.labels[original], _SHARES, seed)
    roles = dict(zip(names[original].tolist(), drawn.tolist(), strict=True))
    unknown = sorted({*names.tolist()} - {*roles})
    if unknown:
        raise InputError(
            f"expected each object of the variants to bear the name that it has in original, got "
            f"{len(unknown)} others ({unknown[0]!r}): which were tuned on cannot be told; add IN-9L's train "
            "and val"
        )
    role = np.array([roles[name] for name in names.tolist()])
    keep = (role == "test") | original
    splits = np.where(role == "test", samples.splits, role)
    return replace(samples, splits=splits).select(keep)


def boxes_in(data: Path, samples: Samples) -> Objects | None:
    """The objects' boxes by `boxes.csv` (class, image, x0, y0, x1, y1); None where there is no such file."""
    path = data / "boxes.csv"
    if not path.exists():
        return None
    boxes = read_boxes(path, "class", "image")
    names = {name: (Path(name).parent.name, Path(name).stem) for name in samples.ids.tolist()}
    return ObjectBoxes({name: boxes[of] for name, of in names.items() if of in boxes})


def background_gap(predictions: Mapping[str, Predictions]) -> dict[str, list[Measure]]:
    """BG-gap: right on backgrounds of the same class less right on those of another (Xiao et al. 2021).

    The interval takes the two test sets for independent, which it is on the safe side with.
    """
    if not {"mixed_same", "mixed_rand"} <= {*predictions}:
        return {}
    gap = difference(accuracy(predictions["mixed_rand"]), accuracy(predictions["mixed_same"]))
    return {"mixed_same": [Measure.of("bg_gap", gap)]}


def _shown(listing: Listing, notes: tuple[str, ...], status: Status) -> Shown:
    trained = "train" in listing.samples.split_names
    return Shown(
        columns=(
            *(Column(name, name, "accuracy") for name in TESTS if name in listing.samples.split_names),
            Column("BG-gap", "mixed_same", "bg_gap"),
            Column("image hidden", "train", "image_hidden"),
            Column("hidden on object's box", "train", "hidden_on_object"),
        ),
        thing="object's box",
        headline="mixed_rand",
        where="on mixed_rand",
        explained="`mixed_rand`: the object before the background of a random class. `BG-gap`: mixed_same "
        "less mixed_rand. `hidden on object's box`: share of the hidden area inside the object's box.",
        notes=notes if trained else (*notes, _PARTED),
        status=status,
    )

"""The nouns that every room shares: a batch of images, what a net wants, the view of an image, progress."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from masktune.errors import InputError, near

Images = UInt8[Tensor, "b c h w"] | Float[Tensor, "b c h w"]
"""Images in pixel space: uint8, or floats in [0, 1] where the source has more than 8 bits."""

Hidden = Bool[Tensor, "b h w"]
"""True = the pixel is hidden."""

Supervision = Literal["none", "validation_groups", "train_groups"]
"""Which group labels a method may read (design §3.7)."""

Number = int | float

Resize = Literal["crop", "squash", "pad"]
"""How another aspect ratio is brought to a net's: cut, deformed, or bordered."""

Interpolation = Literal["nearest", "bilinear", "bicubic"]
"""How images are resampled."""

PixelRange = Literal["dtype", "percentile"] | tuple[Number, Number]
"""How the values of an image file become pixels from 0 to 1."""

Selection = Literal["last", "validation_accuracy", "worst_class", "worst_group"]
"""The rule by which one checkpoint of a training run is chosen."""


ChosenBy = Selection | Literal["worst_inferred_group"]
"""The rule that a method chose its checkpoint by: one of those, or one of its own."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples of a data set, in pixel space."""

    images: Images
    """(b, c, h, w), uint8 or float in [0, 1]."""
    labels: Int64[Tensor, " b"]
    """Class indices, 0 to the number of classes - 1."""
    ids: tuple[str, ...]
    """Stable names of the samples; masks, predictions and weights per sample are keyed by them."""
    groups: tuple[str, ...] | None = None
    """Names of the groups, or None where the data set has none or they are withheld."""
    subjects: tuple[str, ...] | None = None
    """Names of the subjects, or None where each image stands alone."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a net wants as input; every field can be overridden and is printed with a run."""

    size: tuple[int, int]
    """Height and width in pixels."""
    channels: int = 3
    """1, 3 or more; a grey image is repeated for a net that wants colour."""
    mean: tuple[float, ...] = (0.0,)
    """Per channel, or one number for all, of pixels in [0, 1]."""
    std: tuple[float, ...] = (1.0,)
    """Per channel, or one number for all, of pixels in [0, 1]."""
    resize: Resize = "crop"
    """How another aspect ratio is brought to `size`: cut, deformed, or bordered."""
    crop_share: float = 1.0
    """The share of the shorter side (with `squash` of both) that is kept: timm's `crop_pct`, often 0.875; not
    with `pad`."""
    interpolation: Interpolation = "bilinear"
    """How images are resampled."""
    range: PixelRange = "dtype"
    """What becomes 0 and 1: the least and greatest value of the file's number type (uint8 stays uint8), the
    1st and 99th percentile of each image, or two numbers in the file's own units."""

    def __post_init__(self) -> None:
        if min(self.size) < 1 or self.channels < 1:
            raise InputError(
                f"expected a positive size and channel count, got {self.size} and {self.channels}"
            )
        check_choice("resize", self.resize, get_args(Resize))
        check_choice("interpolation", self.interpolation, get_args(Interpolation))
        if not 0 < self.crop_share <= 1:
            raise InputError(f"expected a crop share above 0 and at most 1, got {self.crop_share}")
        if isinstance(self.range, str):
            check_choice("range", self.range, ("dtype", "percentile"))
        elif not -math.inf < self.range[0] < self.range[1] < math.inf:
            raise InputError(f"expected a range of two numbers, the lower first, got {self.range}")
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, self.channels):
                raise InputError(f"expected 1 or {self.channels} numbers as {name}, got {count}")
        if min(self.std) <= 0:
            raise InputError(f"expected a positive std, got {self.std}; it divides the pixels")


@dataclass(frozen=True, slots=True)
class View:
    """The part of a source image that a net sees: cut to a box, resized, and perhaps mirrored."""

    source: tuple[int, int]
    """Height and width of the source image in pixels."""
    box: tuple[Number, Number, Number, Number]
    """Top, left, height, width of the cut, in pixels of the source, or fractions of them: a crop of a resized
    image rarely begins between two pixels of its source. What lies beyond the source is black."""
    size: tuple[int, int]
    """Height and width of what the net sees."""
    flip: bool = False
    """Mirrored left to right, after the cut."""

    def __post_init__(self) -> None:
        top, left, height, width = self.box
        meets = top < self.source[0] and left < self.source[1] and top + height > 0 and left + width > 0
        if min(height, width) <= 0 or min(self.size) < 1 or not meets:
            raise InputError(f"expected a box that meets a source of {self.source} pixels, got {self.box}")

    @classmethod
    def whole(cls, size: tuple[int, int]) -> "View":
        """The view that shows all of an image of `size` as it is."""
        return cls(source=size, box=(0, 0, *size), size=size)

    @property
    def seen(self) -> float:
        """Share of the source that lies in the box, 0 to 1."""
        top, left, height, width = self.box
        down = min(top + height, self.source[0]) - max(top, 0)
        across = min(left + width, self.source[1]) - max(left, 0)
        return down * across / (self.source[0] * self.source[1])


@runtime_checkable
class Wrapper(Protocol):
    """A module that prepares images for the net it wraps (our `Classifier` is one).

    Rooms below `models` cannot import `Classifier`; this is all they need to know of it.
    """

    net: nn.Module

    def to_net_input(self, images: Images) -> Float[Tensor, "b c_net h w"]:
        """Turn images in pixel space into what `net` takes."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a piece of work is."""

    what: str
    """What is going on, for a person: "training, epoch 3 of 10"."""
    done: int
    """Images done so far."""
    total: int
    """Images in this piece of work."""
    note: str = ""
    """A number worth showing beside the bar: "loss 0.031"."""
    unit: str = "images"
    """What is counted: images, or what a file is measured in."""
    ended: str = ""
    """What has just ended, as a sentence that stays to be read; "" where nothing has."""


Progress = Callable[[Step], None]
"""Is called with each step; the command line draws a bar, a library user may pass anything."""


def under(name: str, progress: "Progress") -> "Progress":
    """The same progress, each step under a name: "masktune: tuning"."""
    return lambda step: progress(replace(step, what=f"{name}: {step.what}"))


def silent(step: Step) -> None:
    """The progress that shows nothing."""


def as_float(images: Images) -> Float[Tensor, "b c h w"]:
    """Images in pixel space as floats in [0, 1]: uint8 is divided by 255, floats stay as they are."""
    if images.dtype == torch.uint8:
        return images.to(torch.float32).div_(255)
    return images


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a setting that is none of the choices; settings call this when they are made."""
    known = tuple(choices)
    if value not in known:
        raise InputError(
            f"expected {name} as one of {', '.join(known)}, got {value!r}{near(str(value), known)}"
        )

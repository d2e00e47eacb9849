"""What hidden pixels become. Pixels that are not hidden keep their bits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from masktune.errors import InputError, near
from masktune.masking import keyed
from masktune.types import Hidden, Images, as_float

Values = Float[Tensor, "#b #c #h #w"]


@runtime_checkable
class Fill(Protocol):
    """Replaces the hidden pixels of images in pixel space; type and shape stay."""

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """`images`, with other values where `hidden` is true."""


@final
@dataclass(frozen=True, slots=True)
class Black:
    """Black in pixel space: the paper's fill."""

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels become 0."""
        return images.masked_fill(hidden[:, None], 0)


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """One colour for all."""

    colour: tuple[float, ...]
    """One number a channel, or one for all, in [0, 1]."""

    def __post_init__(self) -> None:
        _check_colour(self.colour)

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels get the colour."""
        return _replaced(images, hidden, per_channel(self.colour, images.shape[1], images.device))


@final
@dataclass(frozen=True, slots=True)
class DatasetMean:
    """The mean colour of the data set."""

    mean: tuple[float, ...]
    """One number a channel, or one for all, of pixels in [0, 1]."""

    def __post_init__(self) -> None:
        _check_colour(self.mean)

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels get the mean colour."""
        return _replaced(images, hidden, per_channel(self.mean, images.shape[1], images.device))


@final
@dataclass(frozen=True, slots=True)
class ImageMean:
    """The mean colour of the whole image, what is hidden included."""

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels get the mean of each channel of their image."""
        return _replaced(images, hidden, as_float(images).float().mean((2, 3), keepdim=True))


@final
@dataclass(frozen=True, slots=True)
class Noise:
    """Uniform noise, the same for a sample in every batch and order."""

    seed: int = 0
    """Another seed, other noise."""

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels get a random number a channel; only theirs are drawn."""
        if ids is None:
            raise InputError("the noise fill draws by sample id and got no ids; pass ids=[...], one an image")
        _, channels, height, width = images.shape
        keys = keyed.keys_for(images, ids, "noise", self.seed)
        sample, row, column = hidden.nonzero(as_tuple=True)
        channel = torch.arange(channels, device=images.device)[:, None]
        place = (channel * height + row) * width + column
        filled = images.clone()
        noise = keyed.uniform(keys[sample][None], place).T
        filled[sample, :, row, column] = _as_pixels(noise, images.dtype)
        return filled


@final
@dataclass(frozen=True, slots=True)
class Blur:
    """The image itself under a Gaussian blur, so that coarse colours stay and detail goes."""

    sigma: float = 0.1
    """Standard deviation of the blur as a share of the shorter side, at least half a pixel."""

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 1:
            raise InputError(
                f"expected sigma as a share of the image's shorter side in (0, 1], got {self.sigma}"
            )

    def __call__(self, images: Images, hidden: Hidden, ids: Sequence[str] | None = None) -> Images:
        """Hidden pixels get the blurred image; at the border only pixels of the image are averaged."""
        sigma = max(self.sigma * min(images.shape[2:]), 0.5)
        down, across = (_gaussian(length, sigma, images.device) for length in images.shape[2:])
        return _replaced(images, hidden, down @ as_float(images).float() @ across.T)


def _gaussian(length: int, sigma: float, device: torch.device) -> Float[Tensor, "n n"]:
    """Row i holds the weights, which sum to 1, that make pixel i of a blurred line of this length."""
    at = torch.arange(length, device=device)
    weights = torch.exp(-0.5 * ((at[:, None] - at) / sigma).square())
    return weights / weights.sum(1, keepdim=True)


def fill_named(name: str, dataset_mean: Sequence[float] | None = None) -> Fill:
    """The fill of that name: black, image_mean, dataset_mean, noise or blur."""
    if name == "dataset_mean":
        if dataset_mean is None:
            raise InputError("the fill 'dataset_mean' needs the mean; pass fill=DatasetMean((r, g, b))")
        return DatasetMean(tuple(dataset_mean))
    if name not in _NAMED:
        known = (*_NAMED, "dataset_mean")
        raise InputError(f"expected a fill of {', '.join(known)}, got {name!r}{near(name, known)}")
    return _NAMED[name]()


_NAMED: dict[str, Callable[[], Fill]] = {
    "black": Black,
    "image_mean": ImageMean,
    "noise": Noise,
    "blur": Blur,
}


def fill_normalised(
    images: Float[Tensor, "b c h w"],
    hidden: Hidden,
    fill: Fill,
    mean: Sequence[float],
    std: Sequence[float],
    ids: Sequence[str] | None = None,
) -> Float[Tensor, "b c h w"]:
    """Fill images that are (pixels - mean) / std; the fill works in pixel space, so black is black."""
    centre = per_channel(mean, images.shape[1], images.device).to(images.dtype)
    scale = per_channel(std, images.shape[1], images.device).to(images.dtype)
    filled = (fill(images * scale + centre, hidden, ids) - centre) / scale
    return torch.where(hidden[:, None], filled, images)


def per_channel(numbers: Sequence[float], channels: int, device: torch.device) -> Float[Tensor, "1 c 1 1"]:
    """Numbers that fit images of `channels` channels."""
    if len(numbers) not in (1, channels):
        raise InputError(f"expected 1 or {channels} numbers for {channels} channels, got {len(numbers)}")
    return torch.tensor(numbers, dtype=torch.float32, device=device).view(1, -1, 1, 1)


def _replaced(images: Images, hidden: Hidden, values: Values) -> Images:
    return torch.where(hidden[:, None], _as_pixels(values, images.dtype), images)


def _as_pixels(values: Float[Tensor, "*s"], dtype: torch.dtype) -> Tensor:
    values = values.clamp(0, 1)
    return values.mul(255).round().to(dtype) if dtype == torch.uint8 else values.to(dtype)


def _check_colour(colour: tuple[float, ...]) -> None:
    if not colour or not all(0 <= number <= 1 for number in colour):
        raise InputError(f"expected a colour of numbers in [0, 1], got {colour}; divide 8-bit values by 255")

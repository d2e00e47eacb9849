"""Properties of pictures that a classifier may use instead of content: brightness, colour, borders.

All are of the pixels as they are given, so images of one size are comparable; nothing is resized.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from masktune.types import Images, as_float

Columns = dict[str, Tensor]

PROPERTIES = (
    "brightness",
    "contrast",
    "darkest pixels",
    "lightest pixels",
    "entropy",
    "symmetry",
    "sharpness",
    "noise",
    "edge density",
    "border brightness",
    "border unevenness",
    "border contrast",
    "black border share",
    "white border share",
    "redness",
    "greenness",
    "blueness",
    "saturation",
    "colourfulness",
)
"""All names, in the order of the columns."""

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, 2.5.1; also what Pillow's conversion to grey uses."""

_AT_ONCE = 8
"""Images that are worked on together: their planes of 224 px stay in a core's cache."""

_LEVELS = 1020
"""Steps of brightness in histograms: a quarter of a grey level of 8 bits, so that greys fall on steps."""

_BINS = 32
"""Of the entropy's histogram: as coarse as 8 grey levels, so that noise alone does not fill it."""

_DARK, _LIGHT = 1, 99
"""Percentiles that stand for the darkest and lightest pixels; single pixels do not count."""

_RING = 16
"""The border is the outermost 1/16 of each side, at least a pixel."""

_BLACK, _WHITE = 2 / 255, 253 / 255
"""A border that was filled; JPEG moves it by a level or two."""

_EDGE = 0.1
"""Step to the next pixel, of [0, 1], that makes an edge: 25 grey levels, above noise and JPEG's ripples."""

_MEDIAN_TO_SIGMA = 1.4826
"""1 / 0.6745: from the median of absolute values to the standard deviation of a normal distribution."""

_MASK_NORM = 6.0
"""Root of the summed squares of Immerkaer's mask: what it makes of noise with deviation 1."""

_DECIMALS = 6
"""Of the results; float32 tells no more, and images that are alike get equal numbers."""


def properties_of(images: Images) -> dict[str, Float64[np.ndarray, " b"]]:
    """Each property of each image, by name; colours of grey images (one channel) are NaN.

    On the scale of pixels in [0, 1]: brightness (mean luma), contrast (standard deviation of luma), darkest
    and lightest pixels (1st and 99th percentile), redness and its like (mean of the channel minus mean luma,
    -1 to 1), sharpness (standard deviation of the Laplacian), noise (standard deviation, Immerkaer 1996, with
    the median for the mean, so that edges do not count), border brightness, unevenness (standard deviation)
    and contrast (ring minus inside), colourfulness (Hasler and Suesstrunk 2003, divided by 255). Shares from
    0 to 1: edge density, black and white border share, saturation (mean of (max - min) / max). Entropy is in
    bits, 0 to 5; symmetry is the correlation with the mirror image, -1 to 1, NaN for one colour. What needs
    more pixels than there are is NaN.
    """
    found = [_of_some(images[start : start + _AT_ONCE]) for start in range(0, len(images), _AT_ONCE)]
    return {name: np.concatenate([np.empty(0), *(columns[name] for columns in found)]) for name in PROPERTIES}


def _of_some(images: Images) -> dict[str, Float64[np.ndarray, " b"]]:
    with torch.no_grad():
        pixels = as_float(images.detach().cpu()).to(torch.float32)
        luma = _luma(pixels)
        columns = _brightness(luma) | _details(luma) | _border(luma) | _colours(pixels, luma)
    return {name: np.round(values.to(torch.float64).numpy(), _DECIMALS) for name, values in columns.items()}


def _luma(pixels: Float32[Tensor, "b c h w"]) -> Float32[Tensor, "b h w"]:
    """Of colour by BT.601; of other numbers of channels their mean."""
    if pixels.shape[1] == 1:
        return pixels[:, 0]
    if pixels.shape[1] != 3:
        return pixels.mean(1)
    red, green, blue = pixels.unbind(1)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def _brightness(luma: Float32[Tensor, "b h w"]) -> Columns:
    flat = luma.flatten(1)
    counts = _histogram(flat, _LEVELS)
    shares = np.add.reduceat(counts, _bin_starts(), axis=1) / max(flat.shape[1], 1)
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    return {
        "brightness": flat.mean(1),
        "contrast": _deviation(flat),
        "darkest pixels": _percentile(counts, _DARK),
        "lightest pixels": _percentile(counts, _LIGHT),
        "entropy": torch.from_numpy(np.abs((shares * logs).sum(1))),
        "symmetry": _symmetry(luma),
    }


def _details(luma: Float32[Tensor, "b h w"]) -> Columns:
    """From differences of neighbours: the Laplacian is the sum of both second differences."""
    right, below = luma.diff(dim=2), luma.diff(dim=1)
    steps = right[:, :-1].square() + below[:, :, :-1].square()
    twice = right.diff(dim=2)
    laplacian = twice[:, 1:-1] + below.diff(dim=1)[:, :, 1:-1]
    # Immerkaer's mask [[1, -2, 1], [-2, 4, -2], [1, -2, 1]] is the second difference both ways.
    mask = twice.diff(dim=1).diff(dim=1).abs_().flatten(1)
    median = _percentile(_histogram(mask, 8 * _LEVELS), 50)
    return {
        "sharpness": _deviation(laplacian.flatten(1)),
        "noise": median * (_MEDIAN_TO_SIGMA / _MASK_NORM),
        "edge density": _share(steps.flatten(1) > _EDGE**2),
    }


def _border(luma: Float32[Tensor, "b h w"]) -> Columns:
    height, width = luma.shape[1:]
    down, across = max(1, height // _RING), max(1, width // _RING)
    inside = luma[:, down : height - down]
    parts = (
        luma[:, :down],
        luma[:, max(down, height - down) :],
        inside[:, :, :across],
        inside[:, :, max(across, width - across) :],
    )
    ring = torch.cat([part.flatten(1) for part in parts], 1)
    brightness = ring.mean(1)
    return {
        "border brightness": brightness,
        "border unevenness": _deviation(ring),
        "border contrast": brightness - inside[:, :, across : width - across].mean((1, 2)),
        # Half a step of float32's rounding, as luma of (2, 2, 2) may come out a trace above 2.
        "black border share": _share(ring <= _BLACK + 1e-5),
        "white border share": _share(ring >= _WHITE - 1e-5),
    }


def _colours(pixels: Float32[Tensor, "b c h w"], luma: Float32[Tensor, "b h w"]) -> Columns:
    names = ("redness", "greenness", "blueness", "saturation", "colourfulness")
    if pixels.shape[1] != 3:
        return {name: torch.full((len(pixels),), math.nan) for name in names}
    red, green, blue = pixels.flatten(2).unbind(1)
    brightness = luma.flatten(1).mean(1)
    highest = torch.maximum(torch.maximum(red, green), blue)  # Several times as fast as `amax`.
    lowest = torch.minimum(torch.minimum(red, green), blue)
    saturation = (highest - lowest).div_(highest.clamp_min(1e-6))
    means = (channel.mean(1) - brightness for channel in (red, green, blue))
    return dict(zip(names, (*means, saturation.mean(1), _colourfulness(red, green, blue)), strict=True))


def _colourfulness(
    red: Float32[Tensor, "b n"], green: Float32[Tensor, "b n"], blue: Float32[Tensor, "b n"]
) -> Float32[Tensor, " b"]:
    """Hasler and Suesstrunk, "Measuring colourfulness in natural images" (2003), their third measure."""
    opponents = (red - green, (red + green).mul_(0.5).sub_(blue))
    spread = torch.hypot(*(_deviation(values) for values in opponents))
    away = torch.hypot(*(values.mean(1) for values in opponents))
    return spread + 0.3 * away


def _symmetry(luma: Float32[Tensor, "b h w"]) -> Float32[Tensor, " b"]:
    centred = luma - luma.mean((1, 2), keepdim=True)
    own = centred.square().mean((1, 2))
    mirrored = (centred * centred.flip(2)).mean((1, 2))
    return torch.where(own > 1e-10, mirrored / own, math.nan)  # Below it is rounding, not a picture.


def _deviation(values: Float32[Tensor, "b n"]) -> Float32[Tensor, " b"]:
    """Standard deviation; several times as fast as torch's, which counts one row after the other."""
    return (values - values.mean(1, keepdim=True)).square_().mean(1).sqrt()


def _share(where: Tensor) -> Float32[Tensor, " b"]:
    counts = where.count_nonzero(dim=1).to(torch.float32)  # Twice as fast as the mean of floats.
    return counts / where.shape[1]


def _histogram(values: Float32[Tensor, "b n"], highest: int) -> Int64[np.ndarray, "b bins"]:
    """How often each step of 1 / 1020 occurs, from 0 to `highest` steps."""
    steps = (values * _LEVELS).round_().clamp_(0, highest).to(torch.int16).numpy()
    return np.stack([np.bincount(row, minlength=highest + 1) for row in steps])


def _bin_starts() -> Int64[np.ndarray, " bins"]:
    """The first step of each bin of the entropy; white falls into the last."""
    return -(-np.arange(_BINS, dtype=np.int64) * _LEVELS // _BINS)


def _percentile(counts: Int64[np.ndarray, "b bins"], percent: int) -> Float[Tensor, " b"]:
    """The least step that so many per cent of the pixels do not exceed; NaN where there are no pixels."""
    total = counts.sum(1, keepdims=True)
    first = (counts.cumsum(1) * 100 >= total * percent).argmax(1)
    return torch.from_numpy(np.where(total[:, 0] > 0, first / _LEVELS, np.nan))

"""From saliency to `hidden`: which pixels of a map count as what the classifier looks at."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from masktune.errors import InputError
from masktune.saliency.cam import enlarge
from masktune.types import Hidden, check_choice

Maps = Float[Tensor, "b h w"]
"""Saliency maps in [0, 1]."""


@runtime_checkable
class Threshold(Protocol):
    """Says for each map, from that map alone, which pixels are hidden.

    One with an attribute `at` that is "map" is called on the maps at layer size, any other at input size.
    Ours hide nothing where a map holds no positive value, or a value that is not a number.
    """

    def __call__(self, maps: Maps) -> Hidden:
        """True where a pixel of `maps` is hidden."""


@final
@dataclass(frozen=True, slots=True)
class MeanPlusStd:
    """Hides what lies above mean + k standard deviations of its own map.

    Source: the paper, with k = 2. Which pixels are averaged and where is not said there; the default is what
    the authors' code does (`masking.py:4-8`): positive pixels, population deviation, at input size.
    """

    k: float = 2.0
    """Standard deviations above the mean; more hides less."""
    over: Literal["positive", "all"] = "positive"
    """The pixels that enter mean and deviation; the many zeros of a map lower the threshold."""
    at: Literal["input", "map"] = "input"
    """Enlarge the map, then compare; or compare at layer size, then enlarge the mask (the paper's text)."""
    most: float | None = None
    """Hide at most this share of the image, the most salient part of it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k) and self.k >= 0):
            raise InputError(f"expected k of at least 0, got {self.k}; the paper uses 2")
        check_choice("over", self.over, ("positive", "all"))
        check_choice("at", self.at, ("input", "map"))
        _check_share("most", self.most)

    def __call__(self, maps: Maps) -> Hidden:
        """True where a pixel is strictly above its map's threshold."""
        values = maps.flatten(1)
        counted = values > 0 if self.over == "positive" else torch.ones_like(values, dtype=torch.bool)
        count = counted.sum(1, keepdim=True)
        # Measured from the peak, the deviation of equal values is exactly 0, and they are not hidden.
        # Without a counted pixel the mean is not a number, and no comparison with it is true.
        depth = (values - values.amax(1, keepdim=True)) * counted
        mean = depth.sum(1, keepdim=True) / count
        std = ((depth - mean) * counted).square().sum(1, keepdim=True).div(count).sqrt()
        hidden = counted & (depth > mean + self.k * std)
        return _at_most(self.most, maps, hidden.view_as(maps))


@final
@dataclass(frozen=True, slots=True)
class TopFraction:
    """Hides the given share of each map's pixels, the most or least salient ones.

    Of equal pixels the upper left ones come first. Of the most salient only positive pixels are hidden, so a
    map with fewer of them hides fewer; among the least salient the zeros count.
    """

    share: float
    """Share of the pixels, rounded to whole pixels."""
    most_salient: bool = True
    """False hides the least salient share instead."""

    def __post_init__(self) -> None:
        _check_share("share", self.share)

    def __call__(self, maps: Maps) -> Hidden:
        """True for the round(share * h * w) largest positive, or smallest, values of each map."""
        count = round(self.share * maps[0].numel()) if len(maps) else 0
        positive = (maps > 0).sum((1, 2)) * _is_finite(maps)
        if self.most_salient:
            return top_pixels(maps, positive.clamp_max(count))
        return top_pixels(-maps, count * (positive > 0))


@final
@dataclass(frozen=True, slots=True)
class Quantile:
    """Hides what lies above a quantile of its own map (interpolated, as `numpy.quantile` does)."""

    q: float
    """0.9 hides the upper tenth of the pixels that count."""
    over: Literal["positive", "all"] = "positive"
    """The pixels that count."""
    most: float | None = None
    """Hide at most this share of the image, the most salient part of it."""

    def __post_init__(self) -> None:
        _check_share("q", self.q)
        check_choice("over", self.over, ("positive", "all"))
        _check_share("most", self.most)

    def __call__(self, maps: Maps) -> Hidden:
        """True where a pixel is strictly above the quantile."""
        # Not torch.quantile: it refuses more than 16 million numbers and knows no "positive only".
        ranked = maps.flatten(1).sort(1).values
        last = ranked.shape[1] - 1
        first = (ranked <= 0).sum(1) if self.over == "positive" else torch.zeros(len(maps))
        # Double precision, and on the CPU because not every device has it.
        first = first.to("cpu", torch.float64)
        place = (first + self.q * (last - first)).clamp_max(last)
        lower = place.long()
        part = (place - lower).float().to(maps)[:, None]
        below, above = (
            ranked.gather(1, at.to(maps.device)[:, None]) for at in (lower, (lower + 1).clamp_max(last))
        )
        hidden = (maps > torch.lerp(below, above, part)[:, :, None]) & _is_finite(maps)[:, None, None]
        return _at_most(self.most, maps, hidden)


def hidden_from_low(
    low: Float[Tensor, "b h_low w_low"], size: tuple[int, int], threshold: Threshold
) -> Hidden:
    """What is hidden at `size`, from maps in [0, 1] at layer size.

    Masks made at once and masks from saved maps are the same bits, because both come through here and the
    maps are rounded to float16 as `SavedMaps` keeps them.
    """
    low = low.half().float()
    if at_map(threshold):
        cells = threshold(low).float()[:, None]
        return functional.interpolate(cells, size, mode="nearest")[:, 0].bool()
    return threshold(enlarge(low, size))


def at_map(threshold: Threshold) -> bool:
    """Whether it wants maps at layer size."""
    return getattr(threshold, "at", "input") == "map"


def top_pixels(scores: Maps, counts: Int64[Tensor, " b"], ties: Maps | None = None) -> Hidden:
    """The `counts` largest scores of each image.

    Of equal scores those with the larger `ties` come first, or the upper left ones without it.
    """
    flat = scores.flatten(1)
    ranked = flat.topk(max([1, *counts.tolist()]), dim=1).values
    smallest = ranked.gather(1, (counts - 1).clamp_min(0)[:, None])
    above = flat > smallest
    equal = flat == smallest
    missing = counts - above.sum(1)
    if ties is None:
        chosen = equal & (equal.cumsum(1) <= missing[:, None])
    else:
        chosen = top_pixels(ties.masked_fill(~equal.view_as(ties), -math.inf), missing).flatten(1)
    return (above | chosen).view_as(scores) & (counts > 0)[:, None, None]


def _at_most(most: float | None, maps: Maps, hidden: Hidden) -> Hidden:
    if most is None:
        return hidden
    return top_pixels(maps, hidden.sum((1, 2)).clamp_max(int(most * maps.shape[1] * maps.shape[2])))


def _is_finite(maps: Maps) -> Bool[Tensor, " b"]:
    return maps.sum((1, 2)).isfinite()


def _check_share(name: str, share: float | None) -> None:
    if share is not None and not 0 <= share <= 1:
        raise InputError(f"expected {name} as a share from 0 to 1, got {share}")

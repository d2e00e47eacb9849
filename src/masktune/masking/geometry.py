"""The one crop, flip and resize, for images and for masks.

A map belongs to the view of the image that it was computed on. The authors' code stretches it over the whole
image instead, so that after a crop its masks lie beside what they should hide.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from masktune.errors import InputError
from masktune.masking import keyed
from masktune.types import Hidden, Images, Interpolation, View

Views = View | Sequence[View]
"""One view for all images, or one for each."""

Seen = UInt8[Tensor, "b c height width"] | Float[Tensor, "b c height width"]
"""Images of another size."""

HiddenThere = Bool[Tensor, "b height width"]
"""Masks of another size; true = hidden."""

_ROUNDING = 1e-9
"""What may be lost in float64 where a pixel begins exactly at another: far less than the next one is away."""


def apply_view(images: Images, views: Views) -> Seen:
    """Cut, resize and mirror images as the net sees them; all views give one size."""
    if isinstance(views, View):
        return _seen(images, views)
    views = _one_each(views, len(images))
    return torch.cat([_seen(image[None], view) for image, view in zip(images, views, strict=True)])


def resize(images: Images, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Seen:
    """Resize with antialiasing, as torchvision's v2 does to the bit."""
    if tuple(images.shape[2:]) == size:
        return images
    if interpolation == "nearest":
        return functional.interpolate(images, size, mode="nearest")
    if images.dtype == torch.uint8 and images.device.type != "cpu":  # Only the CPU resizes bytes.
        resized = resize(images.float(), size, interpolation).round().clamp(0, 255).to(torch.uint8)
    else:
        resized = functional.interpolate(
            images, size, mode=interpolation, align_corners=False, antialias=True
        )
    # Bicubic curves overshoot at edges.
    return resized.clamp(0, 1) if interpolation == "bicubic" and resized.is_floating_point() else resized


def cut(images: Images, top: int, left: int, height: int, width: int) -> Seen:
    """Cut a box out of images; beyond them it is black."""
    below, right = top + height - images.shape[2], left + width - images.shape[3]
    inside = images[:, :, max(top, 0) : top + height, max(left, 0) : left + width]
    border = [max(number, 0) for number in (-left, right, -top, below)]
    return functional.pad(inside, border) if any(border) else inside


def maps_to_source(maps: Float[Tensor, "b h w"], view: View) -> Float[Tensor, "b height width"]:
    """Lay maps of a view back onto the pixels of its source, bilinear; 0 outside the view."""
    upright = maps.flip(-1) if view.flip else maps
    (above, below, down), (left, right, across) = (_between(view, axis) for axis in (0, 1))
    rows = torch.lerp(upright[:, above], upright[:, below], down.to(maps)[:, None])
    laid = torch.lerp(rows[:, :, left], rows[:, :, right], across.to(maps))
    seen = (down >= 0)[:, None] & (across >= 0)
    return laid.where(seen.to(maps.device), laid.new_zeros(()))


def _between(view: View, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two rows (or columns) of the view beside each of the source, and how far it is from the first.

    The distance is -1 outside the box.
    """
    start, length, size = view.box[axis], view.box[axis + 2], view.size[axis]
    centre = torch.arange(view.source[axis], dtype=torch.float64) + 0.5
    inside = (centre > start) & (centre < start + length)
    at = ((centre - start) * size / length - 0.5).clamp(0, size - 1)
    first = at.floor().long()
    return first, (first + 1).clamp(max=size - 1), (at - first).where(inside, -1)


def hidden_to_source(hidden: Hidden, views: Views) -> HiddenThere:
    """Lay masks of a view back onto the pixels of their sources; nothing is hidden outside the view."""
    wholes = [View.whole(view.source) for view in _one_each(views, len(hidden))]
    return hidden_through_view(hidden, views, wholes)


def hidden_through_view(hidden: Hidden, from_views: Views, to_views: Views) -> HiddenThere:
    """The masks of one view as another view of the same sources sees them.

    Each pixel takes the nearest one of `from_views` (as torch's `nearest` and cv2's INTER_NEAREST do); what
    `from_views` did not see is not hidden. Sources may differ in size, the results may not.
    """
    came, wanted = _one_each(from_views, len(hidden)), _one_each(to_views, len(hidden))
    for old, new in zip(came, wanted, strict=True):
        if old.source != new.source:
            raise InputError(
                f"expected two views of one source, got sources of {old.source} and {new.source}"
            )
        if old.size != tuple(hidden.shape[1:]):
            raise InputError(
                f"expected masks of {old.size} pixels, as their view, got {tuple(hidden.shape[1:])}"
            )
    if len({view.size for view in wanted}) != 1:
        raise InputError("expected views of one size, and at least one; give other sizes batch by batch")
    rows, columns = (_nearest(came, wanted, axis).to(hidden.device) for axis in (0, 1))
    seen = (rows >= 0)[:, :, None] & (columns >= 0)[:, None, :]
    samples = torch.arange(len(hidden), device=hidden.device)[:, None, None]
    return hidden[samples, rows[:, :, None], columns[:, None, :]] & seen


def random_views(
    source: tuple[int, int],
    size: tuple[int, int],
    ids: Sequence[str],
    *,
    epoch: int,
    seed: int,
    scale: tuple[float, float] = (0.7, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    flip: bool = True,
) -> tuple[View, ...]:
    """A crop for training, for each id; it depends on nothing but seed, epoch and id.

    Area (a share of the source, in `scale`) and width over height (in `ratio`, evenly in its logarithm) are
    drawn as in torchvision's RandomResizedCrop, then shortened to the source where they do not fit.
    """
    keys = keyed.sample_keys(ids, "view", seed, epoch)
    views = []
    for area, shape, down, across, mirror in keyed.uniform(keys[:, None], torch.arange(5)[None]).tolist():
        pixels = source[0] * source[1] * (scale[0] + area * (scale[1] - scale[0]))
        stretch = math.exp(math.log(ratio[0]) + shape * math.log(ratio[1] / ratio[0]))
        height = min(max(round(math.sqrt(pixels / stretch)), 1), source[0])
        width = min(max(round(math.sqrt(pixels * stretch)), 1), source[1])
        top, left = int(down * (source[0] - height + 1)), int(across * (source[1] - width + 1))
        views.append(View(source, (top, left, height, width), size, flip and mirror < 0.5))
    return tuple(views)


def _one_each(views: Views, count: int) -> Sequence[View]:
    if isinstance(views, View):
        return [views] * count
    if len(views) != count:
        raise InputError(f"expected one view, or one for each of {count} images, got {len(views)}")
    return views


def _seen(images: Images, view: View) -> Seen:
    if tuple(images.shape[2:]) != view.source:
        raise InputError(f"expected images of {view.source} pixels, got {tuple(images.shape[2:])}")
    top, left, height, width = view.box
    if all(float(number).is_integer() for number in view.box):
        seen = resize(cut(images, int(top), int(left), int(height), int(width)), view.size)
    else:  # The cut of a resized image.
        down, across = view.size[0] / height, view.size[1] / width
        whole = (round(view.source[0] * down), round(view.source[1] * across))
        seen = cut(resize(images, whole), round(top * down), round(left * across), *view.size)
    return seen.flip(-1) if view.flip else seen


def _nearest(came: Sequence[View], wanted: Sequence[View], axis: int) -> Int64[Tensor, "b n"]:
    """Rows (axis 0) or columns (1) of the old view under those of the new one; -1 where it saw nothing."""
    old_start, old_length, old_size, old_mirrored = _side(came, axis)
    start, length, size, mirrored = _side(wanted, axis)
    at = torch.arange(wanted[0].size[axis])[None]
    at = torch.where(mirrored, size - 1 - at, at)
    # The new pixel begins at start + at * length / size in the source.
    begin = start - old_start + at * length / size
    found = (begin * old_size / old_length + _ROUNDING).floor().long()
    inside = (found >= 0) & (found < old_size)
    return torch.where(old_mirrored, old_size - 1 - found, found).where(inside, -1)


def _side(views: Sequence[View], axis: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Start, length, size and mirroring of one axis of each view, (b, 1) each."""
    sides = [(view.box[axis], view.box[axis + 2], view.size[axis], view.flip and axis == 1) for view in views]
    start, length, size, mirrored = torch.tensor(sides, dtype=torch.float64)[:, :, None].unbind(1)
    return start, length, size.long(), mirrored.bool()

"""What is written for one image: masked, its mask, or an overlay, at the pixels of the file, upright."""

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8, UInt16
from PIL import Image

from masktune.data.decode import Picture
from masktune.data.pixels import Pixels, to_pixels
from masktune.masking import Fill
from masktune.types import PixelRange

What = Literal["masked", "masks", "maps", "overlays"]

Values = UInt8[np.ndarray, "_ _ _"] | UInt16[np.ndarray, "_ _ _"]

_SUFFIX = {"masked": ".png", "masks": ".png", "overlays": ".jpg"}
_LARGEST = 65535
_HEAT_SHARE = 0.5
"""Of a pixel of the overlay; the rest is the image."""


def file_names(samples: Sequence[str], what: What) -> dict[str, str]:
    """Where the file for each sample goes, relative to a folder of their own; no two alike in any case.

    Where two would be, their old endings stay in the names; where that does not part them, such as
    `a.png` and `a.png.webp`, a hash of the sample does.
    """
    names = {sample: _file_name(sample, _SUFFIX[what]) for sample in samples}
    names |= {sample: _file_name(sample, _SUFFIX[what], whole=True) for sample in _alike(names)}
    for sample in _alike(names):
        digest = hashlib.sha256(sample.encode()).hexdigest()[:8]
        names[sample] = _file_name(sample, f".{digest}{_SUFFIX[what]}", whole=True)
    return names


def _alike(names: Mapping[str, str]) -> list[str]:
    """The samples whose names are alike but for small and capital letters, as some disks take them."""
    often = Counter(name.casefold() for name in names.values())
    return [sample for sample, name in names.items() if often[name.casefold()] > 1]


def _file_name(sample: str, suffix: str, *, whole: bool = False) -> str:
    """Never outside of the folder; `whole` keeps the old ending."""
    parts = [part for part in sample.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    name = parts[-1].replace(":", "_")
    stem, dot, _ = name.rpartition(".")
    parts[-1] = (name if whole or not dot or not stem else stem) + suffix
    return "/".join(part.replace(":", "_") for part in parts)


def masked_image(
    picture: Picture, hidden: Bool[np.ndarray, "h w"], fill: Fill, sample: str, rule: PixelRange
) -> Values:
    """The image with the hidden pixels replaced; all others keep their bits.

    8 and 16 bits stay as they are. What a PNG cannot hold, such as floats or DICOM's own units, becomes 16
    bits from black to white by `rule`.
    """
    values = picture.values
    if values.dtype not in (np.uint8, np.uint16):
        values = _sixteen_bits(to_pixels(picture, rule))
    pixels = values if values.dtype == np.uint8 else values.astype(np.float32) / _LARGEST
    filled = fill(_batch(pixels), torch.from_numpy(hidden)[None], [sample])[0].permute(1, 2, 0).numpy()
    masked = values.copy()
    masked[hidden] = (filled if filled.dtype == np.uint8 else _sixteen_bits(filled))[hidden]
    return masked


def mask_image(hidden: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 1"]:
    """White where the pixel is hidden, else black."""
    return np.where(hidden, np.uint8(255), np.uint8(0))[:, :, None]


def overlay_image(
    picture: Picture, heat: Float32[np.ndarray, "h w"], seen: Bool[np.ndarray, "h w"], rule: PixelRange
) -> UInt8[np.ndarray, "h w 3"]:
    """The image under its saliency map, from blue (0) by green to red (1); as it is where nothing is seen."""
    pixels = to_pixels(picture, rule)
    grey_or_colour = pixels if pixels.dtype == np.uint8 else pixels * 255
    # "jet", as heat maps usually are: three hats, each a quarter of the range further on.
    colours = (1.5 - np.abs(4 * heat[:, :, None] - np.array([3, 2, 1]))).clip(0, 1) * 255
    mixed = _HEAT_SHARE * colours + (1 - _HEAT_SHARE) * grey_or_colour
    shown: UInt8[np.ndarray, "h w 3"] = (
        np.where(seen[:, :, None], mixed, grey_or_colour).round().astype(np.uint8)
    )
    return shown


def encode(values: Values, what: What) -> bytes:
    """As a file: PNG for what must be exact, JPEG for what is to be looked at."""
    image = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    file = io.BytesIO()
    if what == "overlays":
        image.save(file, "JPEG", quality=90)
    else:
        image.save(file, "PNG", compress_level=3)  # Within a few per cent of 6's size in a third of its time.
    return file.getvalue()


def _sixteen_bits(pixels: Pixels) -> UInt16[np.ndarray, "_ _ _"]:
    return (pixels.astype(np.float32) * _LARGEST).round().astype(np.uint16)


def _batch(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]

"""JPEG files as arrays: by simplejpeg where it is installed (extra `fast`), else by Pillow; equal pixels."""

from types import ModuleType
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

try:
    import simplejpeg as _fast
except ImportError:
    _fast = None

simplejpeg: ModuleType | None = _fast
"""None makes Pillow decode; tests compare the two."""

REDUCTIONS = (8, 4, 2)
"""A JPEG can be decoded at 1/8, 1/4 or 1/2 of its size for a fraction of the work."""


def decode_jpeg(
    content: bytes, image: Image.Image, channels: Literal[1, 3], reduction: int
) -> UInt8[np.ndarray, "h w c"]:
    """Decode a grey or YCbCr file, as `image` that Pillow has opened it, at 1/`reduction` of its size."""
    grey = channels == 1 or image.mode == "L"
    width, height = image.size
    least = (-(-height // reduction), -(-width // reduction))
    if simplejpeg is not None:
        try:
            space = "GRAY" if grey else "RGB"
            values: UInt8[np.ndarray, "h w c"] = simplejpeg.decode_jpeg(
                content, space, min_height=least[0] * (reduction > 1), min_width=least[1] * (reduction > 1)
            )
            return values
        except ValueError:
            pass  # It is stricter than viewers are; Pillow has the last word.
    image.draft("L" if grey else "RGB", (width // reduction, height // reduction))
    values = np.array(image)  # A copy: torch warns of arrays that cannot be written to.
    return values[:, :, None] if values.ndim == 2 else values


def reduction_for(size: tuple[int, int], wanted: tuple[int, int], gap: float) -> int:
    """The strongest reduction that keeps each side at `gap` times what is wanted, or 1."""
    fits = (n for n in REDUCTIONS if all(s / n >= gap * w for s, w in zip(size, wanted, strict=True)))
    return next(fits, 1)

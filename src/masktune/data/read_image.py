"""One image file, as a net wants it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image

from masktune.data.decode import decode, opened
from masktune.data.pixels import to_pixels
from masktune.errors import InputError
from masktune.masking.fit import Fit
from masktune.types import InputSpec, View

Seen = UInt8[np.ndarray, "h w c"] | Float32[np.ndarray, "h w c"]

Preprocess = Callable[[Image.Image], Any]
"""A user's own way from an opened image to (h, w, c), or (c, h, w) as a tensor; uint8 or floats in [0, 1]."""


def read_image(content: bytes, spec: InputSpec, preprocess: Preprocess | None = None) -> tuple[Seen, View]:
    """Decode a file and fit it to `spec`; the view says which part of the upright image is seen.

    With `preprocess` the geometry is not known, so the view shows what it gave as a whole.

    Raises:
        DataDamaged: see `decode` and `to_pixels`.
        InputError: `preprocess` gave something else than `spec` says.
    """
    if preprocess is not None:
        seen = _preprocessed(preprocess, content, spec)
        return seen, View.whole(spec.size)
    picture = decode(content, 1 if spec.channels == 1 else 3, lambda size: Fit.of(size, spec).whole)
    fit = Fit.of(picture.size, spec)
    pixels = torch.from_numpy(to_pixels(picture, spec.range)).permute(2, 0, 1)[None]
    fitted = fit.apply(pixels, spec.interpolation)[0].permute(1, 2, 0).numpy()
    # Laid out here, in the thread that reads: it costs as much as the resize.
    return np.ascontiguousarray(np.broadcast_to(fitted, (*spec.size, spec.channels))), fit.view


def _preprocessed(preprocess: Preprocess, content: bytes, spec: InputSpec) -> Seen:
    with opened(content) as image:
        given = preprocess(image)
        if isinstance(given, torch.Tensor):
            given = given.detach().cpu().numpy()
            given = np.moveaxis(given, 0, -1) if given.ndim == 3 else given
        array = np.array(given)  # Here, as the image itself may have been given back.
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape != (*spec.size, spec.channels):
        height, width = spec.size
        raise InputError(
            f"expected {height}x{width} pixels of {spec.channels} channels from --preprocess, got "
            f"{array.shape}; give (height, width, channels), or (channels, height, width) as a tensor"
        )
    if array.dtype == np.uint8:
        return array
    floats: Float32[np.ndarray, "h w c"] = array.astype(np.float32)
    if not (floats.min() >= 0 and floats.max() <= 1):
        raise InputError(
            f"expected uint8 or floats in [0, 1] from --preprocess, got {floats.min():.3g} to "
            f"{floats.max():.3g}; leave normalising to --mean and --std"
        )
    return floats

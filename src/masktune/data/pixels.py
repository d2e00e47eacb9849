"""From a file's own values to pixels: uint8 as they are, everything finer as float32 in [0, 1]."""

import numpy as np
from jaxtyping import Float32, UInt8

from masktune.data.decode import Picture, Values
from masktune.errors import DataDamaged
from masktune.types import Number, PixelRange

Pixels = UInt8[np.ndarray, "h w c"] | Float32[np.ndarray, "h w c"]

_PERCENTILES = (1, 99)


def to_pixels(picture: Picture, rule: PixelRange = "dtype") -> Pixels:
    """What becomes 0 and 1, by `InputSpec.range`; values beyond are cut off, 16 bits are never put into 8.

    `dtype`: what a viewer shows as black and white. `percentile`: the 1st and 99th of this image. Two
    numbers: in the file's own units. A file that says that it is inverted is inverted under every rule.

    Raises:
        DataDamaged: the values are not finite, or are floats outside [0, 1] and no range is given.
    """
    values = picture.values
    if values.dtype == np.uint8 and rule == "dtype":
        return values
    if values.dtype == np.float32 and not np.isfinite(values).all():
        raise DataDamaged("holds values that are no finite numbers")
    low, high = _ends(picture, rule)
    if (low, high) == (0, 1):
        _check_floats(values)
    scaled: Pixels = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return scaled.clip(0, 1)


def as_floats(pixels: UInt8[np.ndarray, "..."] | Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Bytes as float32 in [0, 1], as a 16-bit image among them has it; floats stay as they are."""
    return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels


def _ends(picture: Picture, rule: PixelRange) -> tuple[Number, Number]:
    """The values of black and white."""
    if rule == "dtype":
        return picture.black, picture.white
    low, high = (
        (float(end) for end in np.percentile(picture.values, _PERCENTILES)) if rule == "percentile" else rule
    )
    if high <= low:  # All pixels alike: any scale will do.
        high = low + 1
    return (low, high) if picture.black < picture.white else (high, low)


def _check_floats(values: Values) -> None:
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise DataDamaged(
            f"holds floats from {low:g} to {high:g}, not 0 to 1; say what is black and white: --range LO HI"
        )

"""One decoder: the bytes of an image file become the picture that a viewer shows.

Turned upright as EXIF says, transparent parts laid on white, of several frames the first. Nothing else in the
library mentions a decoder.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16
from PIL import Image, UnidentifiedImageError

from masktune.data.dicom import decode_dicom, is_dicom
from masktune.data.jpeg import decode_jpeg, reduction_for
from masktune.errors import DataDamaged, MasktuneError, MasktuneWarning
from masktune.types import Number

Values = (
    UInt8[np.ndarray, "_ _ _"]
    | UInt16[np.ndarray, "_ _ _"]
    | Int32[np.ndarray, "_ _ _"]
    | Float32[np.ndarray, "_ _ _"]
)
Size = tuple[int, int]

REDUCING_GAP = 2.0
"""A JPEG is decoded at half, a quarter or an eighth of its size as long as each side keeps this many times
the pixels that are wanted: Pillow's own choice for thumbnails. What it changes: docs/results/loading.md."""

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on files that are damaged."""

_ORIENTATION = 0x0112
_LARGEST = 65535
"""White of 16 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image, upright."""

    values: Values
    """(h, w, c) in the file's own units; 1 channel for a grey file, else as many as were asked for."""
    size: Size
    """Height and width of the whole image; larger than `values` if it was decoded at a reduced size."""
    black: Number
    """The value that a viewer shows as black."""
    white: Number
    """The value that a viewer shows as white; below `black` where the file says that it is inverted."""


def decode(
    content: bytes, channels: Literal[1, 3] = 3, wanted: Callable[[Size], Size] | None = None
) -> Picture:
    """Decode a JPEG, PNG, WebP, BMP, TIFF, GIF, DICOM or whatever else Pillow knows; the content counts.

    Args:
        content: of the file.
        channels: 1 turns colour into grey; a grey file stays grey.
        wanted: from the size of the upright image to the size that it will be resized to; a JPEG may then be
            decoded at a fraction of its size.

    Raises:
        DataDamaged: empty, truncated, damaged, no image, or with more pixels than can be true; the message
            continues a sentence that begins with the file's name.
        MissingExtra: it is DICOM and pydicom is not installed.
    """
    if is_dicom(content):
        values, black, white = decode_dicom(content)
        return Picture(_in_channels(values, channels), _size(values), black, white)
    with opened(content) as image:
        return _pictured(content, image, channels, wanted)


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """Open an image with Pillow, not turned yet; whatever goes wrong in the block is said as in `decode`."""
    if not content:
        raise DataDamaged("is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format != "JPEG":
                _warn_of_lost_bits(image)
                image.load()  # Asked for EXIF first, a damaged PNG would fail there, and not here any more.
            yield image
    except MasktuneError:
        raise
    except UnidentifiedImageError as error:
        raise DataDamaged(_no_image(content)) from error
    except Image.DecompressionBombError as error:
        raise DataDamaged("claims more pixels than an image has (a decompression bomb?)") from error
    except MemoryError as error:
        raise DataDamaged("needs more memory than there is") from error
    except _DAMAGE as error:
        raise DataDamaged(
            f"is truncated or damaged ({str(error).strip() or type(error).__name__})"
        ) from error


def pictured(image: Image.Image, channels: Literal[1, 3] = 3) -> Picture:
    """An image that Pillow has opened or made, by the same rules."""
    values, white = _values(image, channels)
    upright = _upright(values, _orientation(image))
    return Picture(upright, _size(upright), 0, white)


def _pictured(
    content: bytes, image: Image.Image, channels: Literal[1, 3], wanted: Callable[[Size], Size] | None
) -> Picture:
    if image.format != "JPEG" or image.mode not in ("L", "RGB"):
        return pictured(image, channels)
    orientation = _orientation(image)
    size = image.size if orientation > 4 else (image.height, image.width)
    reduction = 1 if wanted is None else reduction_for(size, wanted(size), REDUCING_GAP)
    return Picture(_upright(decode_jpeg(content, image, channels, reduction), orientation), size, 0, 255)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; 1 where there is none or it is broken. Pillow turns TIFF files itself."""
    if image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return found if found in range(1, 9) else 1


def _upright(values: Values, orientation: int) -> Values:
    """Turn as EXIF says: from 5 on rows are columns, then two bits say from which end they are counted."""
    if orientation == 1:
        return values
    turned = values.swapaxes(0, 1) if orientation > 4 else values
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _values(image: Image.Image, channels: Literal[1, 3]) -> tuple[Values, Number]:
    """The values of any kind of image, and its white."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, None], _LARGEST
    if mode == "I":  # 16 bits too in a PNG or PGM.
        return np.asarray(image)[:, :, None], _LARGEST if image.format in ("PNG", "PPM") else 2**31 - 1
    if mode == "F":
        return np.asarray(image)[:, :, None], 1
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
    grey = channels == 1 or mode in ("1", "L", "LA", "La")
    values = np.array(image.convert("L" if grey else "RGB"))
    return values[:, :, None] if grey else values, 255


def _warn_of_lost_bits(image: Image.Image) -> None:
    """Before it is loaded: then it is forgotten how the file holds its values."""
    tiles = getattr(image, "tile", [])
    if not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in tiles):
        warnings.warn(
            "some images have 16 bits a colour, of which Pillow reads 8; save them as 16-bit grey, or give a "
            "Dataset of your own, to use them all",
            MasktuneWarning,
            stacklevel=2,
        )


def _no_image(content: bytes) -> str:
    """Say what it is instead, as far as its first bytes tell."""
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return "is a HEIF photo, which Pillow cannot read; convert it to JPEG"
    if content.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the image itself; run `git lfs pull`"
    if content[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not an image; download it again"
    return "is no image that Pillow can read"


def _in_channels(values: Values, channels: Literal[1, 3]) -> Values:
    """Colour as grey where that is asked for (ITU-R 601, as Pillow's)."""
    if channels == 1 and values.shape[2] == 3:
        grey: Float32[np.ndarray, "h w"] = np.dot(values, np.array([0.299, 0.587, 0.114])).astype(np.float32)
        return grey[:, :, None]
    return values


def _size(values: Values) -> Size:
    return values.shape[0], values.shape[1]

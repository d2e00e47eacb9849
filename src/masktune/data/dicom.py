"""DICOM: single frames as a viewer shows them (extra `dicom`)."""

import io
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from masktune.errors import DataDamaged, MissingExtra
from masktune.types import Number

Values = UInt8[np.ndarray, "_ _ _"] | Float32[np.ndarray, "h w c"]

_MAGIC = slice(128, 132)


def is_dicom(content: bytes) -> bool:
    """Whether a file is DICOM: "DICM" stands behind a preamble of 128 bytes."""
    return content[_MAGIC] == b"DICM"


def decode_dicom(content: bytes) -> tuple[Values, Number, Number]:
    """Values in the units of the modality (Hounsfield in CT), and those shown as black and as white.

    That is rescale slope and intercept, then the first window; where there is none, all that the stored bits
    can hold. MONOCHROME1 is shown inverted, so its black is above its white. Colour is 8 bit.

    Raises:
        MissingExtra: pydicom is not installed.
        DataDamaged: no image in it, several frames, or compressed in a way that cannot be read.
    """
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtra("DICOM files need pydicom; type: pip install 'masktune[dicom]'") from error
    try:
        read: Any = pydicom.dcmread(io.BytesIO(content))
        frames = int(getattr(read, "NumberOfFrames", None) or 1)
        if "PixelData" not in read:
            raise DataDamaged("is DICOM without an image in it")
        if frames > 1:
            raise DataDamaged(f"is DICOM of {frames} frames; export the one that you want")
        return _shown(read)
    except DataDamaged:
        raise
    except Exception as error:  # pydicom's plug-ins raise what they like.
        reason = " ".join(str(error).split())[:160]
        raise DataDamaged(f"is DICOM that cannot be read ({reason})") from error


def _shown(read: Any) -> tuple[Values, Number, Number]:
    kind = str(read.PhotometricInterpretation)
    if int(read.SamplesPerPixel) == 3 and int(read.BitsAllocated) == 8:
        from pydicom.pixels.utils import pixel_array

        return pixel_array(read), 0, 255  # YBR is turned into RGB.
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataDamaged(
            f"is DICOM in {kind}, {read.BitsAllocated} bits, which is not read; export it as PNG"
        )
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        if name in read and "WindowCenter" not in read:
            raise DataDamaged(f"is DICOM with a {name}, which is not applied; export it as PNG")
    slope, intercept = (float(read.get(name, usual)) for name, usual in _RESCALE)
    values = read.pixel_array.astype(np.float32) * slope + intercept
    black, white = _window(read) or _stored_range(read, slope, intercept)
    if kind == "MONOCHROME1":
        black, white = white, black
    return values[:, :, None], black, white


_RESCALE = (("RescaleSlope", 1), ("RescaleIntercept", 0))


def _window(read: Any) -> tuple[Number, Number] | None:
    """Lower and upper end of the first window; DICOM's linear function (PS3.3 C.11.2.1.2.1)."""
    centre, width = (_first(read.get(name)) for name in ("WindowCenter", "WindowWidth"))
    linear = str(read.get("VOILUTFunction") or "LINEAR") == "LINEAR"
    if centre is None or width is None or width <= linear:  # A width of 1 under LINEAR has no slope.
        return None
    if linear:
        return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    return centre - width / 2, centre + width / 2


def _first(value: Any) -> float | None:
    """One of several windows, or the only one."""
    if value is None or value == "":
        return None
    return float(value if isinstance(value, str | int | float) else next(iter(value)))


def _stored_range(read: Any, slope: float, intercept: float) -> tuple[Number, Number]:
    bits, signed = int(read.BitsStored), bool(read.PixelRepresentation)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    first, last = low * slope + intercept, high * slope + intercept
    return min(first, last), max(first, last)

"""What cameras and programs wrote beside the picture: EXIF, PNG's texts, the name of an ICC profile.

A report may show it, so what names a person or a place is left out: of such tags only that they are there.
"""

import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

from PIL import ExifTags, Image

LONGEST = 64
"""Characters of a value; longer ones are prose, not facts."""

_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)(?!\d)")
_CAMERA = ExifTags.IFD.Exif
_GPS = ExifTags.IFD.GPSInfo

_SAID_TO_BE_THERE = frozenset(
    (
        "Artist",
        "CameraOwnerName",
        "Copyright",
        "DocumentName",
        "HostComputer",
        "ImageDescription",
        "ImageHistory",
        "ImageID",
        "ImageUniqueID",
        "PageName",
        "Photographer",
        "UserComment",
        "XPAuthor",
        "XPComment",
        "XPKeywords",
        "XPSubject",
        "XPTitle",
    )
)
"""They hold names, free text, or a number of its own for each image."""

_LEFT_OUT = frozenset(
    (
        "ExifOffset",
        "GPSInfo",
        "ExifInteroperabilityOffset",
        "InteroperabilityIndex",
        "SubIFDs",
        "MakerNote",
        "StripOffsets",
        "StripByteCounts",
        "TileOffsets",
        "TileByteCounts",
        "JpegIFOffset",
        "JpegIFByteCount",
        "JPEGTables",
        "PrintImageMatching",
        "OffsetTime",
        "OffsetTimeOriginal",
        "OffsetTimeDigitized",
        "SubsecTime",
        "SubsecTimeOriginal",
        "SubsecTimeDigitized",
        "ImageWidth",
        "ImageLength",
        "BitsPerSample",
    )
)
"""Addresses within the file, times of day, and what is a fact of its own already."""

_PNG_TEXTS = {
    "Title": False,
    "Author": False,
    "Description": False,
    "Copyright": False,
    "Creation Time": True,
    "Software": True,
    "Disclaimer": False,
    "Warning": False,
    "Source": True,
    "Comment": False,
}
"""The keywords of the PNG specification (3rd edition, 11.3.3.2); true = its value is shown.

Others are left out: anybody may invent one for each file.
"""


def exif_of(image: Image.Image) -> Image.Exif:
    """EXIF, without decoding anything: a PNG's own `getexif` would."""
    return Image.Image.getexif(image)


def exif_facts(exif: Image.Exif) -> dict[str, str]:
    """Short values by name ("EXIF Make"): numbers without units, dates without the time of day."""
    tags = dict(exif)
    if not tags:
        return {}
    facts = {"EXIF has GPS": "yes" if _GPS in tags else "no"}
    if _CAMERA in tags:
        tags |= exif.get_ifd(_CAMERA)
    for tag, value in tags.items():
        name = ExifTags.TAGS.get(tag, "")
        if name in _SAID_TO_BE_THERE:
            facts[f"EXIF has {name}"] = "yes"
        elif name and name not in _LEFT_OUT and (text := as_fact(value)):
            facts[f"EXIF {name}"] = text
    if taken := _DATE.match(facts.get("EXIF DateTimeOriginal", "")):
        facts["EXIF year"] = taken[1]
    return facts


def png_facts(info: Mapping[Any, Any]) -> dict[str, str]:
    """PNG's registered texts ("PNG Software") and its gamma, of what Pillow found before the pixels."""
    facts = {}
    for name, shown in _PNG_TEXTS.items():
        if name in info and shown and (text := as_fact(info[name])):
            facts[f"PNG {name}"] = text
        elif name in info and not shown:
            facts[f"PNG has {name}"] = "yes"
    if gamma := as_fact(info.get("gamma")):
        facts["PNG gamma"] = gamma
    return facts


def profile_name(profile: bytes) -> str:
    """The description of an ICC profile ("sRGB IEC61966-2.1"); "unnamed" where none can be read.

    Source: ICC.1:2022, 7.3 (table of tags) and 10.15; ICC.1:2001-04, 6.5.17, for the older kind of text.
    """
    for entry in range(132, 132 + 12 * min(_long(profile, 128), 100), 12):
        if profile[entry : entry + 4] == b"desc":
            text = profile[_long(profile, entry + 4) :]
            if text[:4] == b"mluc":  # In several languages: the first of them.
                at = _long(text, 24)
                return as_fact(text[at : at + _long(text, 20)].decode("utf-16-be", "replace")) or "unnamed"
            return as_fact(text[12 : 12 + _long(text, 8)]) or "unnamed"
    return "unnamed"


def as_fact(value: Any) -> str:
    """A number or a short text as a string; "" for what is neither. A date loses its time of day."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Real):  # Pillow's fractions too.
        return _number(float(value))
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        return ""
    text = " ".join(value.split("\0")[0].split())
    if len(text) > LONGEST or not text.isprintable() or "\ufffd" in text:
        return ""
    date = _DATE.match(text)
    return "-".join(date.groups()) if date else text


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _long(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")

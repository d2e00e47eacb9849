"""What files tell without being decoded: their names, headers, EXIF and DICOM tags.

A classifier may lean on the camera, the program or the site behind such a fact; itself it never sees it.
"""

import io
import math
import re
import sys
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped
from PIL import Image

from masktune.data.contents import FilesOnDisk
from masktune.data.dicom import is_dicom
from masktune.data.dicom_tags import dicom_facts
from masktune.data.exif import as_fact, exif_facts, exif_of, png_facts, profile_name
from masktune.data.names import split_name
from masktune.data.samples import Samples
from masktune.data.threads import cores, pool
from masktune.errors import DataDamaged
from masktune.types import Progress, Step, silent

_AT_ONCE = 64
"""Images between two steps of the progress."""

_NAME_PARTS = 4
"""Parts of a file's name that get a column each."""

_WORD = 3
"""Letters from which on a part of a class's name is no coincidence."""

_DEPTHS = {"1": 1, "I": 32, "F": 32}
"""Bits of the modes of Pillow that do not have 8."""

_SUBSAMPLINGS = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
"""By how many times the brightness is finer than the colour: across, down."""

# fmt: off
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
])
"""ITU-T T.81, table K.1, row by row, as Pillow gives tables since 8.3."""
# fmt: on


def all_facts(
    samples: Samples, *, threads: int | None = None, progress: Progress = silent
) -> dict[str, Shaped[np.ndarray, " n"]]:
    """What names and headers tell of all images: columns of strings (dtype object), "" where one has none.

    Columns in which all images are alike are left out, and so are folders and parts of names that are just
    the image's class (or a word of it) or its split. Files that cannot be read tell what their names do.
    """
    columns = _name_facts(samples)
    readers = pool(threads or cores())
    progress(Step("reading headers", 0, len(samples)))
    for start in range(0, len(samples), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(samples))
        found = readers.map(partial(_read, samples), range(start, stop))
        for position, facts in enumerate(found, start):
            for name, value in facts.items():
                if name not in columns:
                    columns[name] = np.full(len(samples), "", dtype=object)
                columns[name][position] = sys.intern(value)
        progress(Step("reading headers", stop, len(samples)))
    return {name: values for name, values in columns.items() if (values != values[:1]).any()}


def facts_of(content: bytes) -> dict[str, str]:
    """What one file's header tells: numbers as strings too, without units; no pixel is decoded.

    "file size" is in bytes, "JPEG quality" IJG's from 1 to 100 that comes nearest, "EXIF ExposureTime" in
    seconds. What a damaged header hides is left out.
    """
    facts: dict[str, str] = {}
    if is_dicom(content):
        facts["file format"] = "DICOM"
        facts |= _or_nothing(dicom_facts, content)
    elif content:
        facts |= _or_nothing(_opened, content)
    facts["file size"] = str(len(content))
    width, height = int(facts.get("width", 0)), int(facts.get("height", 0))
    if width > 0 and height > 0:
        facts["aspect ratio"] = f"{width / height:.2f}"
        facts["bytes per pixel"] = f"{len(content) / (width * height):.3g}"
    return facts


def _read(samples: Samples, position: int) -> dict[str, str]:
    try:
        return facts_of(samples.contents.read(position))
    except (DataDamaged, OSError):  # `check_images` names such files.
        return {}


def _or_nothing(read: Callable[..., dict[str, str]], *arguments: Any) -> dict[str, str]:
    """What can be read; damaged headers make Pillow and pydicom raise whatever comes."""
    try:
        return read(*arguments)
    except Exception:  # noqa: BLE001
        return {}


def _opened(content: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(content)) as image:
        facts = {"file format": str(image.format)}
        exif = Image.Exif()
        try:
            exif = exif_of(image)
        except Exception:  # noqa: BLE001  # As above; the rest of the header may be sound.
            facts["EXIF is damaged"] = "yes"
        for read in (partial(_size, exif=exif), _kind, _resolution, _jpeg):
            facts |= _or_nothing(read, image)
        if image.format == "PNG":
            facts["bit depth"] = str(content[24])  # Pillow spreads fewer than 8 bits.
            facts |= _or_nothing(png_facts, image.info)
        facts |= _or_nothing(exif_facts, exif)
    return facts


def _size(image: Image.Image, exif: Image.Exif) -> dict[str, str]:
    """Upright, as `decode` turns it. Some versions of Pillow have turned the size of a TIFF already."""
    width, height = (exif[256], exif[257]) if image.format == "TIFF" else image.size
    if exif.get(0x0112, 1) in (5, 6, 7, 8):
        width, height = height, width
    return {"width": str(width), "height": str(height)}


def _kind(image: Image.Image) -> dict[str, str]:
    mode = image.mode
    if mode in ("P", "PA"):
        word = "palette"
    elif mode[:1] in ("1", "L", "I", "F") and mode != "LAB":
        word = "grey"
    else:
        word = f"{mode} colour" if mode in ("CMYK", "LAB") else "colour"
    if image.has_transparency_data:
        word += " with transparency"
    depth = 16 if mode.startswith("I;16") else _DEPTHS.get(mode, 8)
    if image.format == "PPM" and mode == "I":
        depth = 16
    elif image.format == "TIFF":
        depth = getattr(image, "tag_v2").get(258, (1,))[0]  # noqa: B009  # Only TIFF's class has it.
    facts = {"mode": word, "bit depth": str(depth)}
    if profile := image.info.get("icc_profile"):
        facts["ICC profile"] = profile_name(profile)
    return facts


def _resolution(image: Image.Image) -> dict[str, str]:
    across, down = (float(number) for number in image.info["dpi"])
    if not (math.isfinite(across) and math.isfinite(down) and min(across, down) > 0):
        return {}
    text = f"{across:.0f}" if round(across) == round(down) else f"{across:.0f} x {down:.0f}"
    return {"resolution (dpi)": text}


def _jpeg(image: Any) -> dict[str, str]:
    """Also of MPO, which is JPEG with a second picture."""
    if not hasattr(image, "quantization"):
        return {}
    facts = {"progressive": "yes" if image.info.get("progressive") else "no"}
    table = image.quantization[image.layer[0][3]]
    facts["JPEG quality"] = str(_quality(tuple(table)))
    if comment := as_fact(image.info.get("comment")):
        facts["JPEG comment"] = comment
    if len(image.layer) == 3:
        (_, across, down, _), others = image.layer[0], {layer[1:3] for layer in image.layer[1:]}
        plain = _SUBSAMPLINGS.get((across, down)) if others == {(1, 1)} else None
        facts["JPEG subsampling"] = plain or " ".join(f"{layer[1]}x{layer[2]}" for layer in image.layer)
    return facts


@lru_cache(maxsize=256)
def _quality(table: tuple[int, ...]) -> int:
    """IJG's quality whose table for brightness is nearest: exact for files of libjpeg and Pillow."""
    return int(np.abs(_tables() - np.array(table)).sum(1).argmin()) + 1


@cache
def _tables() -> Int64[np.ndarray, "100 64"]:
    """By quality from 1: `jpeg_quality_scaling` and `jpeg_add_quant_table` of libjpeg's jcparam.c."""
    quality = np.arange(1, 101, dtype=np.int64)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.asarray(((_LUMINANCE * scale + 50) // 100).clip(1, 255), dtype=np.int64)


def _name_facts(samples: Samples) -> dict[str, Shaped[np.ndarray, " n"]]:
    """Parts of the ids, where these are names of files and no numbers of rows."""
    paths = [PurePosixPath(name) for name in samples.ids.tolist()]
    if not isinstance(samples.contents, FilesOnDisk) and not any(path.suffix for path in paths):
        return {}
    stems = [path.stem for path in paths]
    columns = _folders([path.parts[:-1] for path in paths])
    columns["name prefix"] = [_first(r"[^\W\d_]+", stem, re.match) for stem in stems]
    columns["name number"] = [_without_zeros(_first("[0-9]+", stem, re.search)) for stem in stems]
    columns["name length"] = [str(len(stem)) for stem in stems]
    columns["name extension"] = [path.suffix[1:] for path in paths]
    parts = [re.split(r"[-_. ]+", stem) for stem in stems]
    if len({len(words) for words in parts}) == 1 < len(parts[0]):
        for part in range(min(len(parts[0]), _NAME_PARTS)):
            values = [words[part] for words in parts]
            if values not in columns.values():  # Not once more what the prefix or the number is.
                columns[f"name part {part + 1}"] = values
    return {
        name: np.array([sys.intern(value) for value in values], dtype=object)
        for name, values in columns.items()
        if not all(_says_nothing_new(samples, position, value) for position, value in enumerate(values))
    }


def _folders(parents: list[tuple[str, ...]]) -> dict[str, list[str]]:
    """One column a level, the outermost first."""
    deepest = max(map(len, parents), default=0)
    return {
        f"folder {level + 1}": [folders[level] if level < len(folders) else "" for folders in parents]
        for level in range(deepest)
    }


def _says_nothing_new(samples: Samples, position: int, value: str) -> bool:
    """Whether it is the image's class, a word out of the class's name, or the split."""
    word, label = value.casefold(), samples.classes[samples.labels[position]].casefold()
    if word == label or (len(word) >= _WORD and word in label):
        return True
    return samples.splits is not None and (split_name(value) or value) == str(samples.splits[position])


def _first(pattern: str, text: str, find: Callable[[str, str], re.Match[str] | None]) -> str:
    found = find(pattern, text)
    return found[0] if found else ""


def _without_zeros(digits: str) -> str:
    return digits.lstrip("0") or digits[:1]

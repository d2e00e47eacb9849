"""What is kept of some images: small arrays, put together to those of all, or as a record in the run folder.

The records lie there until the run is done, so that one that is cut off goes on where it stopped.
"""

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, UInt8

from masktune.errors import DataDamaged
from masktune.files import complete_file, storage_errors
from masktune.findings.observed import AREAS, Area
from masktune.findings.properties import PROPERTIES

_FOLDER = "chunks"
_REMEDY = "delete it, and its images run again"
_DAMAGE = (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on files that are no, or only half, archives of these arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What is kept of some images that follow one another; fields as in `Observed`."""

    logits: Float32[np.ndarray, "b k"]
    hidden_logits: Mapping[Area, Float32[np.ndarray, "b k"]]
    low: Float16[np.ndarray, "b h w"]
    empty: Bool[np.ndarray, " b"]
    hidden: Float64[np.ndarray, " b"]
    where: UInt8[np.ndarray, "b 16 16"]
    tiny: UInt8[np.ndarray, "b 32 32 3"]
    seen: Float64[np.ndarray, " b"]
    properties: Mapping[str, Float64[np.ndarray, " b"]]
    layer: str
    """Where the maps were made."""
    formula: str
    """How they were made."""

    def __len__(self) -> int:
        return len(self.logits)

    def save(self, path: Path) -> None:
        """Write the record, complete or not at all."""
        with complete_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **_flat(self))

    @classmethod
    def load(cls, path: Path, images: int) -> "Part":
        """Read what `save` wrote of so many images.

        Raises:
            DataDamaged: it is truncated, or something else.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                part = _from_flat(arrays)
        except _DAMAGE as error:
            raise DataDamaged(f"{path} is damaged ({error}); {_REMEDY}") from error
        if len(part) != images:
            raise DataDamaged(f"expected {images} images in {path}, got {len(part)}; {_REMEDY}")
        return part


def joined(parts: Iterable[Part], images: int) -> Part:
    """All parts as one of so many images, in the order in which they come; layer and formula of the first.

    Each is copied into its place as it comes, so parts that are made or read one by one are never there all
    at once: with a thousand classes the logits alone of twenty thousand images take 320 MB.
    """
    whole: dict[str, Any] = {}
    start = 0
    for part in parts:
        flat = _flat(part)
        if not whole:
            whole = {name: _room(value, images) for name, value in flat.items()}
        for name, value in flat.items():
            if isinstance(value, np.ndarray):
                whole[name][start : start + len(part)] = value
        start += len(part)
    assert start == images
    return _from_flat(whole)


def path_of(folder: Path, start: int) -> Path:
    """Where the record of the images from this position on is kept in a run folder."""
    return folder / _FOLDER / f"{start:08d}.npz"


def remove_parts(folder: Path) -> None:
    """Remove all records: they hold tiny pictures, and a run that is done needs them no more."""
    with storage_errors(folder / _FOLDER, "remove"):
        if (folder / _FOLDER).exists():
            shutil.rmtree(folder / _FOLDER)


def _flat(part: Part) -> dict[str, Any]:
    """The fields by name, those of a mapping by "field/key"."""
    flat: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Mapping):
            flat |= {f"{field.name}/{key}": column for key, column in value.items()}
        else:
            flat[field.name] = value
    return flat


def _from_flat(flat: Mapping[str, Any]) -> Part:
    """What `_flat` gave; on disk the words are arrays too."""
    plain = ("logits", "low", "empty", "hidden", "where", "tiny", "seen")
    return Part(
        **{name: flat[name] for name in plain},
        hidden_logits={area: flat[f"hidden_logits/{area}"] for area in AREAS},
        properties={name: flat[f"properties/{name}"] for name in PROPERTIES},
        layer=str(flat["layer"]),
        formula=str(flat["formula"]),
    )


def _room(value: np.ndarray | str, images: int) -> np.ndarray | str:
    """An empty column for so many images; words are the same for all."""
    return value if isinstance(value, str) else np.empty((images, *value.shape[1:]), value.dtype)

"""What is kept of some images: small arrays, put together to those of all, or as a record in the run folder.

The records lie there until the run is done, so that one that is cut off goes on where it stopped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, UInt8

from masktune.errors import DataDamaged
from masktune.findings.observed import AREAS, Area
from masktune.findings.properties import PROPERTIES
from masktune.runs.chunks import REMEDY
from masktune.runs.fields import flat_fields, from_flat, load_fields, save_fields

_KEYS: Mapping[str, Iterable[str]] = {"hidden_logits": AREAS, "properties": PROPERTIES}


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
        save_fields(self, path)

    @classmethod
    def load(cls, path: Path, images: int) -> "Part":
        """Read what `save` wrote of so many images.

        Raises:
            DataDamaged: it is truncated, or something else.
        """
        part = load_fields(cls, path, REMEDY, _KEYS)
        if len(part) != images:
            raise DataDamaged(f"expected {images} images in {path}, got {len(part)}; {REMEDY}")
        return part


def joined(parts: Iterable[Part], images: int) -> Part:
    """All parts as one of so many images, in the order in which they come; layer and formula of the first.

    Each is copied into its place as it comes, so parts that are made or read one by one are never there all
    at once: with a thousand classes the logits alone of twenty thousand images take 320 MB.

    Raises:
        DataDamaged: they are of another number of images; a record went away while it was needed.
    """
    whole: dict[str, Any] = {}
    start = 0
    for part in parts:
        flat = flat_fields(part)
        if not whole:
            whole = {name: _room(value, images) for name, value in flat.items()}
        for name, value in flat.items():
            if isinstance(value, np.ndarray):
                whole[name][start : start + len(part)] = value
        start += len(part)
    if start != images:
        raise DataDamaged(
            f"expected records of {images} images, got those of {start}: one was taken away while it was "
            "needed; the same command again makes what is missing"
        )
    return from_flat(Part, whole, _KEYS)


def _room(value: np.ndarray | str, images: int) -> np.ndarray | str:
    """An empty column for so many images; words are the same for all."""
    return value if isinstance(value, str) else np.empty((images, *value.shape[1:]), value.dtype)

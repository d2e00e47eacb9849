"""The work is done a chunk at a time; a chunk's record is written last, so a run goes on where it stopped."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int64, Shaped

from masktune.runs.chunks import REMEDY
from masktune.runs.fields import load_fields, save_fields

SIZE = 128
"""Images in a chunk: what is lost at most when a run is cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What was found for some images, in the order of the data set."""

    ids: Shaped[np.ndarray, " n"]
    logits: Float32[np.ndarray, "n k"]
    """Of the image as it is."""
    classes: Int64[np.ndarray, " n"]
    """The class that the map explains."""
    hidden: Float64[np.ndarray, " n"]
    """Share of what the net sees that is hidden."""
    empty: Bool[np.ndarray, " n"]
    """The map itself is zero everywhere."""
    low: Float16[np.ndarray, "n h w"]
    """The map at layer size."""
    views: Float64[np.ndarray, "n 9"]
    """The part of the source that the net saw, as saved maps hold it."""

    def save(self, path: Path) -> None:
        """Write it, complete or not at all."""
        save_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> "Chunk":
        """Read what `save` wrote."""
        return load_fields(cls, path, REMEDY)


def together(chunks: list[Chunk]) -> Chunk:
    """All chunks as one."""
    columns = {
        field.name: np.concatenate([getattr(chunk, field.name) for chunk in chunks])
        for field in fields(Chunk)
    }
    return Chunk(**columns)

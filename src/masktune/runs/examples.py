"""A few images with their maps and masks, to look at."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8

from masktune.errors import DataDamaged
from masktune.files import complete_file


@dataclass(frozen=True, slots=True)
class Examples:
    """n images as the net sees them."""

    file_name: ClassVar[str] = "examples.npz"

    images: UInt8[np.ndarray, "n c h w"]
    masked: UInt8[np.ndarray, "n c h w"]
    """With the hidden area filled."""
    maps: Float32[np.ndarray, "n h w"]
    """In [0, 1]."""
    hidden: Bool[np.ndarray, "n h w"]
    titles: Shaped[np.ndarray, " n"]
    """What stands above an image: its group or class."""
    captions: Shaped[np.ndarray, " n"]
    """What stands above its masked version: what the classifier says."""

    def save(self, path: Path) -> None:
        """Write as .npz, complete or not at all."""
        with complete_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "Examples":
        """Read what `save` wrote."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataDamaged(
                f"{path} is damaged; delete it and its folder's rows.json, and run again"
            ) from error

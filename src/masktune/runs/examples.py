"""A few images with their maps and masks, to look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Shaped, UInt8
from torch import Tensor

from masktune.runs.fields import load_fields, save_fields
from masktune.saliency import enlarge
from masktune.types import Hidden, Images, as_float

Low = Float[Tensor, "n _ _"]
Words = Shaped[np.ndarray, " n"]


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

    @classmethod
    def of(
        cls, images: Images, masked: Images, low: Low, hidden: Hidden, titles: Words, captions: Words
    ) -> "Examples":
        """Examples of a batch in pixel space and its maps at layer size."""
        return cls(
            images=_bytes(images),
            masked=_bytes(masked),
            maps=enlarge(low, (hidden.shape[1], hidden.shape[2])).cpu().numpy(),
            hidden=hidden.cpu().numpy(),
            titles=titles,
            captions=captions,
        )

    def save(self, path: Path) -> None:
        """Write as .npz, complete or not at all."""
        save_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> "Examples":
        """Read what `save` wrote."""
        return load_fields(cls, path, "delete it and its folder's rows.json, and run again")


def _bytes(images: Images) -> UInt8[np.ndarray, "n c h w"]:
    return (as_float(images) * 255).round().to(torch.uint8).cpu().numpy()

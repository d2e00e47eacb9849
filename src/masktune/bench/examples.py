"""A few training images with their maps and masks, and what the classifier says before and after."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

from masktune.data import Dataset
from masktune.errors import DataDamaged
from masktune.files import complete_file
from masktune.methods import Fitted
from masktune.models.predict import predict
from masktune.saliency import enlarge
from masktune.types import as_float


@dataclass(frozen=True, slots=True)
class Examples:
    """n images, drawn evenly from the groups, to look at."""

    file_name: ClassVar[str] = "examples.npz"

    images: UInt8[np.ndarray, "n c h w"]
    masked: UInt8[np.ndarray, "n c h w"]
    """As the tuning epoch saw them."""
    maps: Float32[np.ndarray, "n h w"]
    """In [0, 1]."""
    hidden: Bool[np.ndarray, "n h w"]
    labels: Int64[np.ndarray, " n"]
    titles: Shaped[np.ndarray, " n"]
    """The group, or the class where groups are unknown."""
    before: Float32[np.ndarray, " n"]
    """Probability of the true class by the net whose maps these are, on the image as it is."""
    after: Float32[np.ndarray, " n"]
    """The same by the tuned net."""

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


def examples_of(data: Dataset, fitted: Fitted, each: int = 2) -> Examples:
    """The first `each` images of every group of a data set, by a method that has masks."""
    assert fitted.masks is not None
    names = np.array(data.classes)[data.labels] if data.groups is None else data.groups
    chosen = torch.tensor([at for name in np.unique(names) for at in np.flatnonzero(names == name)[:each]])
    batch = data.__getitems__(chosen).to(next(fitted.classifier.parameters()).device)
    hidden = fitted.masks.hidden(batch)
    height, width = hidden.shape[1:]
    at = np.arange(len(batch))
    before, after = (
        predict(classifier, [batch]).probabilities[at, data.labels[chosen]]
        for classifier in (fitted.masks.classifier, fitted.classifier)
    )
    return Examples(
        images=_bytes(batch.images),
        masked=_bytes(fitted.masks.hide(batch).images),
        maps=enlarge(fitted.masks.low(batch), (height, width)).cpu().numpy(),
        hidden=hidden.cpu().numpy(),
        labels=data.labels[chosen],
        titles=names[chosen],
        before=before.astype(np.float32),
        after=after.astype(np.float32),
    )


def _bytes(images: torch.Tensor) -> np.ndarray:
    return (as_float(images) * 255).round().to(torch.uint8).cpu().numpy()

"""Images in which it is known where the object lies: from masks, or from boxes."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int64
from PIL import Image
from torch import Tensor

from masktune.data.image_files import ImageFiles
from masktune.data.samples import Samples
from masktune.data.tables import read_table
from masktune.errors import DataDamaged, InputError
from masktune.files import storage_errors
from masktune.masking.geometry import hidden_through_view
from masktune.types import InputSpec, View

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@runtime_checkable
class Objects(Protocol):
    """Where the object lies in each image, found by the image's id."""

    def pixels(self, name: str, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """True on the object, in the image as it is stored, of this height and width."""


@dataclass(frozen=True, slots=True)
class ObjectMasks:
    """Masks in a zip: for each image a picture of its name and size, not 0 on the object.

    Raises:
        StorageError, DataDamaged: the zip cannot be read, has no such picture, or one of another size.
    """

    path: Path
    """Of the zip; in it `a/b.png` belongs to the image `a/b.jpg`."""

    def pixels(self, name: str, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """True on the object."""
        inside = str(Path(name).with_suffix(".png"))
        try:
            with storage_errors(self.path, "read"), zipfile.ZipFile(self.path) as archive:
                found = np.asarray(Image.open(io.BytesIO(archive.read(inside))).convert("L")) > 0
        except (KeyError, zipfile.BadZipFile) as error:
            raise DataDamaged(
                f"{self.path} has no mask {inside} ({error}); get the data set again"
            ) from error
        if found.shape != size:
            raise DataDamaged(
                f"expected a mask of {size} pixels for {name} in {self.path}, got {found.shape}"
            )
        return np.asarray(found)


@dataclass(frozen=True, slots=True)
class ObjectBoxes:
    """A box around the object of each image."""

    boxes: Mapping[str, Box]
    """By id."""

    def pixels(self, name: str, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """True on the pixels whose centre is in the box."""
        left, top, right, bottom = self.boxes[name]
        rows, columns = (np.arange(side) + 0.5 for side in size)
        down, across = (rows > top) & (rows < bottom), (columns > left) & (columns < right)
        return np.asarray(down[:, None] & across)


def read_boxes(path: Path, *names: str) -> dict[tuple[str, ...], Box]:
    """The boxes of a table with the columns x0, y0, x1, y1, by the values of these other columns.

    Raises:
        DataNotFound, DataDamaged, StorageError, InputError: it is no such table.
    """
    columns = read_table(path).columns
    sides = ("x0", "y0", "x1", "y1")
    missing = [name for name in (*names, *sides) if name not in columns]
    if missing:
        raise InputError(
            f"expected the columns {', '.join((*names, *sides))} in {path}, got {', '.join(columns)}"
        )
    keys = zip(*(columns[name] for name in names), strict=True)
    try:
        left, top, right, bottom = ([float(value) for value in columns[side]] for side in sides)
    except ValueError as error:
        raise DataDamaged(f"{path} has a box that is no number ({error}); get the data set again") from error
    return dict(zip(keys, zip(left, top, right, bottom, strict=True), strict=True))


class ImagesWithObjects(ImageFiles):
    """Image files in which it is known where the object lies; `KnowsObject`.

    Args:
        samples: as for `ImageFiles`.
        spec: as for `ImageFiles`.
        objects: where the objects are.
        threads: as for `ImageFiles`.
    """

    def __init__(
        self, samples: Samples, spec: InputSpec, objects: Objects, *, threads: int | None = None
    ) -> None:
        super().__init__(samples, spec, threads=threads)
        self.objects = objects

    def object_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Tensor:
        """Bool (b, h, w): true on the object, as the images show it."""
        batch, views = self.read(indices)
        found = [
            hidden_through_view(self._whole(name, view), View.whole(view.source), view)
            for name, view in zip(batch.ids, views, strict=True)
        ]
        return torch.cat(found)

    def _whole(self, name: str, view: View) -> Bool[Tensor, "1 h w"]:
        return torch.from_numpy(self.objects.pixels(name, view.source))[None]

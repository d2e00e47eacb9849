"""Made images as files: PNG and a manifest, the whole folder or nothing."""

import csv
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image
from torch import Tensor

from masktune.errors import InputError
from masktune.files import make_folder, storage_errors


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Images, and what the manifest says of them."""

    images: UInt8[Tensor, "n c h w"] | Float32[Tensor, "n c h w"]
    """In pixel space."""
    white: int
    """The value in a file that is 1 in a float image."""
    ids: Shaped[np.ndarray, " n"]
    """Paths within the folder."""
    columns: Mapping[str, Shaped[np.ndarray, " n"]]
    """By name, as words; without path and split."""


def save(parts: Mapping[str, Part], folder: Path) -> Path:
    """Write all images and `manifest.csv`; the name of a part is its split, "" leaves the column out.

    Raises:
        InputError: more than 8 bits in colour, or a folder that is not empty.
        StorageError: it cannot be written; then nothing is left behind.
    """
    for part in parts.values():
        if part.white > 255 and part.images.shape[1] == 3:
            raise InputError(
                "expected grey images or 8 bits, got more bits in colour, which Pillow cannot write; make "
                "them with bits=8 or channels=1"
            )
    with _complete_folder(folder) as made:
        rows = [row for split, part in parts.items() for row in _rows(split, part)]
        for part in parts.values():
            _write_images(part, made)
        with (made / "manifest.csv").open("w", newline="", encoding="utf-8") as opened:
            table = csv.DictWriter(opened, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    return folder / "manifest.csv"


def _rows(split: str, part: Part) -> Iterator[dict[str, str]]:
    """The lines of the manifest, in the order path, label, split, and the rest."""
    for at, path in enumerate(part.ids.tolist()):
        row = {"path": path, "label": str(part.columns["label"][at])}
        if split:
            row["split"] = split
        yield row | {name: str(column[at]) for name, column in part.columns.items() if name != "label"}


def _write_images(part: Part, folder: Path) -> None:
    for image, name in zip(part.images.numpy(), part.ids.tolist(), strict=True):
        values = image if part.white == 255 else np.rint(image * np.float32(part.white)).astype(np.uint16)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(
            values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))
        ).save(path)


@contextmanager
def _complete_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder` that becomes it when the block ends well, else goes away."""
    folder = folder.absolute()  # "." has no name that could be changed.
    with storage_errors(folder, "make the folder"):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"expected a new or empty folder, got {folder}; choose another or remove it")
    make_folder(folder.parent)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    with storage_errors(folder):
        try:
            part.mkdir()
            yield part
            part.replace(folder)  # An empty folder gives way.
        finally:
            shutil.rmtree(part, ignore_errors=True)

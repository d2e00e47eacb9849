"""Waterbirds, CelebA and the Backgrounds Challenge in their own layouts, with a few made pictures each."""

import csv
import io
import zipfile
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from masktune.data.official.imagenet9 import TESTS

SIZE = (40, 48)
"""Height and width."""


def picture(seed: int, thing: bool) -> Image.Image:
    """Noise, and a bright square in the middle if it shows the thing."""
    pixels = np.random.default_rng(seed).integers(0, 120, size=(*SIZE, 3)).astype(np.uint8)
    if thing:
        pixels[10:30, 14:34] = 230
    return Image.fromarray(pixels)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def waterbirds(root: Path, each: int = 3) -> Path:
    """`each` birds of every group in every split, with masks: the square is the bird."""
    rows: list[dict[str, object]] = []
    mask = np.zeros(SIZE, dtype=np.uint8)
    mask[10:30, 14:34] = 255
    content = io.BytesIO()
    Image.fromarray(mask).save(content, "PNG")
    with zipfile.ZipFile(root / "masks.zip", "w") as archive:
        for at, (split, y, place, _) in enumerate(product(range(3), range(2), range(2), range(each))):
            name = f"001.Made_Bird/Made_Bird_{at:04d}_{at}.jpg"
            save(picture(at, thing=True), root / name)
            archive.writestr(name.replace(".jpg", ".png"), content.getvalue())
            rows.append(
                {
                    "img_id": at + 1,
                    "img_filename": name,
                    "y": y,
                    "split": split,
                    "place": place,
                    "place_filename": "x",
                }
            )
    write_rows(root / "metadata.csv", rows)
    return root


def celeba(root: Path, each: int = 3) -> Path:
    """`each` faces of every group in every split, with two of Kaggle's tables."""
    attributes: list[dict[str, object]] = []
    partition: list[dict[str, object]] = []
    for at, (split, blond, male, _) in enumerate(product(range(3), (-1, 1), (-1, 1), range(each)), start=1):
        name = f"{at:06d}.jpg"
        save(picture(at, thing=blond == 1), root / "img_align_celeba" / name)
        attributes.append({"image_id": name, "Blond_Hair": blond, "Male": male, "Smiling": -blond})
        partition.append({"image_id": name, "partition": split})
    write_rows(root / "list_attr_celeba.csv", attributes)
    write_rows(root / "list_eval_partition.csv", partition)
    return root


def challenge(root: Path, folders: tuple[str, ...], each: int = 6) -> Path:
    """`each` images of every class in all variants, with boxes."""
    boxes: list[dict[str, object]] = []
    for (number, folder), at in product(enumerate(folders), range(each)):
        for variant in TESTS:
            name = f"fg_n{at}_bg_n{at}" if variant.startswith("mixed") else f"n{at}"
            save(picture(100 * number + at, thing=True), root / variant / "val" / folder / f"{name}.JPEG")
        boxes.append({"class": folder, "image": f"n{at}", "x0": 14, "y0": 10, "x1": 34, "y1": 30})
    write_rows(root / "boxes.csv", boxes)
    return root

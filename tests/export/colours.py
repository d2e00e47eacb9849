"""Images and nets of which a person knows what is looked at: red or blue patches on a green ground."""

import csv
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

SIZE = (16, 16)
"""Of what the net sees: each of its pixels is a block of those of a file."""

SHARE = 1 / 16
"""Of the picture that a patch takes: 4 x 4 of the net's pixels. `--top 0.0625` hides just it."""

NETS = '''
import torch
from torch import nn

from masktune.types import InputSpec


class Colours(nn.Module):
    """The mean of blue, and of red; its weights are in a file."""

    def __init__(self, classes=2):
        super().__init__()
        self.spec = InputSpec((16, 16), resize="squash")
        self.features = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU())
        self.head = nn.Linear(2, classes, bias=False)

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


class Spot(nn.Module):
    """One logit for grey images: above 0 if enough pixels lie above the middle of the range."""

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((16, 16), channels=1, resize="squash")
        self.features = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
        self.head = nn.Linear(1, 1)
        with torch.no_grad():
            for part, weight, bias in ((self.features[0], 1.0, -0.5), (self.head, 1000.0, -5.0)):
                part.weight.fill_(weight)
                part.bias.fill_(bias)

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


def build():
    return Colours()


def three():
    return Colours(3)


def spot():
    return Spot()


def wrong_size(image):
    return torch.zeros(3, 5, 5).numpy().transpose(1, 2, 0)


def blackened(image):
    import numpy as np

    pixels = np.asarray(image.convert("RGB").resize((16, 16), 0)).copy()
    pixels[:, :, 1] = 0
    return pixels
'''


def write_nets(folder, turned=False):
    """`nets.py` and the weights of its net of two colours; `turned`: red and blue exchanged."""
    file = folder / "nets.py"
    file.write_text(NETS)
    kernel = torch.tensor([[0.0, 0, 1], [1, 0, 0]])[:, :, None, None]  # Blue, red: in the alphabet's order.
    head = torch.eye(2) * 100
    weights = folder / ("turned.safetensors" if turned else "colours.safetensors")
    save_file({"features.0.weight": kernel, "head.weight": head.flip(0) if turned else head}, weights)
    return "--model", f"{file}:build", "--weights", weights


def picture(colour, size=(32, 48), seed=0, place=(1, 2), dtype=np.uint8):
    """Green noise with a patch of red, blue or nothing at this place, in the net's pixels."""
    draws = np.random.default_rng(seed)
    values = np.zeros((*size, 3), dtype=dtype)
    values[:, :, 1] = draws.integers(1, 256, size)
    if colour in ("red", "blue"):
        values[patch(size, place)] = (255, 9, 0) if colour == "red" else (0, 9, 255)
    return values


def patch(size, place=(1, 2)):
    """True on the patch, in a file's pixels."""
    high, wide = size[0] // SIZE[0], size[1] // SIZE[1]
    found = np.zeros(size, dtype=bool)
    found[place[0] * high : (place[0] + 4) * high, place[1] * wide : (place[1] + 4) * wide] = True
    return found


def spotted(size=(32, 32), place=(3, 5), seed=0, deep=True, spot=True):
    """Grey noise below the middle of the range, with a bright patch; of 16 bits or 8."""
    top = 65535 if deep else 255
    values = np.random.default_rng(seed).integers(1, top // 3, size).astype(np.uint16 if deep else np.uint8)
    if spot:
        values[patch(size, place)] = top - 3
    return values


def save_image(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)
    return path


def write_folder(root, counts=None, size=(32, 48)):
    """`split/class/00.png`; each picture shows its class. `counts` are by "split/class" or class."""
    for place, count in (counts or {"blue": 4, "red": 4}).items():
        for at in range(count):
            name = Path(place).name
            save_image(root / place / f"{at:02d}.png", picture(name, size, seed=hash_of(place, at)))
    return root


def hash_of(place, at):
    """A seed of its own for each picture: no two files have the same bytes."""
    return sum(place.encode()) * 1000 + at


def write_table(path, rows):
    """A CSV file from dicts."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def read_table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(path):
    """As Pillow reads it, nothing converted."""
    with Image.open(path) as image:
        return np.asarray(image)


def rows_of(out, metric):
    """(value, n) by split."""
    rows = json.loads((out / "results.json").read_text())["rows"]
    return {row["split"]: (row["value"], row["n"]) for row in rows if row["metric"] == metric}


def files_in(folder):
    """Relative paths of all files."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

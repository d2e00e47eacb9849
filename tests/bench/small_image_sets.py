"""CIFAR-10, SVHN and Cats vs Dogs in layouts of their own, with a few made images of every class."""

import numpy as np
from PIL import Image
from tests.data.official.layouts import python2_pickle

TRAINED = [f"data_batch_{number}" for number in range(1, 6)]


def _noise(at, size):
    return np.random.default_rng(at).integers(0, 256, (*size, 3), dtype=np.uint8)


def cifar10(root, each=40):
    """The makers' pickles with `each` images: a tenth of a file is of each class."""
    home = root / "cifar-10-batches-py"
    home.mkdir(parents=True)
    for at, name in enumerate([*TRAINED, "test_batch"]):
        images = np.stack([_noise((at, number), (32, 32)) for number in range(each)])
        (home / name).write_bytes(python2_pickle(name, [number % 10 for number in range(each)], images))
    return root


def _write(path, at):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_noise(at, (40, 48))).save(path)


def cats_vs_dogs(root, each=20):
    """Kaggle's names, no splits."""
    for label, kind in enumerate(("cat", "dog")):
        for number in range(each):
            _write(root / "train" / f"{kind}.{number}.jpg", (label, number))
    return root


def cats_vs_dogs_in_folders(root, each=20):
    """Plain folders in train and val."""
    for place, (label, kind) in (
        (place, one) for place in ("train", "val") for one in enumerate(("cat", "dog"))
    ):
        for number in range(each):
            _write(root / place / kind / f"{kind}.{number}.jpg", (label, number, len(place)))
    return root


def svhn(root, each=12):
    """A folder a digit, as the stand-in has it."""
    for label in range(10):
        for number in range(each):
            _write(root / str(label) / f"{number}.png", (label, number))
    return root

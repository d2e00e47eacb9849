"""MNIST's four files in small, as torchvision lays them out."""

import gzip
import struct

import numpy as np

IMAGES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
LABELS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}


def idx(array):
    """The bytes of an IDX file: 0 0 8 dimensions, the sizes as big-endian 32-bit numbers, the values."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def some_digits(n, seed):
    random = np.random.default_rng(seed)
    grey = random.integers(0, 256, (n, 28, 28), dtype=np.uint8) * (random.random((n, 28, 28)) < 0.2)
    return grey.astype(np.uint8), random.integers(0, 10, n).astype(np.uint8)


def write_mnist(folder, *, train=90, test=30, packed=True):
    """Write the four files; returns (images, digits) of each part."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": some_digits(train, 1), "test": some_digits(test, 2)}
    for part, (images, digits) in parts.items():
        for name, array in ((IMAGES[part], images), (LABELS[part], digits)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / name).write_bytes(idx(array))
    return parts

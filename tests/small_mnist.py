"""The embedded digits written as MNIST's four files: real digits, small enough to train on in a test."""

import gzip
import struct
from pathlib import Path

import numpy as np

from masktune.data.biased_digits import read_digits


def write_small_mnist(root: Path, train: int = 320, test: int = 120) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images, digits = read_digits()
    for stem, chosen in (("train", slice(0, train)), ("t10k", slice(train, train + test))):
        for kind, array in (("images-idx3", images[chosen]), ("labels-idx1", digits[chosen])):
            header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            packed = gzip.compress(header + array.astype(np.uint8).tobytes())
            (raw / f"{stem}-{kind}-ubyte.gz").write_bytes(packed)
    return root

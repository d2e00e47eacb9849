"""Small image files, and samples of them, for the tests of what is read."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from masktune.data.contents import FilesOnDisk
from masktune.data.samples import Samples


def colours(seed, size=(12, 16)):
    """Smooth enough that no rounding of a resize shows."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [127 + 90 * np.sin(rows / (3 + c + seed)) * np.cos(columns / (4 + c)) for c in range(3)]
    return np.stack(waves, 2).astype(np.uint8)


def deep(low=0, high=65535, size=(12, 16)):
    """16-bit grey, dark on the left and bright on the right."""
    values = np.full(size, low, dtype=np.uint16)
    values[:, size[1] // 2 :] = high
    return values


def encoded(values, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def write(root: Path, files, *, groups=None, subjects=None) -> Samples:
    """Write each content (bytes, or an array as PNG) under its name; classes alternate."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return Samples(
        ids=np.array(list(files)),
        labels=np.arange(len(files), dtype=np.int64) % 2,
        classes=("cat", "dog"),
        contents=FilesOnDisk(tuple(str(root / name) for name in files)),
        groups=None if groups is None else np.array(groups),
        subjects=None if subjects is None else np.array(subjects),
    )

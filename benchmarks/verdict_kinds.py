"""Kinds of data on which the verdict of a trial is tried: with, without and with several shortcuts.

Each kind has a half: the rule is chosen on the kinds of half `a`, and judged on those of half `b`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scan_alarms import small_net

from masktune.data import BiasedDigits, BiasedMNIST, InMemory
from masktune.data.base import Dataset, Splits
from masktune.data.shortcut import Shortcut
from masktune.methods import ERM, Task
from masktune.models import SmallCNN
from masktune.models.classifier import Classifier
from masktune.seeds import seeded
from masktune.testing import Marker, ShortcutImages
from masktune.training.settings import Training
from masktune.types import InputSpec

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@dataclass(frozen=True)
class Parts:
    """What a trial gets, and what only the judge of the verdict sees: the groups."""

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


def mnist(n: int = 2000, *, rare: float | None = None, **shortcut: Any) -> Callable[[int], Parts]:
    """A part of biased MNIST: `n` training images, a third as many for validation, 600 of each test."""

    def make(seed: int) -> Parts:
        splits = BiasedMNIST.splits(MNIST, shortcut=Shortcut(**shortcut), seed=seed)
        return _digits(splits, seed, (n, n // 3), 600, epochs=8, rare=rare)

    return make


def digits(n: int = 1000, **shortcut: Any) -> Callable[[int], Parts]:
    """Biased digits: 8 x 8 pixels enlarged, 1,000 training and 200 validation images at most."""

    def make(seed: int) -> Parts:
        splits = BiasedDigits.splits(shortcut=Shortcut(**shortcut), seed=seed)
        return _digits(splits, seed, (n, 200), 597, epochs=12, rare=None)

    return make


def _digits(
    splits: Splits, seed: int, sizes: tuple[int, int], tested: int, *, epochs: int, rare: float | None
) -> Parts:
    train, validation = (
        some(part, size, seed, rare)
        for part, size in zip((splits.train, splits.validation), sizes, strict=True)
    )
    names = ("raw",) if "none" in str(splits.variant) else ("aligned", "conflicting")
    test = together(*(some(splits.tests[name], tested, seed) for name in names))

    def build() -> Classifier:
        with seeded(seed, torch.device("cpu")):
            spec = InputSpec(size=(28, 28), channels=3, mean=(0.0,), std=(1.0,))
            return Classifier(SmallCNN(channels=3, classes=2), spec, train.classes)

    return Parts(train, validation, test, build, epochs)


SIX = ("circle", "square", "triangle", "cross", "ring", "star")


def made(n: int = 1000, *, validation: int = 500, **given: Any) -> Callable[[int], Parts]:
    """Shapes on textures, 32 x 32 pixels, and a net whose body knows six shapes already."""
    channels = given.get("channels", 1)

    def make(seed: int) -> Parts:
        data = ShortcutImages(n, seed=seed, size=(32, 32), **given)
        splits = data.splits(validation=validation, test=600)
        tests = splits.tests
        test = together(tests["aligned"], tests["conflicting"]) if data.settings.markers else tests["test"]

        def build() -> Classifier:
            with seeded(seed, torch.device("cpu")):
                net = small_net(channels, len(data.classes), 32)
            body = {name: value for name, value in _body(channels).items() if not name.startswith("14.")}
            net.load_state_dict(body, strict=False)
            return Classifier(net, _spec(channels), data.classes)

        return Parts(data, splits.validation, test, build, 6)

    return make


def _spec(channels: int) -> InputSpec:
    return InputSpec(size=(32, 32), channels=channels, mean=(0.45,))


@cache
def _body(channels: int) -> dict[str, torch.Tensor]:
    """Weights of a net that tells six shapes apart; made once, half a minute."""
    data = ShortcutImages(6000, seed=1000, size=(32, 32), channels=channels, classes=SIX, marker=None)

    def build() -> Classifier:
        with seeded(0, torch.device("cpu")):
            return Classifier(small_net(channels, 6, 32), _spec(channels), SIX)

    training = Training(
        epochs=10,
        batch_size=64,
        optimizer="adam",
        learning_rate=2e-3,
        annealing="linear",
        selection="last",
        milestones=(),
    )
    return dict(ERM().fit(Task(data, data, build, training)).classifier.net.state_dict())


def some(data: Dataset, count: int, seed: int, rare: float | None = None) -> InMemory:
    """Some images of a set, drawn by the seed; `rare` is then the first class's share."""
    order = np.random.default_rng(seed).permutation(len(data))
    if rare is not None:
        first = order[data.labels[order] == 0][: round(rare * count)]
        order = np.concatenate([first, order[data.labels[order] == 1][: count - len(first)]])
    at = np.sort(order[:count])
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
TAG = Marker("tag", 0.15, "bottom right", share=0.9, conflicting=0.1)
FOUR = ("circle", "square", "triangle", "cross")
RANDOM = {"protocol": "random"}

A = {
    "mnist-sorted": mnist(),
    "mnist-random-5": mnist(**RANDOM, conflict_ratio=0.05),
    "mnist-sorted-2-large": mnist(conflict_ratio=0.02, square_size=6),
    "mnist-random-1-two-squares": mnist(**RANDOM, squares=2),
    "mnist-rare-4": mnist(4000, rare=0.04, **RANDOM, conflict_ratio=0.02),
    "mnist-foreground": mnist(**RANDOM, bias="foreground", conflict_ratio=0.05),
    "mnist-never": mnist(conflict_ratio=0.0),
    "mnist-none": mnist(bias="none"),
    "digits-sorted": digits(),
    "digits-random-5": digits(**RANDOM, conflict_ratio=0.05),
    "digits-random-2-small": digits(**RANDOM, conflict_ratio=0.02, square_size=3),
    "digits-none": digits(bias="none"),
    "digits-tiny": digits(200, **RANDOM, conflict_ratio=0.05),
    "digits-background": digits(**RANDOM, bias="background", conflict_ratio=0.05),
    "square": made(marker=SQUARE),
    "square-large": made(marker=replace(SQUARE, size=0.25, place="bottom left")),
    "square-faint": made(marker=replace(SQUARE, strength=0.3)),
    "anywhere": made(marker=replace(SQUARE, place="anywhere")),
    "never": made(marker=replace(SQUARE, share=1.0, conflicting=0.0)),
    "none": made(marker=None),
    "none-four": made(marker=None, classes=FOUR),
    "object": made(marker=Marker("object", strength=0.9, share=0.95, conflicting=0.05)),
    "two": made(marker=replace(SQUARE, share=0.9, conflicting=0.1), second=replace(TAG, of_class="cross")),
    "four-square": made(marker=replace(SQUARE, of_class="triangle"), classes=FOUR),
    "rare": made(
        2000,
        validation=1000,
        class_shares=(0.96, 0.04),
        marker=replace(TAG, of_class="cross", conflicting=0.01),
    ),
    "subjects": made(images_per_subject=4, marker=replace(SQUARE, share=0.9, conflicting=0.1)),
    "tiny": made(150, validation=60, marker=replace(SQUARE, share=0.9, conflicting=0.1)),
}
"""The rule is chosen on these."""

B = {
    "mnist-sorted-5": mnist(conflict_ratio=0.05),
    "mnist-random": mnist(**RANDOM),
    "mnist-random-2-small": mnist(**RANDOM, conflict_ratio=0.02, square_size=3),
    "mnist-sorted-2-two-squares": mnist(conflict_ratio=0.02, squares=2),
    "mnist-random-10": mnist(**RANDOM, conflict_ratio=0.1),
    "mnist-background": mnist(**RANDOM, bias="background", conflict_ratio=0.05),
    "mnist-none-small": mnist(900, bias="none"),
    "digits-sorted-5": digits(conflict_ratio=0.05),
    "digits-random": digits(**RANDOM),
    "digits-random-5-two-squares": digits(**RANDOM, conflict_ratio=0.05, squares=2),
    "digits-random-5-large": digits(**RANDOM, conflict_ratio=0.05, square_size=6),
    "digits-never": digits(**RANDOM, conflict_ratio=0.0),
    "digits-none-tiny": digits(200, bias="none"),
    "digits-foreground": digits(**RANDOM, bias="foreground", conflict_ratio=0.05),
    "tag": made(marker=TAG),
    "cross-small": made(marker=Marker("cross", 0.1, "top right", share=0.95, conflicting=0.05)),
    "stripe": made(marker=Marker("stripe", 0.1, "top", share=0.95, conflicting=0.05)),
    "tag-anywhere": made(marker=replace(TAG, place="anywhere")),
    "tint": made(marker=Marker("tint", None, None, strength=0.4, share=0.95, conflicting=0.05)),
    "tag-never": made(marker=replace(TAG, share=1.0, conflicting=0.0)),
    "none-colour": made(marker=None, channels=3),
    "none-stars": made(marker=None, classes=("star", "ring")),
    "none-rare": made(2000, validation=1000, marker=None, class_shares=(0.96, 0.04)),
    "none-subjects": made(images_per_subject=4, marker=None),
    "object-faint": made(marker=Marker("object", strength=0.4, share=0.95, conflicting=0.05)),
    "two-colour": made(
        channels=3,
        marker=replace(SQUARE, kind="cross", place="right"),
        second=Marker("stripe", 0.1, "bottom", of_class="cross", share=0.95, conflicting=0.05),
    ),
    "four-tag": made(marker=replace(TAG, of_class="cross"), classes=FOUR),
    "rare-subjects": made(
        2000,
        validation=1000,
        class_shares=(0.95, 0.05),
        images_per_subject=4,
        marker=replace(SQUARE, of_class="cross", share=0.9, conflicting=0.01),
    ),
    "tiny-tag": made(150, validation=60, marker=TAG),
}
"""The rule is judged on these."""

KINDS = tuple(Kind(name, half, make) for half, kinds in (("a", A), ("b", B)) for name, make in kinds.items())

"""What a method is tried on: images of bars with a shortcut in a corner, and a net of two layers."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from masktune.data import InMemory
from masktune.data.base import Dataset
from masktune.errors import MasktuneWarning
from masktune.methods.base import Fitted, Method, Task
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.testing.dataset_checks import in_a_line
from masktune.training.settings import Training
from masktune.types import Batch, InputSpec

Build = Callable[[tuple[str, ...]], Classifier]
"""From names of classes to the classifier to start from, the same each time it is called."""

SIZE = 16
"""Height and width of the images, in pixels."""

SHORT = Training(epochs=2, batch_size=8, learning_rate=0.05, milestones=(), precision="float32")

_TRAIN, _VALIDATION = 48, 40
"""Images, rounded up to whole batches; some more or fewer where it is said."""


def small_cnn(classes: tuple[str, ...]) -> Classifier:
    """A CNN of two layers for the images that `check_method` makes.

    Its statistics follow fast, so that in two epochs it learns the bars: whatever rule chooses, it is the
    second epoch, on which a kill must show.
    """

    def made() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8, momentum=0.5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(8, momentum=0.5),  # Refuses a batch of one image in training.
            nn.Linear(8, len(classes)),
        )

    return Classifier(from_seed(made, 0), InputSpec(size=(SIZE, SIZE)), classes)


def made_images(n: int, classes: tuple[str, ...], *, seed: int = 0, without: str | None = None) -> InMemory:
    """Images whose class shows as a bright bar and whose shortcut, a corner, goes with it on most of them.

    Groups are class x corner; of the group `without` there is no image.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(n) % len(classes)
    corner = np.where(np.arange(n) % 5 == 0, (labels + 1) % 2, labels % 2)
    groups = np.array([f"{classes[label]}, corner {c}" for label, c in zip(labels, corner, strict=True)])
    images = random.integers(0, 120, (n, 3, SIZE, SIZE))
    for at, (label, lit) in enumerate(zip(labels.tolist(), corner.tolist(), strict=True)):
        images[at, :, 4 + 3 * label : 6 + 3 * label, 3:12] += 80
        images[at, :, :3, :3] = 255 if lit else 0
    kept = groups != without
    ids = np.array([f"{seed}-{at:03d}" for at in range(n)])
    pixels = torch.from_numpy(images[kept].astype(np.uint8))
    return InMemory(pixels, labels[kept], ids[kept], classes, groups=groups[kept])


@final
class Seen:
    """A data set with the members of `Dataset` and no others, so that a method gets on with any."""

    def __init__(self, whole: Dataset, told: Callable[[], None] = lambda: None) -> None:
        self.classes, self.ids, self.labels = whole.classes, whole.ids, whole.labels
        self.groups, self.subjects = whole.groups, whole.subjects
        self._whole, self._told = whole, told

    def __len__(self) -> int:
        return len(self._whole)

    def __getitems__(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Batch:
        self._told()
        return self._whole.__getitems__(indices)


@dataclass(frozen=True, slots=True)
class Attempts:
    """A method, and the tasks that it is fitted to."""

    method: Method
    build: Build
    training: Training

    def images(
        self, n: int, classes: tuple[str, ...], *, seed: int, rest: int = 1, without: str | None = None
    ) -> Seen:
        """At least n images: whole batches and `rest` more, less those of the group `without`."""
        batch = self.training.batch_size
        return Seen(made_images(-(-n // batch) * batch + rest, classes, seed=seed, without=without))

    def test(self, classes: tuple[str, ...]) -> Seen:
        """Images that are in no task."""
        return self.images(_VALIDATION, classes, seed=4)

    def task(
        self,
        classes: tuple[str, ...] = ("bar", "stripe"),
        *,
        rests: tuple[int, int] = (1, 1),
        without: str | None = None,
    ) -> Task:
        """Training and validation images of these classes; `rests` are left for the last batches."""
        return Task(
            self.images(_TRAIN, classes, seed=1, rest=rests[0], without=without),
            self.images(_VALIDATION, classes, seed=2, rest=rests[1]),
            lambda: self.build(classes),
            self.training,
            seed=3,
        )

    def fit(self, task: Task) -> Any:
        """What the method gives or raises."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MasktuneWarning)  # They are about these images, not the method.
            return self.method.fit(task)

    def fitted(self, task: Task) -> Fitted | str:
        """What the method gives, or what is wrong with that, or what it raises, in a line."""
        try:
            fitted = self.fit(task)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's method raises is to be named.
            return in_a_line(error)
        if not isinstance(fitted, Fitted):
            return f"expected that fit gives a masktune.methods.Fitted, got a {type(fitted).__name__}"
        if not isinstance(fitted.classifier, Classifier):
            return f"expected a masktune.Classifier in Fitted, got a {type(fitted.classifier).__name__}"
        return fitted


def hash_of(fitted: Fitted | str) -> str:
    """Of its weights; what is said instead of a result is no hash of any."""
    return fitted if isinstance(fitted, str) else weights_sha256(fitted.classifier)


def in_words(fitted: Fitted | str) -> str:
    """How a result that is another one is called."""
    return fitted if isinstance(fitted, str) else "another net"

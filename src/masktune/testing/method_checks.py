"""Does a method keep what the bench relies on? For whoever adds one.

It is fitted several times to data so small that each fit takes about a second: with groups that it must not
read exchanged, with three classes, a missing cell, a last batch of one image, and killed in the middle.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import nn

from masktune.data import InMemory
from masktune.data.base import Dataset
from masktune.methods.base import Fitted, Method, Task
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.testing.dataset_checks import report
from masktune.training.settings import Training
from masktune.training.together import predict_all
from masktune.types import InputSpec, Selection, Step, Supervision

Build = Callable[[tuple[str, ...]], Classifier]
"""From names of classes to the classifier to start from, the same each time it is called."""

SIZE = 16
"""Height and width of the images, in pixels."""

_N = 49
"""Training images; with batches of 8 the last one has a single image left over."""


def check_method(method: Method, *, build: Build | None = None, training: Training | None = None) -> None:
    """Try a method out on made data.

    Args:
        method: what is tried.
        build: the classifiers to start from; a small CNN if not given.
        training: settings; two epochs of batches of 8 if not given.

    Raises:
        AssertionError: names everything that is not as `masktune.methods.Method` says, a line each.
    """
    world = _World(method, build or small_cnn, training or _TRAINING)
    report(f"method {getattr(method, 'name', method)!r}", [*_declared(method), *world.problems()])


def small_cnn(classes: tuple[str, ...]) -> Classifier:
    """A CNN of two layers for the images that `check_method` makes."""

    def made() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, len(classes)),
        )

    return Classifier(from_seed(made, 0), InputSpec(size=(SIZE, SIZE)), classes)


_TRAINING = Training(epochs=2, batch_size=8, learning_rate=0.05, milestones=(), precision="float32")


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


def _declared(method: Method) -> Iterator[str]:
    name = getattr(method, "name", None)
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        yield f"name: expected one such as 'group_dro', got {name!r}"
    supervision = getattr(method, "supervision", None)
    if supervision not in get_args(Supervision):
        yield f"supervision: expected one of {', '.join(get_args(Supervision))}, got {supervision!r}"


class _World:
    """The data, and what was found on them."""

    def __init__(self, method: Method, build: Build, training: Training) -> None:
        self.method, self.build, self.training = method, build, training

    def task(self, classes: tuple[str, ...] = ("bar", "stripe"), **more: str | None) -> Task:
        """Training and validation images of these classes."""
        return Task(
            made_images(_N, classes, seed=1, **more),
            made_images(40, classes, seed=2),
            lambda: self.build(classes),
            self.training,
            seed=3,
        )

    def problems(self) -> Iterator[str]:
        """All that is wrong."""
        task = self.task()
        before = self._global_state(task)
        fitted = self._fitted(task)
        if isinstance(fitted, str):
            yield f"two classes with groups: {fitted}"
            return
        if self._global_state(task) != before:
            yield "it changed the images, or torch's or numpy's global random state; take seeds from the task"
        yield from self._said(fitted, task)
        yield from self._repeated(fitted, task)
        yield from self._other_data()
        yield from self._killed(fitted, task)

    def _fitted(self, task: Task) -> Fitted | str:
        """What it gives, or what it says when it cannot."""
        try:
            return self.method.fit(task)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's method raises is to be named.
            return f"{type(error).__name__}: {error}"

    def _said(self, fitted: Fitted, task: Task) -> Iterator[str]:
        if fitted.classifier.classes != task.train.classes:
            yield f"classes: expected {task.train.classes}, got {fitted.classifier.classes}"
        known = (*get_args(Selection), "worst_inferred_group")
        if fitted.selection not in known:
            yield f"selection: expected one of {', '.join(known)}, got {fitted.selection!r}"
        if self.method.supervision == "none" and fitted.selection == "worst_group":
            yield "selection: worst_group reads group labels, and the method declares none"
        if fitted.epochs < 0 or not fitted.seconds >= 0:
            yield f"cost: expected epochs and seconds of 0 or more, got {fitted.epochs} and {fitted.seconds}"
        if not np.isfinite(predict_all(fitted.classifier, task.validation).logits).all():
            yield "logits: some are no numbers"

    def _repeated(self, fitted: Fitted, task: Task) -> Iterator[str]:
        """The same bits again, and with groups exchanged that it must not read."""
        wanted = weights_sha256(fitted.classifier)
        if _hash_of(self._fitted(task)) != wanted:
            yield "seed: fitted twice with one seed it gives two nets"
        others = {
            "train": replace(task, train=_with_other_groups(task.train)),
            "validation": replace(task, validation=_with_other_groups(task.validation)),
        }
        undeclared = {"none": ("train", "validation"), "validation_groups": ("train",)}
        for part in undeclared.get(self.method.supervision, ()):
            if _hash_of(self._fitted(others[part])) != wanted:
                yield f"supervision: other groups of {part}, which it does not declare, give another net"

    def _other_data(self) -> Iterator[str]:
        three = ("bar", "stripe", "band")
        for what, task in (
            ("three classes", self.task(three)),
            ("no image of one group", self.task(without="bar, corner 1")),
            ("three classes, no image of one group", self.task(three, without="band, corner 1")),
        ):
            fitted = self._fitted(task)
            if isinstance(fitted, str):
                yield f"{what}: {fitted}"
            elif predict_all(fitted.classifier, task.validation).logits.shape[1] != len(task.train.classes):
                yield f"{what}: expected a logit a class"

    def _killed(self, fitted: Fitted, task: Task) -> Iterator[str]:
        """Killed halfway and fitted again in the same folder: the same bits."""
        with tempfile.TemporaryDirectory() as folder:
            steps: list[str] = []
            whole = replace(
                task, folder=Path(folder) / "whole", progress=lambda step: steps.append(step.what)
            )
            if _hash_of(self._fitted(whole)) != weights_sha256(fitted.classifier):
                yield "folder: with a folder to keep its states in it gives another net than without"
            if not steps:
                return
            part = replace(task, folder=Path(folder) / "part", progress=_killer(len(steps) // 2))
            try:
                self.method.fit(part)
            except _Killed:
                again = self._fitted(replace(part, progress=lambda step: None))
                if _hash_of(again) != weights_sha256(fitted.classifier):
                    yield f"killed: fitted again in the same folder it gives another net ({_words(again)})"

    @staticmethod
    def _global_state(task: Task) -> tuple[bytes, bytes, bytes]:
        """What must be as it was: random states, and the images."""
        images = task.train.__getitems__(range(len(task.train))).images
        numbers = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002 - looked at only.
        return (
            torch.random.get_rng_state().numpy().tobytes(),
            np.asarray(numbers).tobytes(),
            images.numpy().tobytes(),
        )


class _Killed(BaseException):
    """Raised in the middle of a fit, as Ctrl-C is."""


def _killer(after: int) -> Callable[[Step], None]:
    left = [after]

    def step(_: Step) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed

    return step


def _hash_of(fitted: Fitted | str) -> str:
    return fitted if isinstance(fitted, str) else weights_sha256(fitted.classifier)


def _words(fitted: Fitted | str) -> str:
    return fitted if isinstance(fitted, str) else "other weights"


def _with_other_groups(data: Dataset) -> InMemory:
    """The same images with the names of groups dealt out anew."""
    batch = data.__getitems__(range(len(data)))
    groups = np.random.default_rng(5).permutation(np.asarray(data.groups))
    return InMemory(batch.images, data.labels, data.ids, data.classes, groups=groups)

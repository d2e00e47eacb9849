"""Tiny tasks for the tests of methods, a run that is killed, and two processes played by threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import InMemory
from masktune.methods import Task
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.training.devices import Processes
from masktune.types import InputSpec
from training.tiny import settings


def names_of(k):
    return tuple(f"level-{label}" for label in range(k))


def levels(n, k=3, seed=0, **columns):
    """Images of 8x8 of k classes: noise of k levels of brightness, class i % k."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % k
    images = random.integers(0, 156, (n, 3, 8, 8)) + (100 // (k - 1)) * labels[:, None, None, None]
    ids = np.array([f"id-{i:03d}" for i in range(n)])
    return InMemory(torch.from_numpy(images.astype(np.uint8)), labels, ids, names_of(k), **columns)


def builder(k=3, seed=0):
    def net():
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, k)
        )

    return lambda: Classifier(from_seed(net, seed), InputSpec(size=(8, 8)), names_of(k))


def task_of(folder=None, n=49, k=3, seed=0, **more):
    """Three epochs of 49 images: three batches of 16 and one image more. The group of class 1 that is rare
    does not exist.
    """

    def groups(count):
        at = np.arange(count)
        return np.where((at % 8 == 0) & (at % k != 1), "rare ", "usual ") + (at % k).astype("U1").astype(
            object
        )

    train = levels(n, k, groups=groups(n).astype(str))
    validation = levels(24, k, seed=1, groups=groups(24).astype(str))
    return Task(train, validation, builder(k), settings(**more), seed=seed, folder=folder)


def same_weights(one, other):
    pairs = zip(one.classifier.state_dict().values(), other.classifier.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


class Killed(Exception):
    pass


def killed_at(method, task, piece, step=1):
    """Fit, and end at step number `step` of the work whose name starts with `piece`."""
    left = [step]

    def kill(now):
        left[0] -= now.what.startswith(piece)
        if left[0] == 0:
            raise Killed

    with pytest.raises(Killed):
        method.fit(replace(task, progress=kill))


def gone_on(method, task):
    """What it gives after an earlier, killed run of the task, and the names of the work that it still did."""
    said = []
    fitted = method.fit(replace(task, progress=lambda step: said.append(step.what)))
    return fitted, said


@dataclass(frozen=True)
class OfTwo(Processes):
    """One of two processes, each of them a thread of this one."""

    told: dict = field(default_factory=dict)
    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def together(self, parts):
        self.told[self.rank] = list(parts)
        self.meeting.wait(10)
        first, second = self.told[0], self.told[1]
        self.meeting.wait(10)
        rounds = range(max(len(first), len(second)))
        return [one[at] for at in rounds for one in (first, second) if at < len(one)]


def by_two(work):
    """What `work(here)` gives on each of two processes."""
    first = OfTwo(0, 2)
    both = [first, replace(first, rank=1)]
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(work, both))


def planted(n, k=3, seed=0, minority=0.1):
    """Images of k classes by brightness in noise, and whose first rows say the class at once by a colour.

    Of a minority the colour says the next class. Beside the task: which of train and validation those are.
    """

    def net():
        return nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, k))

    parts = []
    for part_seed, count in ((seed, n), (seed + 1, n // 2)):
        data = levels(count, k, part_seed)
        contradicts = np.random.default_rng(part_seed + 9).random(count) < minority
        said = torch.from_numpy((data.labels + contradicts) % k)
        colours = (255 * torch.eye(3, dtype=torch.uint8))[said]
        data.images[:, :, :3] = colours.view(-1, 3, 1, 1)
        parts.append((data, contradicts))
    (train, minority_train), (validation, minority_validation) = parts

    def build():
        return Classifier(from_seed(net, 0), InputSpec(size=(8, 8)), names_of(k))

    task = Task(train, validation, build, settings(epochs=6, learning_rate=0.5))
    return task, minority_train, minority_validation

"""Nets and data so small that an epoch takes milliseconds; also read by `two_processes.py`."""

import resource
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from masktune.data import InMemory
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.training.checkpoints import TrainState
from masktune.training.settings import Training
from masktune.types import InputSpec

CLASSES = ("dark", "bright")


def some_data(n=50, seed=0, **columns):
    """Images of 8x8, noise of two levels of brightness."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, n)
    images = random.integers(0, 156, (n, 3, 8, 8)) + 100 * labels[:, None, None, None]
    ids = np.array([f"id-{i:03d}" for i in range(n)])
    return InMemory(torch.from_numpy(images.astype(np.uint8)), labels, ids, CLASSES, **columns)


def plain_net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, 2))


def net_with_norm_and_dropout():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AvgPool2d(3),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16, 2),
    )


def classifier(make=plain_net, seed=0):
    return Classifier(from_seed(make, seed), InputSpec(size=(8, 8)), CLASSES)


def settings(**changed):
    return Training(**{"epochs": 3, "batch_size": 16, "learning_rate": 0.1, "precision": "float32"} | changed)


def state_of(training, make=plain_net, seed=0):
    made = classifier(make, seed)
    return TrainState(made, training.make_optimizer(made.parameters()))


@contextmanager
def files_of_at_most(size):
    """The system refuses to write longer files, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

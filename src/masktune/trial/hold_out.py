"""Training images that are not tuned on: rates are chosen and the guard looks there."""

import numpy as np
import torch

from masktune.data.base import Dataset, Subset
from masktune.data.splits import drawn_splits
from masktune.errors import InputError
from masktune.trial.given import Given
from masktune.trial.settings import TrialSettings

HELD_BACK = "held back"
"""The role of images that are there to be tuned on, and are not."""


def held_out(train: Dataset, settings: TrialSettings) -> tuple[Subset, Subset]:
    """The images that are tuned on, and a share of each class that is held back: whole subjects, by seed.

    Of a class with one subject (or image) none is held back, of any other at least one.

    Raises:
        InputError: no class has two subjects (or images).
    """
    names = train.ids if train.subjects is None else train.subjects
    roles = drawn_splits(names, train.labels, {HELD_BACK: settings.hold_out}, settings.seed)
    held = torch.from_numpy(roles == HELD_BACK)
    if not held.any():
        what = "images" if train.subjects is None else "subjects"
        raise InputError(
            f"expected two {what} of a class, so that one of them can be held back from tuning, got "
            f"{len(np.unique(names))} in all; give more images to tune on"
        )
    return Subset(train, torch.nonzero(~held)[:, 0]), Subset(train, torch.nonzero(held)[:, 0])


def roles_of(given: Given, settings: TrialSettings) -> list[tuple[str, str]]:
    """Id and role of each image, where data sets came apart of each that is used; some are "held back"."""
    back = set(held_out(given.train, settings)[1].ids.tolist())
    parts = {"train": given.train, "validation": given.validation, "test": given.test}
    apart = [(name, role) for role, data in parts.items() if data is not None for name in data.ids.tolist()]
    return [
        (name, HELD_BACK if role == "train" and name in back else role)
        for name, role in given.roles.items() or apart
    ]

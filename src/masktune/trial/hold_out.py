"""Training images that are not tuned on: rates are chosen and the guard looks there."""

import numpy as np
import torch

from masktune.data.base import Dataset, Subset
from masktune.errors import InputError
from masktune.seeds import seed_of
from masktune.trial.settings import TrialSettings


def held_out(train: Dataset, settings: TrialSettings) -> tuple[Subset, Subset]:
    """The images that are tuned on, and a share of them that is held back: whole subjects, by seed and name.

    Raises:
        InputError: fewer than two subjects (or images).
    """
    names = train.ids if train.subjects is None else train.subjects
    units, places = np.unique(names, return_inverse=True)
    if len(units) < 2:
        raise InputError(f"expected two subjects or images to hold some back from tuning, got {len(units)}")
    keys = [seed_of("hold out", settings.seed, name) for name in units.tolist()]
    chosen = np.argsort(keys, kind="stable")[: max(1, round(settings.hold_out * len(units)))]
    held = torch.from_numpy(np.isin(places.reshape(-1), chosen))
    return Subset(train, torch.nonzero(~held)[:, 0]), Subset(train, torch.nonzero(held)[:, 0])

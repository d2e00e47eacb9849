"""What is held back from tuning."""

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.trial.hold_out import held_out
from masktune.trial.settings import TrialSettings


def data(n=40, subjects=None, order=None):
    order = np.arange(n) if order is None else order
    ids = np.array([f"{at:03d}" for at in range(n)])[order]
    named = None if subjects is None else np.asarray(subjects)[order]
    return InMemory(torch.zeros(n, 1, 4, 4), order % 2, ids, ("a", "b"), subjects=named)


def test_a_tenth_is_held_back_and_the_order_of_the_images_changes_nothing():
    tuned, held = held_out(data(), TrialSettings(seed=3))
    assert (len(tuned), len(held)) == (36, 4)
    assert sorted([*tuned.ids, *held.ids]) == sorted(data().ids)
    _, again = held_out(data(order=np.random.default_rng(0).permutation(40)), TrialSettings(seed=3))
    assert set(again.ids) == set(held.ids)
    _, other = held_out(data(), TrialSettings(seed=4))
    assert set(other.ids) != set(held.ids)


def test_no_subject_is_divided():
    subjects = [f"s{at // 4}" for at in range(40)]
    tuned, held = held_out(data(subjects=subjects), TrialSettings(hold_out=0.2))
    assert len(held) == 8  # Two subjects of four images each.
    assert not set(tuned.subjects) & set(held.subjects)


def test_one_subject_cannot_be_parted():
    with pytest.raises(
        InputError, match="expected two subjects or images to hold some back from tuning, got 1"
    ):
        held_out(data(subjects=["s"] * 40), TrialSettings())

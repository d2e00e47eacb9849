"""What is held back from tuning."""

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.trial.given import given_of, given_parts
from masktune.trial.hold_out import held_out, roles_of
from masktune.trial.seen import Listed
from masktune.trial.settings import TrialSettings

from .tiny import brightness, images


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


def test_each_class_is_held_back_like_the_others_and_none_whole():
    # Of 90 images four are positive: one of them is held back, and nine of the others.
    labels = (np.arange(90) < 4).astype(np.int64)
    whole = InMemory(torch.zeros(90, 1, 4, 4), labels, np.arange(90).astype(str), ("a", "b"))
    for seed in range(20):
        tuned, held = held_out(whole, TrialSettings(seed=seed))
        assert np.bincount(held.labels, minlength=2).tolist() == [9, 1]
        assert np.bincount(tuned.labels).tolist() == [77, 3]
    # The only image of a class is tuned on.
    one = InMemory(
        torch.zeros(40, 1, 4, 4), (np.arange(40) < 1).astype(np.int64), np.arange(40).astype(str), ("a", "b")
    )
    for seed in range(20):
        assert held_out(one, TrialSettings(seed=seed))[0].labels.sum() == 1


def test_one_subject_cannot_be_parted():
    with pytest.raises(InputError, match=r"expected two subjects of a class, so that one .* got 1 in all"):
        held_out(data(subjects=["s"] * 40), TrialSettings())


def test_the_role_of_each_image_is_told_and_what_is_held_back():
    whole, settings = images(40), TrialSettings(trained_on="none", calibration_share=0.2)
    given = given_of("noise", brightness(), whole, Listed.of_dataset(whole), settings)
    roles = roles_of(given, settings)
    assert [name for name, _ in roles] == whole.ids.tolist()
    of_role = {role: {name for name, own in roles if own == role} for role in {role for _, role in roles}}
    assert {role: len(names) for role, names in of_role.items()} == {
        "calibration": 8,
        "validation": 6,
        "held back": 2,
        "train": 24,
    }
    tuned, held = held_out(given.train, settings)
    assert (of_role["train"], of_role["held back"]) == (set(tuned.ids), set(held.ids))


def test_images_of_data_sets_that_came_apart_have_their_roles_too():
    train, validation, test = images(20), images(8, seed=1), images(6, seed=2)  # Their ids are alike.
    given = given_parts("noise", brightness(), train, validation, test)
    roles = roles_of(given, TrialSettings())
    assert [name for name, _ in roles] == [*train.ids, *validation.ids, *test.ids]
    assert [role for _, role in roles[20:]] == ["validation"] * 8 + ["test"] * 6
    assert sorted(role for _, role in roles[:20]) == ["held back"] * 2 + ["train"] * 18

"""RWG, RWY, SUBG, SUBY: which images they take, how often, and what they are held to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import Subset
from masktune.errors import InputError
from masktune.methods import Method
from masktune.methods.groups import classes_of, grouped
from masktune.methods.resampling import RWG, RWY, SUBG, SUBY, DrawnAlike, cut_alike
from masktune.methods.trained import trained_by
from masktune.seeds import generator
from masktune.training.losses import summed_loss
from masktune.training.objective import MeanLoss

from .tasks import gone_on, killed_at, levels, same_weights, task_of

METHODS = [RWG(), RWY(), SUBG(), SUBY()]
GROUPS = grouped(np.array(["many"] * 800 + ["some"] * 150 + ["few"] * 50))
CPU = torch.device("cpu")


def plain(labels, loss="cross_entropy"):
    return summed_loss(loss, labels, 3, CPU)


def test_each_group_is_drawn_alike():
    order = DrawnAlike(GROUPS, plain(np.zeros(1000, np.int64))).order(1000, generator(0))
    assert len(order) == 1000
    drawn = np.bincount(GROUPS.index[order.numpy()])
    assert drawn == pytest.approx([333] * 3, abs=75)  # 5 standard deviations.
    assert (
        len(set(order[order >= 950].tolist())) > 45
    )  # All of the 50, nearly, not one of them over and over.


def test_a_subset_has_as_many_of_each_group_each_once_and_changes_with_the_seed_alone():
    chosen = cut_alike(GROUPS, generator(0))
    assert np.bincount(GROUPS.index[chosen.numpy()]).tolist() == [50, 50, 50]
    assert len(set(chosen.tolist())) == 150
    assert torch.equal(chosen, cut_alike(GROUPS, generator(0)))
    assert not torch.equal(chosen, cut_alike(GROUPS, generator(1)))
    assert chosen[:50].max() > 400  # Not the first ones.


def seen_by(method, task):
    """Ids of the images of each epoch, in their order."""
    seen = []

    class Watched(Subset):
        def __getitems__(self, indices):
            batch = super().__getitems__(indices)
            seen.extend(batch.ids)
            return batch

    method.fit(replace(task, train=Watched(task.train, torch.arange(len(task.train)))))
    each = len(seen) // task.training.epochs
    return [seen[start : start + each] for start in range(0, len(seen), each)]


@pytest.mark.parametrize("method", [SUBG(), SUBY()])
def test_the_subset_is_the_same_in_each_epoch_in_another_order(method):
    # 49 images: 17 of class 0, 16 each of 1 and 2; the rare groups of 0 and 2 have 3 and 2.
    first, second, third = seen_by(method, task_of())
    assert len(first) == (2 * 5 if method.name == "subg" else 3 * 16)
    assert sorted(first) == sorted(second) == sorted(third)
    assert first != second


@pytest.mark.parametrize("method", [RWG(), RWY()])
def test_as_many_are_drawn_as_there_are_images(method):
    epochs = seen_by(method, task_of())
    assert [len(epoch) for epoch in epochs] == [49] * 3
    assert len(set(epochs[0])) < 49
    assert epochs[0] != epochs[1]


def test_drawing_takes_the_place_of_balanced_weights_and_keeps_a_smoothed_loss():
    balanced = task_of(loss="balanced")
    drawn = DrawnAlike(classes_of(balanced.train), plain(balanced.train.labels))
    by_hand = trained_by(drawn, "rwy", balanced, "", selection="worst_group")
    assert same_weights(RWY().fit(balanced), by_hand)
    assert not same_weights(RWY().fit(task_of(loss="smoothed")), by_hand)


def test_with_groups_of_equal_size_a_subset_is_ordinary_training():
    task = replace(task_of(), train=levels(48))
    mean = MeanLoss(plain(task.train.labels))
    fitted = SUBY(selection="last").fit(task)
    assert same_weights(fitted, trained_by(mean, "suby", task, "", selection="last"))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_same_bits_again_and_after_a_kill(tmp_path, method):
    killed_at(method, task_of(tmp_path), f"{method.name}, epoch 3")
    fitted, said = gone_on(method, task_of(tmp_path))
    assert f"{method.name}, epoch 2 of 3" not in said
    assert (fitted.selection, fitted.epochs) == ("worst_group", 3)
    assert same_weights(fitted, method.fit(task_of()))
    assert not same_weights(fitted, method.fit(task_of(seed=1)))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_they_say_which_labels_they_read(method):
    assert isinstance(method, Method)
    by_group = method.name.endswith("g")
    assert method.supervision == ("train_groups" if by_group else "validation_groups")
    free = replace(method, selection="worst_class")
    assert free.supervision == ("train_groups" if by_group else "none")


@pytest.mark.parametrize("method", [RWG(), SUBG()])
def test_without_groups_they_say_what_is_missing(method):
    task = replace(task_of(), train=levels(48))
    with pytest.raises(InputError, match=f"{method.name} needs the group labels of the training images"):
        method.fit(task)


@pytest.mark.parametrize("method", [RWY(selection="last"), SUBY(selection="last")])
def test_those_by_class_need_no_groups(method):
    task = replace(task_of(), train=levels(49), validation=levels(24))
    assert method.fit(task).selection == "last"

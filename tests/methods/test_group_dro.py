"""GroupDRO: weights of groups by hand, its order of images, and what it is held to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.errors import InputError
from masktune.methods import GroupDRO, Task
from masktune.methods.group_dro import GroupLoss
from masktune.methods.groups import classes_of, grouped
from masktune.training.devices import ALONE
from training.tiny import classifier, settings, some_data

GROUPS = grouped(np.array(["a", "b", "a", "c", "b", "a"]))


def loss_of(objective, positions, losses):
    """The batch's loss, of logits whose cross-entropy for class 0 is what is given."""
    # With logits (0, z) the loss is log(1 + exp(z)), so z = log(exp(loss) - 1).
    z = torch.tensor(losses, dtype=torch.float64).expm1().log().float()
    logits = torch.stack([torch.zeros_like(z), z], 1).requires_grad_()
    at = torch.tensor(positions)
    loss = objective(logits, torch.zeros(len(at), dtype=torch.int64), at, at, ALONE)
    loss.backward()
    return loss.item(), logits.grad


def test_weights_follow_the_losses_of_groups_by_hand():
    objective = GroupLoss(GROUPS, GroupDRO(step_size=0.5))
    # Images 0 and 2 are of a (mean 1), 1 is of b (2), c is not there.
    loss, _ = loss_of(objective, [0, 2, 1], [0.5, 1.5, 2.0])
    grown = np.array([np.exp(0.5 * 1.0), np.exp(0.5 * 2.0), 1.0]) / 3
    weights = grown / grown.sum()
    assert objective.weights.tolist() == pytest.approx(weights)
    assert loss == pytest.approx(weights[0] * 1.0 + weights[1] * 2.0)
    # The second batch goes on from there: c alone.
    loss, _ = loss_of(objective, [3], [4.0])
    grown = weights * [1.0, 1.0, np.exp(0.5 * 4.0)]
    assert objective.weights.tolist() == pytest.approx(grown / grown.sum())
    assert loss == pytest.approx(4.0 * grown[2] / grown.sum())


def test_without_a_step_it_is_the_mean_over_groups():
    objective = GroupLoss(GROUPS, GroupDRO(step_size=0.0))
    loss, _ = loss_of(objective, [0, 1, 2, 3], [1.0, 2.0, 3.0, 6.0])
    assert loss == pytest.approx((2.0 + 2.0 + 6.0) / 3)
    assert objective.weights.tolist() == pytest.approx([1 / 3] * 3)


def test_a_group_twice_in_the_batch_counts_once():
    once, twice = (GroupLoss(GROUPS, GroupDRO(step_size=0.3)) for _ in range(2))
    first, _ = loss_of(once, [0, 1], [1.0, 2.0])
    second, _ = loss_of(twice, [0, 0, 0, 1], [1.0, 1.0, 1.0, 2.0])
    assert first == pytest.approx(second)
    assert once.weights.tolist() == pytest.approx(twice.weights.tolist())


def test_the_adjustment_moves_weights_and_not_the_loss_itself():
    objective = GroupLoss(GROUPS, GroupDRO(step_size=1.0, adjustment=2.0))
    loss, _ = loss_of(objective, [0, 1, 3], [1.0, 1.0, 1.0])
    # a has 3 images, b 2, c 1.
    grown = np.exp(1.0 + 2.0 / np.sqrt([3, 2, 1]))
    assert objective.weights.tolist() == pytest.approx(grown / grown.sum())
    assert loss == pytest.approx(1.0)


def test_the_gradient_of_an_image_is_its_groups_weight_over_the_groups_images():
    objective = GroupLoss(GROUPS, GroupDRO(step_size=0.0))
    _, gradient = loss_of(objective, [0, 2, 1], [1.0, 1.0, 1.0])
    # d loss / d z = sigmoid(z) = 1 - exp(-1), times 1/3 of the group, over its images here.
    assert gradient[:, 1].tolist() == pytest.approx(
        [(1 - np.exp(-1)) / 3 / 2, (1 - np.exp(-1)) / 3 / 2, (1 - np.exp(-1)) / 3]
    )


def test_groups_are_drawn_alike_or_each_image_once():
    groups = grouped(np.array(["many"] * 900 + ["few"] * 100))
    order = GroupLoss(groups, GroupDRO()).order(1000, torch.Generator().manual_seed(0))
    assert len(order) == 1000
    assert 420 < (order >= 900).sum() < 580  # 500 +- 5 standard deviations.
    again = GroupLoss(groups, GroupDRO()).order(1000, torch.Generator().manual_seed(0))
    assert torch.equal(order, again)
    plain = GroupLoss(groups, GroupDRO(balanced=False)).order(1000, torch.Generator().manual_seed(0))
    assert sorted(plain.tolist()) == list(range(1000))


def task_of(tmp_path=None, n=48, **more):
    groups = np.where(np.arange(n) % 6 == 0, "rare", "usual")
    data = some_data(n, groups=groups)
    return Task(
        data, some_data(24, seed=1, groups=groups[:24]), classifier, settings(**more), folder=tmp_path
    )


def test_it_is_chosen_by_its_worst_group_and_needs_groups():
    fitted = GroupDRO().fit(task_of())
    assert (fitted.selection, fitted.epochs) == ("worst_group", 3)
    task = task_of()
    with pytest.raises(InputError, match="group_dro needs the group labels of the training images"):
        GroupDRO().fit(replace(task, train=some_data(48)))


def test_one_group_is_the_mean_of_the_images():
    objective = GroupLoss(grouped(np.array(["all"] * 4)), GroupDRO())
    loss, _ = loss_of(objective, [0, 1, 3], [1.0, 2.0, 6.0])
    assert loss == pytest.approx(3.0)


def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path):
    whole = GroupDRO(step_size=0.5).fit(task_of(tmp_path / "whole"))

    class Killed(Exception):
        pass

    def kill(step):
        if step.what.startswith("group_dro, epoch 3"):
            raise Killed

    with pytest.raises(Killed):
        GroupDRO(step_size=0.5).fit(replace(task_of(tmp_path / "part"), progress=kill))
    again = GroupDRO(step_size=0.5).fit(task_of(tmp_path / "part"))
    for one, other in zip(whole.classifier.parameters(), again.classifier.parameters(), strict=True):
        assert torch.equal(one, other)
    states = [torch.load(tmp_path / name / "group_dro/state.pt")["objective"] for name in ("whole", "part")]
    assert torch.equal(states[0]["weights"], states[1]["weights"])
    assert states[0]["weights"].tolist() != pytest.approx([0.5, 0.5], abs=1e-3)


def test_classes_can_stand_in_for_groups():
    found = classes_of(some_data(50))
    assert found.names == ("dark", "bright")
    assert found.counts.sum() == 50
    assert (found.index == some_data(50).labels).all()


@pytest.mark.parametrize("wrong", [{"step_size": -1.0}, {"adjustment": float("nan")}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InputError, match=f"expected a {next(iter(wrong))} of 0 or more"):
        GroupDRO(**wrong)

"""LfF: both losses and the weights by hand, and what it is held to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.methods import Method
from masktune.methods.lff import FailureLoss, LfF
from masktune.methods.twins import twins_of
from masktune.training.devices import ALONE
from masktune.training.loop import Work, train
from masktune.training.together import predict_all

from .tasks import builder, by_two, gone_on, killed_at, levels, names_of, planted, same_weights, task_of

LABELS = torch.tensor([0, 0, 1])
THREE = InMemory(torch.zeros(3, 3, 8, 8), LABELS.numpy(), np.array(["a", "b", "c"]), names_of(2))
BY_GROUP = LfF(selection="worst_group")


def logits_of(losses, labels):
    """Of two classes, with these cross-entropies of the labels."""
    z = torch.tensor(losses, dtype=torch.float64).expm1().log()
    pair = torch.stack([torch.zeros_like(z), z], 1)
    return torch.where(labels[:, None] == 0, pair, pair.flip(1))


def step(objective, at, easy, hard, here=ALONE):
    """The loss of a batch (this process's part) with these cross-entropies of the two nets; and gradients."""
    whole = torch.tensor(at)
    both = torch.cat([logits_of(easy, LABELS[whole]), logits_of(hard, LABELS[whole])], 1)
    places = here.deal(torch.arange(len(at)))
    logits = both[places].requires_grad_()
    loss = objective(logits, LABELS[whole][places], whole[places], whole, here)
    loss.backward()
    return loss.item(), logits.grad


def led(loss, q=0.7):
    """Cross-entropy times q p^q, with p = exp(-loss)."""
    return q * np.exp(-q * loss) * loss


def test_three_steps_by_hand():
    objective = FailureLoss(THREE, LfF())
    # Images 0 and 2 are the only ones of their classes so far, so both nets' losses over the highest are 1.
    loss, _ = step(objective, [0, 2], [1.0, 0.5], [2.0, 0.25])
    assert objective.running.numpy() == pytest.approx(np.array([[1, 0, 0.5], [2, 0, 0.25]]))
    assert loss == pytest.approx((led(1.0) + led(0.5) + 0.5 * 2.0 + 0.5 * 0.25) / 2)
    # Image 1: over the highest of class 0 its losses are 0.5 / 1 and 4 / 4, so it weighs 0.5 / 1.5.
    loss, _ = step(objective, [1], [0.5], [4.0])
    assert loss == pytest.approx(led(0.5) + 4.0 / 3)
    # Both again: 0.7 of the old and 0.3 of the new.
    loss, _ = step(objective, [0, 1], [2.0, 0.1], [1.0, 0.5])
    assert objective.running.numpy() == pytest.approx(np.array([[1.3, 0.38, 0.5], [1.7, 2.95, 0.25]]))
    weights = [1 / (1 + 1.7 / 2.95), (0.38 / 1.3) / (0.38 / 1.3 + 1)]
    assert objective.weights(torch.tensor([0, 1])).tolist() == pytest.approx(weights)
    assert loss == pytest.approx((led(2.0) + led(0.1) + weights[0] * 1.0 + weights[1] * 0.5) / 2)


def test_gradients_by_hand():
    objective = FailureLoss(THREE, LfF(q=0.5))
    _, gradient = step(objective, [0], [1.0], [2.0])
    # d loss / d z = 1 - exp(-loss); the first net's times q p^q, the second one's times its weight, 0.5.
    assert gradient[0].tolist() == pytest.approx(
        [
            *(-0.5 * np.exp(-0.5) * (1 - np.exp(-1)), 0.5 * np.exp(-0.5) * (1 - np.exp(-1))),
            *(-0.5 * (1 - np.exp(-2)), 0.5 * (1 - np.exp(-2))),
        ]
    )


def test_images_without_any_loss_have_no_weight():
    objective = FailureLoss(THREE, LfF())
    assert objective.weights(torch.tensor([0, 2])).tolist() == [0, 0]


@pytest.mark.parametrize("at", [[0, 2, 1, 0], [1, 2], [1]])
def test_two_processes_remember_the_whole_batch(at):
    easy, hard = [1.0, 0.5, 3.0, 1.0][: len(at)], [2.0, 0.25, 1.0, 2.0][: len(at)]

    def compute(here):
        objective = FailureLoss(THREE, LfF())
        return step(objective, at, easy, hard, here)[0], objective.running

    (first, of_first), (second, of_second) = by_two(compute)
    whole, remembered = compute(ALONE)
    assert first + second == pytest.approx(whole)
    assert torch.equal(of_first, remembered)
    assert torch.equal(of_second, remembered)


def test_images_that_the_shortcut_misleads_weigh_more():
    task, contradicts, _ = planted(150)
    _, state = twins_of(task)
    state.objective = FailureLoss(task.train, LfF())
    list(train(state, task.train, task.training, Work(seed=0)))
    weights = state.objective.weights(torch.arange(150)).numpy()
    assert weights[contradicts].mean() > 3 * weights[~contradicts].mean()
    easy, hard = state.objective.running.numpy()[:, contradicts].mean(1)
    assert hard < easy / 2  # The second net learns what the first fails at.


def test_the_second_net_is_the_result_and_the_one_that_is_scored():
    task = task_of()
    twins, state = twins_of(task)
    state.objective = FailureLoss(task.train, LfF())
    seen = [
        (predict_all(twins.second, task.validation).logits, twins.second.state_dict()["net.5.bias"].clone())
        for _ in train(state, task.train, task.training, Work(0, "lff"))
    ]
    fitted = LfF().fit(task)
    assert np.array_equal(predict_all(fitted.classifier, task.validation).logits, seen[-1][0])
    assert (fitted.selection, fitted.epochs) == ("last", 3)
    assert fitted.classifier.classes == task.train.classes
    scored = [np.mean(logits.argmax(1) == task.validation.labels) for logits, _ in seen]
    chosen = LfF(selection="validation_accuracy").fit(task).classifier.state_dict()["net.5.bias"]
    assert torch.equal(chosen, seen[int(np.argmax(scored))][1])


def test_twins_start_alike_and_do_not_share_weights():
    twins, state = twins_of(task_of())
    images = task_of().train.images[:5]
    logits = state.classifier.eval()(images)
    assert torch.equal(logits[:, :3], logits[:, 3:])
    assert torch.equal(logits[:, :3], builder()().eval()(images))
    assert not {id(value) for value in twins.first.parameters()} & {
        id(value) for value in twins.second.parameters()
    }


def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path):
    killed_at(BY_GROUP, task_of(tmp_path / "part"), "lff, epoch 3")
    fitted, said = gone_on(BY_GROUP, task_of(tmp_path / "part"))
    assert "lff, epoch 2 of 3" not in said
    whole = BY_GROUP.fit(task_of(tmp_path / "whole"))
    assert same_weights(fitted, whole)
    assert not same_weights(whole, BY_GROUP.fit(task_of(seed=1)))
    states = [torch.load(tmp_path / name / "lff/state.pt")["objective"] for name in ("part", "whole")]
    assert torch.equal(states[0]["running"], states[1]["running"])
    assert states[0]["seen"].all()


def test_it_needs_no_groups_unless_they_choose_the_epoch():
    assert isinstance(LfF(), Method)
    assert (LfF().supervision, BY_GROUP.supervision) == ("none", "validation_groups")
    bare = replace(task_of(), train=levels(49), validation=levels(24))
    assert same_weights(LfF().fit(bare), LfF().fit(task_of()))


@pytest.mark.parametrize("wrong", [{"q": 0.0}, {"q": 1.1}, {"alpha": 1.0}, {"alpha": float("nan")}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InputError, match=r"expected q in \(0, 1\] and alpha in \[0, 1\)"):
        LfF(**wrong)

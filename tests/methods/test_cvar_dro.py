"""CVaR-DRO: the worst share by hand, alone and of two processes, and what it is held to."""

import numpy as np
import pytest
import torch

from masktune.errors import InputError
from masktune.methods import Method
from masktune.methods.cvar_dro import CVaRDRO, WorstShare
from masktune.methods.trained import trained_by
from masktune.training.devices import ALONE
from masktune.training.losses import summed_loss
from masktune.training.objective import MeanLoss

from .tasks import by_two, gone_on, killed_at, same_weights, task_of


def by_hand(losses, alpha):
    """Levy et al.: 1 / (alpha m) on the largest floor(alpha m) losses, what is left of 1 on the next one."""
    losses = np.sort(np.array(losses, np.float64))[::-1]
    count = alpha * len(losses)
    whole = int(np.floor(count))
    weights = np.zeros(len(losses))
    weights[:whole] = 1 / count
    if whole < len(losses):
        weights[whole] = 1 - weights.sum()
    return float(weights @ losses)


def loss_of(alpha, losses, here=ALONE):
    """This process's part, and the gradients by the losses, of logits (0, z) with these cross-entropies."""
    z = torch.tensor(losses, dtype=torch.float64).expm1().log()
    at = torch.arange(len(losses))
    own = here.deal(at)
    logits = torch.stack([torch.zeros_like(z), z], 1)[own].requires_grad_()
    loss = WorstShare(alpha)(logits, torch.zeros(len(own), dtype=torch.int64), own, at, here)
    loss.backward()
    return loss.item(), (logits.grad[:, 1] / torch.sigmoid(z[own])).tolist()


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.29, 0.5, 0.61, 1.0])
def test_it_is_the_mean_of_the_worst_share_by_hand(alpha):
    losses = [0.5, 4.0, 1.0, 0.1, 2.5, 0.2, 3.0, 0.3]
    loss, _ = loss_of(alpha, losses)
    assert loss == pytest.approx(by_hand(losses, alpha))


def test_weights_of_images_by_hand():
    # 0.3 of 5 images is 1.5 of them: all of the worst, half of the next.
    loss, weights = loss_of(0.3, [1.0, 5.0, 0.2, 3.0, 2.0])
    assert loss == pytest.approx((5.0 + 3.0 / 2) / 1.5)
    assert weights == pytest.approx([0, 1 / 1.5, 0, 0.5 / 1.5, 0])


def test_images_at_the_threshold_share_alike():
    loss, weights = loss_of(0.5, [2.0, 3.0, 2.0, 2.0])
    assert loss == pytest.approx(2.5)
    assert weights == pytest.approx([1 / 6, 1 / 2, 1 / 6, 1 / 6])


@pytest.mark.parametrize("losses", [[1.0, 5.0, 0.2, 3.0, 2.0], [0.7, 0.7, 0.7, 0.7], [3.0, 1.0], [2.0]])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_parts_of_two_processes_add_up_to_the_whole_batch(losses, alpha):
    (first, of_first), (second, of_second) = by_two(lambda here: loss_of(alpha, losses, here))
    whole, weights = loss_of(alpha, losses)
    assert first + second == pytest.approx(whole)
    dealt = [weights[0::2], weights[1::2]] if len(losses) >= 4 else [weights, []]
    assert of_first == pytest.approx(dealt[0])
    assert of_second == pytest.approx(dealt[1])


def test_at_alpha_1_it_is_ordinary_training_bit_for_bit():
    task, rule = task_of(), "worst_class"
    # Not ERM(): whatever bears another name draws another order of the images.
    mean = MeanLoss(summed_loss("cross_entropy", task.train.labels, 3, torch.device("cpu")))
    plain = trained_by(mean, "cvar_dro", task, "", selection=rule)
    assert same_weights(CVaRDRO(alpha=1.0, selection=rule).fit(task), plain)
    assert not same_weights(CVaRDRO(selection=rule).fit(task), plain)


def test_a_loss_that_is_no_number_stays_none():
    loss, _ = loss_of(0.5, [1.0, float("nan"), 2.0])
    assert np.isnan(loss)


def test_three_classes_an_empty_cell_and_the_same_bits_again():
    fitted = CVaRDRO().fit(task_of())
    assert (fitted.selection, fitted.epochs) == ("worst_group", 3)
    assert same_weights(fitted, CVaRDRO().fit(task_of()))
    assert not same_weights(fitted, CVaRDRO().fit(task_of(seed=1)))


def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path):
    killed_at(CVaRDRO(), task_of(tmp_path), "cvar_dro, epoch 3")
    fitted, said = gone_on(CVaRDRO(), task_of(tmp_path))
    assert "cvar_dro, epoch 2 of 3" not in said
    assert same_weights(fitted, CVaRDRO().fit(task_of()))


def test_it_says_which_labels_it_reads():
    assert isinstance(CVaRDRO(), Method)
    assert CVaRDRO().supervision == "validation_groups"
    assert CVaRDRO(selection="validation_accuracy").supervision == "none"


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.01, float("nan")])
def test_an_alpha_that_cannot_be(wrong):
    with pytest.raises(InputError, match="expected an alpha above 0 and at most 1"):
        CVaRDRO(alpha=wrong)

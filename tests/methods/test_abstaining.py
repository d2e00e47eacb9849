"""SelectiveNet, Deep Gamblers, SAT and OSP: their losses by hand, and what each is held to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, logsumexp, softmax

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.methods import OSP, SAT, DeepGamblers, Method, SelectiveNet
from masktune.methods.deep_gamblers import GamblersLoss
from masktune.methods.osp import OneSidedLoss
from masktune.methods.sat import AdaptiveLoss
from masktune.methods.selectivenet import SelectiveLoss
from masktune.models.with_heads import WithHeads
from masktune.runs import load_predictions, save_predictions
from masktune.selective import Score
from masktune.testing import check_method
from masktune.training.devices import ALONE
from masktune.training.together import predict_all

from .tasks import by_two, gone_on, killed_at, names_of, same_weights, task_of

LABELS = np.array([0, 2, 1, 0, 2])
METHODS = (DeepGamblers(), SAT(), SelectiveNet(), OSP())


def outputs(extra, seed=0, scale=2.0, n=5):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3 + extra)) * scale)


def step(objective, logits, at=None, here=ALONE):
    """The loss of a batch (this process's part); gradients too."""
    whole = torch.arange(len(logits)) if at is None else torch.tensor(at)
    places = here.deal(torch.arange(len(logits)))
    mine = logits[places].clone().requires_grad_()
    loss = objective(mine, torch.from_numpy(LABELS)[whole[places]], whole[places], whole, here)
    loss.backward()
    return loss.item(), mine.grad


def data():
    return InMemory(torch.zeros(5, 3, 8, 8), LABELS, np.array(list("abcde")), names_of(3))


def gamblers_by_hand(z, payoff):
    p = softmax(z, axis=1)
    return -np.mean(np.log(p[np.arange(len(z)), LABELS] + p[:, 3] / payoff))


def test_the_gamblers_loss_by_hand():
    z = outputs(1)
    assert step(GamblersLoss(3, 0, 2.2), z)[0] == pytest.approx(gamblers_by_hand(z.numpy(), 2.2))


def test_the_gamblers_loss_is_finite_at_any_logits():
    """Bug 29: the log of a sum of probabilities is not."""
    z = torch.full((5, 4), -200.0, dtype=torch.float64)
    z[:, 0] = 200.0
    loss, gradient = step(GamblersLoss(3, 0, 2.2), z)
    assert np.isfinite(loss)
    assert torch.isfinite(gradient).all()
    assert loss == pytest.approx(np.mean([0, 400 + 0, 400, 0, 400]) - 0.6 * np.log(1 + 1 / 2.2), rel=1e-9)


@pytest.mark.parametrize(("payoff", "pays"), [(1.1, True), (2.9, True), (3.0, False), (4.0, False)])
def test_from_the_number_of_classes_on_abstaining_never_pays(payoff, pays):
    """Of an image of which nothing is known: all on the reserve, or spread over the classes."""
    spread = torch.tensor([[0.0, 0.0, 0.0, -50.0]], dtype=torch.float64)
    reserve = torch.tensor([[-50.0, -50.0, -50.0, 0.0]], dtype=torch.float64)
    losses = [step(GamblersLoss(3, 0, payoff), z)[0] for z in (reserve, spread)]
    assert (losses[0] < losses[1] - 1e-9) == pays


@pytest.mark.parametrize(
    "make", [lambda warm: GamblersLoss(3, warm, 2.2), lambda warm: AdaptiveLoss(data(), warm, 0.9)]
)
def test_warm_up_is_cross_entropy_of_the_classes(make):
    objective, z = make(2), outputs(1)
    plain = -np.mean(log_softmax(z.numpy()[:, :3], axis=1)[np.arange(5), LABELS])
    for epoch in (1, 2, 3):
        objective.order(5, torch.Generator())
        loss, gradient = step(objective, z)
        assert (loss == pytest.approx(plain)) == (epoch <= 2)
        assert bool((gradient[:, 3] == 0).all()) == (epoch <= 2)


def test_the_memory_of_sat_by_hand_whatever_the_order():
    objective, z = AdaptiveLoss(data(), 0, 0.9), outputs(1)
    one_hot = np.eye(3)[LABELS]
    said = softmax(z.numpy()[:, :3], axis=1)
    first = 0.9 * one_hot + 0.1 * said
    order = [4, 2, 0, 1, 3]
    loss, _ = step(objective, z[order], order)
    np.testing.assert_allclose(objective.targets, first, rtol=1e-6)
    logs = log_softmax(z.numpy(), axis=1)
    at = np.arange(5)
    by_hand = -np.mean(first[at, LABELS] * logs[at, LABELS] + (1 - first[at, LABELS]) * logs[:, 3])
    assert loss == pytest.approx(by_hand, rel=1e-6)
    # A second visit of two images alone: only theirs move.
    step(objective, z[[1, 3]], [1, 3])
    second = first.copy()
    second[[1, 3]] = 0.9 * first[[1, 3]] + 0.1 * said[[1, 3]]
    np.testing.assert_allclose(objective.targets, second, rtol=1e-6)


@pytest.mark.parametrize("form", ["paper", "reference_code"])
def test_the_selective_loss_by_hand(form):
    """Bug 14: the code does not divide by the coverage."""
    z = outputs(4)
    g = expit(z.numpy()[:, 3])
    at = np.arange(5)
    each = -log_softmax(z.numpy()[:, :3], axis=1)[at, LABELS]
    risk = (g * each).sum() / g.sum() if form == "paper" else (g * each).mean()
    auxiliary = -log_softmax(z.numpy()[:, 4:], axis=1)[at, LABELS].mean()
    for coverage in (0.1, 0.95):
        missed = max(0, coverage - g.mean()) ** 2
        settings = SelectiveNet(coverage=coverage, form=form, alpha=0.6)
        expected = 0.6 * (risk + 32 * missed) + 0.4 * auxiliary
        assert step(SelectiveLoss(3, settings), z)[0] == pytest.approx(expected)


def test_the_selective_loss_is_finite_where_nothing_is_selected():
    z = outputs(4).float()
    z[:, 3] = -200.0
    loss, gradient = step(SelectiveLoss(3, SelectiveNet()), z)
    assert np.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_the_gradient_of_the_selective_loss_is_that_of_the_formula():
    z = outputs(4).requires_grad_()
    g = torch.sigmoid(z[:, 3])
    labels = torch.from_numpy(LABELS)
    each = torch.nn.functional.cross_entropy(z[:, :3], labels, reduction="none")
    direct = 0.5 * ((g * each).sum() / g.sum() + 32 * torch.relu(0.8 - g.mean()) ** 2)
    direct = direct + 0.5 * torch.nn.functional.cross_entropy(z[:, 4:], labels)
    direct.backward()
    _, gradient = step(SelectiveLoss(3, SelectiveNet()), z.detach())
    np.testing.assert_allclose(gradient, z.grad, rtol=1e-6, atol=1e-12)


def test_the_one_sided_loss_and_its_multipliers_by_hand():
    z = outputs(3)
    settings = OSP(alpha=0.7, mu=0.5, climb=0.1)
    objective = OneSidedLoss(3, settings)
    objective.multipliers[:] = torch.tensor([2.0, 0.0, 1.0])
    objective.slacks[:] = torch.tensor([0.3, 0.0, 0.2])
    loss, _ = step(objective, z)
    p = softmax(z.numpy()[:, :3], axis=1)
    total, taken_in = 0.0, []
    for k, (multiplier, slack) in enumerate([(2.0, 0.3), (0.0, 0.0), (1.0, 0.2)]):
        own, others = k == LABELS, k != LABELS
        taken = -np.log(1 - p[others, k]).mean()
        taken_in.append(taken)
        total += -np.log(p[own, k]).mean() + multiplier * (taken - slack) + 0.5 * slack
    auxiliary = -log_softmax(z.numpy()[:, 3:], axis=1)[np.arange(5), LABELS].mean()
    assert loss == pytest.approx(0.7 * total + 0.3 * auxiliary, rel=1e-6)
    expected = np.maximum(0, np.array([2.0, 0.0, 1.0]) + 0.1 * (np.array(taken_in) - [0.3, 0.0, 0.2]))
    np.testing.assert_allclose(objective.multipliers, expected, rtol=1e-6)
    slacks = np.maximum(0, np.array([0.3, 0.0, 0.2]) - 0.1 * (0.5 - np.array([2.0, 0.0, 1.0])))
    np.testing.assert_allclose(objective.slacks, slacks, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "extra"),
    [
        (lambda: GamblersLoss(3, 0, 2.2), 1),
        (lambda: AdaptiveLoss(data(), 0, 0.9), 1),
        (lambda: SelectiveLoss(3, SelectiveNet()), 4),
        (lambda: OneSidedLoss(3, OSP()), 3),
    ],
)
def test_two_processes_are_as_good_as_one(make, extra):
    z = outputs(extra)
    alone = step(make(), z)
    parts = by_two(lambda here: step(make(), z, here=here))
    assert sum(loss for loss, _ in parts) == pytest.approx(alone[0], rel=1e-5)
    whole = torch.zeros_like(z)
    for rank, (_, gradient) in enumerate(parts):
        whole[rank::2] = gradient
    np.testing.assert_allclose(whole, alone[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_it_keeps_what_every_method_must(method):
    assert isinstance(method, Method)
    assert check_method(method) == ()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_gone_on_from_where_it_was_killed(method, tmp_path):
    whole = method.fit(task_of(tmp_path / "whole"))
    killed_at(method, task_of(tmp_path / "cut"), method.name, step=6)
    fitted, said = gone_on(method, task_of(tmp_path / "cut"))
    assert not any("epoch 1 of" in what for what in said)
    assert same_weights(whole, fitted)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_answer_is_a_class_and_the_head_is_kept(method, tmp_path):
    """Bug 31: "no answer" is no class."""
    task = task_of()
    fitted = method.fit(task)
    assert isinstance(fitted.classifier.net, WithHeads)
    said = predict_all(fitted.classifier, task.validation)
    assert said.logits.shape == (24, 3)
    save_predictions(tmp_path / "said.npz", said)
    back = load_predictions(tmp_path / "said.npz")
    if method.name == "osp":  # Its own rule is softmax response.
        assert back.head is None
        return
    assert (back.head == said.head).all()
    assert (Score("head").of(back).scores == said.head).all()
    images = task.validation.__getitems__(range(24)).images
    fitted.classifier.eval()
    with torch.inference_mode():
        z = fitted.classifier.net.outputs(fitted.classifier.to_net_input(images)).double().numpy()
    by_hand = z[:, 3] if method.name == "selectivenet" else logsumexp(z[:, :4], axis=1) - z[:, 3]
    np.testing.assert_allclose(said.head, by_hand, rtol=1e-4, atol=1e-5)


def test_a_net_without_a_last_layer_is_refused():
    task = task_of()
    built = task.build
    strange = lambda: replace_net(built())  # noqa: E731
    with pytest.raises(InputError, match="ends in a linear layer"):
        SAT().fit(replace(task, build=strange))


def replace_net(classifier):
    class Odd(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, images):
            return self.net(images) * 2

    return type(classifier)(Odd(classifier.net), classifier.spec, classifier.classes)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DeepGamblers(o=1.0), "payoff o above 1"),
        (lambda: DeepGamblers(o=3.0).fit(task_of()), "below the 3 classes"),
        (lambda: DeepGamblers(warm_up=1.0), "share of the epochs"),
        (lambda: SAT(momentum=1.0), "momentum and warm_up"),
        (lambda: SelectiveNet(coverage=0.0), "coverage in"),
        (lambda: OSP(mu=0.0), "mu and climb above 0"),
    ],
)
def test_settings_that_cannot_be(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_two_classes_have_a_payoff_of_their_own():
    assert DeepGamblers().fit(task_of(k=2)).classifier.classes == names_of(2)

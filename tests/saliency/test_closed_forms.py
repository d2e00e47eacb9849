"""Explainers against formulas that need no gradient: global pooling with a linear head, hand-set nets."""

import pytest
import torch
from torch import nn

from masktune.saliency import GradCAM, GradCAMPlusPlus, LayerCAM, XGradCAM
from masktune.saliency.cam import scale, xgrad_cam
from masktune.saliency.probe import probe

from .tiny import PooledNet, images, seeded

CLOSED = {
    GradCAM: lambda w, a: (w[:, :, None, None] * a).sum(1),
    XGradCAM: lambda w, a: (w[:, :, None, None] * a).sum(1),
    LayerCAM: lambda w, a: (w.relu()[:, :, None, None] * a).sum(1),
}


@pytest.mark.parametrize("method", CLOSED)
def test_global_pooling_and_a_linear_head_need_no_gradient(method):
    net, batch = seeded(PooledNet), images()
    classes = torch.tensor([0, 1, 2, 1])
    with torch.no_grad():
        activations = net.second(net.pool(net.first(batch))).double()
        raw = CLOSED[method](net.head.weight[classes].double(), activations) / activations[0, 0].numel()
    low = method(net, "second")(batch, classes).low
    torch.testing.assert_close(low.double(), scale(raw), rtol=0, atol=1e-6)


def test_grad_cam_plus_plus_keeps_its_epsilon():
    net, batch = seeded(PooledNet), images()
    with torch.no_grad():
        activations = net.second(net.pool(net.first(batch))).double()
        gradient = net.head.weight[1].double() / activations[0, 0].numel()
        total = activations.sum((2, 3))
        q = gradient**2 / (2 * gradient**2 + total * gradient**3 + 1e-6)
        weight = activations[0, 0].numel() * gradient.relu() * q
        raw = (weight[:, :, None, None] * activations).sum(1)
    low = GradCAMPlusPlus(net, "second")(batch, 1).low
    torch.testing.assert_close(low.double(), scale(raw), rtol=0, atol=1e-5)


def hand_set():
    """One channel that copies the image, read place by place: class 1 scores the top left minus the rest."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        net[0].weight.fill_(1)
        net[3].weight.copy_(torch.tensor([[0.0, 0, 0, 0.5], [1, 0, 0, -1]]))
    return net


IMAGE = torch.tensor([[[[4.0, 2.0], [0.0, 2.0]]]])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (XGradCAM, [[1, 0.5], [0, 0.5]]),  # The channel's weight is (4 - 2) / 8.
        (GradCAM, [[0, 0], [0, 0]]),  # The mean gradient is (1 - 1) / 4.
        (GradCAMPlusPlus, [[1, 0.5], [0, 0.5]]),
        (LayerCAM, [[1, 0], [0, 0]]),
    ],
)
def test_a_hand_set_net_gives_literal_maps(method, expected):
    found = method(hand_set(), "1")(IMAGE)
    assert found.logits.tolist() == [[1.0, 2.0]]
    assert found.classes.tolist() == [1]
    torch.testing.assert_close(found.maps, torch.tensor([expected], dtype=torch.float32), rtol=0, atol=1e-6)
    assert found.empty.tolist() == [method is GradCAM]


def test_the_class_that_is_asked_for_is_explained():
    # Class 0 reads the bottom right only.
    found = LayerCAM(hand_set(), "1")(IMAGE, 0)
    torch.testing.assert_close(found.maps, torch.tensor([[[0.0, 0.0], [0.0, 1.0]]]), rtol=0, atol=1e-6)


def test_the_sum_of_the_raw_map_is_the_score_without_its_bias():
    net, batch = seeded(PooledNet), images()
    seen = probe(net, batch, {"second": net.second}, 2)
    total = xgrad_cam(seen.activations["second"], seen.gradients["second"]).sum((1, 2))
    torch.testing.assert_close(total, (seen.logits - net.head.bias)[:, 2].detach(), rtol=1e-4, atol=1e-5)

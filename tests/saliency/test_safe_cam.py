"""XGradCAM where its sums are safe, LayerCAM elsewhere."""

import logging

import pytest
import torch

from masktune.saliency import LayerCAM, SafeCAM, XGradCAM

from .tiny import FlatNet, TokenNet, images, seeded


@pytest.mark.parametrize(
    ("build", "layer", "method"),
    [
        (FlatNet, "features.5", XGradCAM),  # Behind a ReLU, not below zero.
        (FlatNet, "features.4", LayerCAM),  # BatchNorm before a ReLU: of both signs, gradient not constant.
        (TokenNet, "norm1", LayerCAM),
        (lambda: TokenNet(0, mean=True), "mlp", XGradCAM),  # Of both signs, but the gradient is constant.
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_the_safe_formula_is_taken_and_its_bits(build, layer, method, named):
    net, batch = seeded(build, seed=1), images(2, (8, 12)) if layer in ("norm1", "mlp") else images()
    explain = SafeCAM(net, layer if named or layer == "features.4" else None)
    found, expected = explain(batch, 2), method(net, layer)(batch, 2)
    assert (found.layer, found.method) == (layer, method.__name__)
    assert torch.equal(found.low, expected.low)
    assert torch.equal(found.maps, expected.maps)
    assert not found.empty.all()


@pytest.mark.parametrize(
    ("layers", "method"),
    [
        (("features.4", "features.5"), "LayerCAM+XGradCAM"),
        (("features.5", "features.4", "features.2"), "XGradCAM+LayerCAM"),
        (("features.2", "features.5"), "XGradCAM"),
    ],
)
def test_of_several_layers_each_decides_for_itself(layers, method):
    net = seeded(FlatNet)
    found = SafeCAM(net, layers)(images(), 1)
    assert (found.layer, found.method) == (layers, method)
    for name, low in zip(layers, found.low, strict=True):
        alone = (LayerCAM if name == "features.4" else XGradCAM)(net, name)(images(), 1)
        torch.testing.assert_close(low, alone.low, rtol=0, atol=1e-6)


def test_what_is_safe_is_logged_once(caplog):
    explain = SafeCAM(seeded(FlatNet), ["features.4", "features.5"])
    with caplog.at_level(logging.INFO, logger="masktune"):
        for size in ((12, 20), (12, 20)):
            explain(images(size=size))
    assert [record.getMessage() for record in caplog.records] == [
        "SafeCAM takes LayerCAM at features.4, XGradCAM at features.5"
    ]
    assert caplog.records[0].levelno == logging.INFO

"""Features of a data set, whole and by two processes, and other coefficients in the last layer's place."""

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.models.weights import weights_sha256
from masktune.training.last_layer import LastLayer, features_of_all, last_layer_of, put_last_layer
from masktune.training.logistic import fit_standardised
from masktune.types import InputSpec
from methods.tasks import by_two

from .tiny import CLASSES, classifier, net_with_norm_and_dropout, some_data


def body():
    return [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()]


def with_conv():
    """A 1x1 convolution whose mean over places is the logits."""
    return nn.Sequential(*body(), nn.Dropout(0.5), nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def with_one_logit():
    return nn.Sequential(*body(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, 1))


def without_bias():
    return nn.Sequential(*body(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, 2, bias=False))


def rectified():
    """As in SqueezeNet: no linear function of the mean over places."""
    head = nn.Conv2d(4, 2, 1)
    nn.init.normal_(head.weight)  # Below 0 at some places, above at others.
    return nn.Sequential(*body(), head, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Distilled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten())
        self.first, self.second = nn.Linear(16, 2), nn.Linear(16, 2)

    def forward(self, images):
        features = self.body(images)
        return (self.first(features) + self.second(features)) / 2


NETS = [net_with_norm_and_dropout, with_conv, with_one_logit, without_bias]


def test_features_are_those_of_evaluation_mode_in_the_order_of_the_data():
    data, made = some_data(50, groups=np.array(["g", "h"] * 25)), classifier(net_with_norm_and_dropout)
    before, steps = weights_sha256(made), []
    assert made.train().net[5].training
    found = features_of_all(made, data, what="looking", progress=steps.append)
    assert made.net[5].training
    assert weights_sha256(made) == before
    assert not made.net[6]._forward_pre_hooks
    with torch.no_grad():
        expected = made.eval().net[:5](made.to_net_input(data.images))
    assert np.allclose(found.values, expected, atol=1e-5)
    assert found.said.ids.tolist() == data.ids.tolist()
    assert found.said.groups.tolist() == data.groups.tolist()
    assert np.allclose(found.said.logits, predict(made, [data.__getitems__(range(50))]).logits, atol=1e-5)
    assert [(step.what, step.done, step.total) for step in steps] == [("looking", 50, 50)]


def test_each_image_once_by_one_process_or_by_two(monkeypatch):
    monkeypatch.setattr("masktune.training.last_layer.at_once", lambda spec: 16)
    asked = []

    class Counted(InMemory):
        def __getitems__(self, indices):
            asked.extend(indices.tolist())
            return super().__getitems__(indices)

    plain = some_data(49)
    data = Counted(plain.images, plain.labels, plain.ids, CLASSES)
    alone = features_of_all(classifier(), data)
    assert sorted(asked) == list(range(49))
    asked.clear()
    for of_one in by_two(lambda here: features_of_all(classifier(), data, here=here)):
        assert (of_one.values == alone.values).all()
        assert of_one.said.ids.tolist() == plain.ids.tolist()
    assert sorted(asked) == list(range(49))


@pytest.mark.parametrize("make", NETS)
def test_the_layer_of_the_features_says_what_the_net_says(make):
    made = classifier(make)
    found = features_of_all(made, some_data(20))
    assert np.allclose(last_layer_of(made).logits(found.values), found.said.logits, atol=1e-5)


@pytest.mark.parametrize("make", NETS)
def test_a_fitted_layer_in_the_net_says_the_same(make):
    made, data = classifier(make), some_data(50, seed=1)
    found = features_of_all(made, data)
    fitted = fit_standardised(found.values, data.labels, 2, c=0.3)
    put_last_layer(made, fitted)
    told = predict(made, [data.__getitems__(range(50))])
    assert np.allclose(told.logits, fitted.logits(found.values), atol=1e-4)
    assert np.allclose(told.logits, found.said_by(fitted).logits, atol=1e-4)
    assert told.correct.mean() > 0.9
    assert np.allclose(last_layer_of(made).logits(found.values), fitted.logits(found.values), atol=1e-4)


def test_three_classes():
    net = nn.Sequential(*body(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, 3))
    made = Classifier(net, InputSpec(size=(8, 8)), ("a", "b", "c"))
    plain = some_data(60)
    data = InMemory(plain.images, np.arange(60) % 3, plain.ids, ("a", "b", "c"))
    found = features_of_all(made, data)
    fitted = fit_standardised(found.values, data.labels, 3, c=1.0, penalty="l2")
    put_last_layer(made, fitted)
    told = predict(made, [data.__getitems__(range(60))])
    assert np.allclose(told.logits, fitted.logits(found.values), atol=1e-4)


def test_some_of_the_features():
    found = features_of_all(classifier(), some_data(20))
    part = found.select(np.arange(20) % 2 == 1)
    assert len(part) == 10
    assert (part.values == found.values[1::2]).all()
    assert part.said.ids.tolist() == found.said.ids[1::2].tolist()


def test_subjects_are_left_out_since_they_cost_time_at_each_score():
    found = features_of_all(classifier(), some_data(20, subjects=np.array(["s"] * 20)))
    assert found.said.subjects is None


@pytest.mark.parametrize("make", [rectified, Distilled])
def test_logits_that_no_single_layer_gives_are_said(make):
    with pytest.raises(InputError, match=r"linear function .* take a method that trains the whole net"):
        features_of_all(classifier(make), some_data(20))


def test_a_net_without_a_last_layer_is_said():
    made = classifier(lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    for use in (last_layer_of, lambda net: put_last_layer(net, LastLayer(np.ones((2, 4)), np.ones(2)))):
        with pytest.raises(InputError, match="cannot find the last layer of Sequential"):
            use(made)


def test_training_goes_on_with_a_layer_that_was_put_there():
    made = Classifier(from_seed(without_bias, 0), InputSpec(size=(8, 8)), CLASSES)
    put_last_layer(made, LastLayer(np.ones((1, 16)), np.array([0.5])))
    assert made.net[-1].weight[0].tolist() == [0.0] * 16
    assert made.net[-1].bias.tolist() == [0.0, 0.5]
    made(some_data(8).images).sum().backward()
    assert made.net[-1].bias.grad.tolist() == [8.0, 8.0]

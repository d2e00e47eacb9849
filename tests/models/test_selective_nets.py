"""ResNet-32 and VGG-16: parameters counted by hand, shapes, and where maps are made."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from masktune.models.build import from_seed
from masktune.models.resnet32 import ResNet32
from masktune.models.vgg16_bn import VGG16BN
from masktune.saliency import XGradCAM


def convolution(inputs, outputs, bias):
    return 9 * inputs * outputs + (outputs if bias else 0)


def norm(channels):
    return 2 * channels


def count(net):
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize("classes", [2, 10])
def test_the_parameters_of_resnet32(classes):
    total = convolution(3, 16, False) + norm(16) + 64 * classes + classes
    for inputs, width in ((16, 16), (16, 32), (32, 64)):
        total += convolution(inputs, width, False) + 9 * convolution(width, width, False) + 10 * norm(width)
    assert count(ResNet32(classes)) == total
    assert classes != 10 or total == 464_154  # 0.46 M, as He et al. say.


@pytest.mark.parametrize("size", [32, 64])
def test_the_parameters_of_vgg16(size):
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    total = sum(convolution(one, two, True) + norm(two) for one, two in pairwise(widths))
    total += 512 * (size // 32) ** 2 * 512 + 512 + norm(512) + 512 * 10 + 10
    assert count(VGG16BN(10, size=size)) == total


def test_vgg16_is_convolution_then_relu_then_norm_and_drops_within_blocks():
    kinds = [type(one).__name__ for one in VGG16BN().features]
    unit = ["Conv2d", "ReLU", "BatchNorm2d"]
    two, three = [*unit, "Dropout2d", *unit], [*unit, "Dropout2d", *unit, "Dropout2d", *unit]
    assert kinds == [*two, "MaxPool2d", *two, "MaxPool2d", *three, "MaxPool2d", *three, "MaxPool2d", *three]
    drops = [one.p for one in VGG16BN().modules() if isinstance(one, nn.Dropout | nn.Dropout2d)]
    assert drops == [0.3, *[0.4] * 7, 0.5, 0.5]


@pytest.mark.parametrize(
    ("make", "size", "layer", "side"), [(ResNet32, 32, "stages.2", 8), (VGG16BN, 32, "features", 2)]
)
def test_maps_are_made_at_the_last_layer_with_places(make, size, layer, side):
    net = from_seed(make, 0).eval()
    found = XGradCAM(net, layer=layer)(torch.rand(2, 3, size, size))
    assert found.low.shape == (2, side, side)
    assert found.maps.shape == (2, size, size)
    assert XGradCAM(net)(torch.rand(2, 3, size, size)).layer


def test_a_block_that_halves_pads_with_zeros():
    """Option A: what goes past has no weights."""
    net = ResNet32()
    block = net.stages[1][0]
    for part in (block.norm2,):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    images = torch.rand(1, 16, 8, 8)
    out = block.eval()(images)
    assert torch.equal(out[:, :16], images[:, :, ::2, ::2])
    assert (out[:, 16:] == 0).all()


def test_a_seed_makes_the_same_weights():
    one, two, other = (from_seed(ResNet32, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])

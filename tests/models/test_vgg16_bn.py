from itertools import pairwise

import pytest
import torch

from masktune.errors import InputError
from masktune.models import VGG16BN, from_seed
from masktune.saliency.layers import find_layer


def test_it_has_the_number_of_parameters_that_its_layers_add_up_to():
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    convolutions = sum(9 * inputs * outputs + outputs for inputs, outputs in pairwise(widths))
    norms = sum(2 * outputs for outputs in widths[1:])
    head = 512 * 512 + 512 + 2 * 512 + 512 * 10 + 10
    assert convolutions + norms + head == 14_991_946
    net = VGG16BN()
    assert sum(parameter.numel() for parameter in net.parameters()) == 14_991_946
    # At 64 pixels four places are left after the last pooling instead of one.
    large = VGG16BN(size=64)
    assert sum(parameter.numel() for parameter in large.parameters()) == 14_991_946 + 3 * 512 * 512


def test_batch_norm_follows_relu_and_dropout_stands_between_convolutions():
    kinds = [type(module).__name__ for module in VGG16BN().features]
    convolution = ["Conv2d", "ReLU", "BatchNorm2d"]
    two = [*convolution, "Dropout", *convolution, "MaxPool2d"]
    three = [*convolution, "Dropout", *two]
    assert kinds == two * 2 + three * 3
    shares = [module.p for module in VGG16BN().modules() if isinstance(module, torch.nn.Dropout)]
    assert shares == [0.3] + [0.4] * 7 + [0.5] * 2


@pytest.mark.parametrize(("size", "grid"), [(32, (2, 2)), (64, (4, 4))])
def test_the_layer_that_is_found_is_the_batch_norm_before_the_last_pooling(size, grid):
    net = from_seed(lambda: VGG16BN(10, size), 0).eval()
    found = find_layer(net, torch.rand(2, 3, size, size))
    assert (found.path, found.layout.grid) == ("features.50", grid)
    assert isinstance(net.get_submodule("features.50"), torch.nn.BatchNorm2d)
    assert isinstance(net.get_submodule("features.51"), torch.nn.MaxPool2d)


def test_a_seed_makes_the_same_weights_again():
    one, again = (from_seed(VGG16BN, 3).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)


@pytest.mark.parametrize("size", [0, 28, 48])
def test_sizes_that_do_not_fit_are_refused(size):
    with pytest.raises(InputError, match=f"expected images whose sides are a multiple of 32, got {size}"):
        VGG16BN(size=size)

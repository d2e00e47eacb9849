import pytest
import torch

from masktune.models.small_cnn import SmallCNN


def test_it_has_the_papers_number_of_parameters():
    assert sum(parameter.numel() for parameter in SmallCNN().parameters()) == 149_202
    # Ten classes need 8 more columns of 256 weights and a bias; one channel 2 x 16 x 9 weights fewer.
    assert sum(parameter.numel() for parameter in SmallCNN(classes=10).parameters()) == 149_202 + 8 * 257
    assert sum(parameter.numel() for parameter in SmallCNN(channels=1).parameters()) == 149_202 - 288


def test_the_layer_to_explain_is_the_last_relu_before_the_second_pooling():
    net = SmallCNN().eval()
    seen = {}
    layer = net.get_submodule("features.12")
    layer.register_forward_hook(lambda module, args, output: seen.update(output=output))
    net(torch.rand(2, 3, 28, 28))
    assert isinstance(layer, torch.nn.ReLU)
    assert isinstance(net.get_submodule("features.13"), torch.nn.MaxPool2d)
    assert seen["output"].shape == (2, 32, 8, 8)


@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (10, 1)])
def test_it_gives_a_logit_a_class(classes, channels):
    assert SmallCNN(classes, channels).eval()(torch.rand(4, channels, 28, 28)).shape == (4, classes)


def test_the_modules_are_those_of_the_official_code_in_order():
    kinds = [type(module).__name__ for module in SmallCNN().features]
    block = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == [*block, *block, "MaxPool2d", *block, *block, "MaxPool2d"]

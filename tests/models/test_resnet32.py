import pytest
import torch

from masktune.models import ResNet32, from_seed
from masktune.models.resnet32 import Block
from masktune.saliency.layers import find_layer


def test_it_has_the_number_of_parameters_that_its_layers_add_up_to():
    # 3x3 convolutions without bias, two numbers a channel in batch norm, none in the shortcuts.
    first = 9 * 3 * 16 + 2 * 16
    stage_1 = 5 * 2 * (9 * 16 * 16 + 2 * 16)
    stage_2 = 9 * 16 * 32 + 9 * 32 * 32 + 2 * 2 * 32 + 4 * 2 * (9 * 32 * 32 + 2 * 32)
    stage_3 = 9 * 32 * 64 + 9 * 64 * 64 + 2 * 2 * 64 + 4 * 2 * (9 * 64 * 64 + 2 * 64)
    count = first + stage_1 + stage_2 + stage_3 + 64 * 10 + 10
    assert count == 464_154
    assert sum(parameter.numel() for parameter in ResNet32().parameters()) == count
    assert sum(parameter.numel() for parameter in ResNet32(classes=2).parameters()) == count - 8 * 65


def test_it_has_32_layers_with_weights():
    kinds = torch.nn.Conv2d | torch.nn.Linear
    assert sum(isinstance(module, kinds) for module in ResNet32().modules()) == 32


@pytest.mark.parametrize(("size", "grid"), [(32, (8, 8)), (64, (16, 16))])
def test_the_layer_that_is_found_is_the_end_of_the_last_block(size, grid):
    net = from_seed(ResNet32, 0).eval()
    images = torch.rand(2, 3, size, size)
    found = find_layer(net, images)
    assert (found.path, found.layout.grid) == ("stages", grid)
    # One linear layer follows after the mean over all places, so each place counts alike for a class.
    assert found.constant_gradient
    seen = {}
    for name in ("stages", "stages.2.4"):
        net.get_submodule(name).register_forward_hook(
            lambda module, args, output, name=name: seen.update({name: output})
        )
    assert net(images).shape == (2, 10)
    assert torch.equal(seen["stages"], seen["stages.2.4"])


def test_a_shortcut_takes_every_second_pixel_and_leaves_new_channels_empty():
    block = Block(16, 32, stride=2).eval()
    torch.nn.init.zeros_(block.residual[4].weight)  # Of the last batch norm: nothing is added.
    features = torch.rand(2, 16, 8, 8)
    out = block(features)
    assert torch.equal(out[:, :16], features[:, :, ::2, ::2])
    assert not out[:, 16:].any()
    assert not [name for name, _ in block.named_parameters() if "residual" not in name]


def test_a_seed_makes_the_same_weights_again():
    one, again, other = (from_seed(ResNet32, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    # He et al. 2015: variance 2 over 9 x 64 inputs.
    spread = one["stages.2.4.residual.3.weight"].std().item()
    assert spread == pytest.approx((2 / 576) ** 0.5, rel=0.02)

"""The layer that is found in torchvision's families, by the table of `saliency.md` §6.6; random weights."""

from collections import OrderedDict
from functools import partial

import pytest
import torch
from torch import nn

from masktune.errors import SaliencyError
from masktune.saliency import GradCAM, Layout, SafeCAM, find_layer

from .tiny import check_zoo, images, seeded

pytestmark = pytest.mark.vision
models = pytest.importorskip("torchvision.models")

SIZE = (64, 96)
NCHW = "channels_first"


def resnet(**options):
    return models.resnet.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=4, **options)


def cifar_resnet():
    """Three stages, as in He et al., 2016, section 4.2."""
    block, conv = models.resnet.BasicBlock, partial(nn.Conv2d, kernel_size=1, stride=2, bias=False)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False),
            layer1=nn.Sequential(block(16, 16), block(16, 16)),
            layer2=nn.Sequential(block(16, 32, 2, conv(16, 32)), block(32, 32)),
            layer3=nn.Sequential(block(32, 64, 2, conv(32, 64)), block(64, 64)),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            fc=nn.Linear(64, 4),
        )
    )


def vgg(batch_norm):
    with torch.device("meta"):  # Its classifier of 100 million weights is the slow part.
        net = models.vgg11(num_classes=4)
    net.features = models.vgg.make_layers(models.vgg.cfgs["A"], batch_norm)
    net.classifier = small_classifier(512 * 49)
    return net


def alexnet():
    net = models.alexnet(num_classes=4)
    net.classifier = small_classifier(256 * 36)
    return net


def small_classifier(inputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(32, 4))


def efficientnet_v2():
    nets = models.efficientnet
    stages = [nets.FusedMBConvConfig(1, 3, 1, 8, 8, 1), nets.MBConvConfig(4, 3, 2, 8, 16, 1)]
    return nets.EfficientNet(stages, dropout=0.2, num_classes=4, last_channel=32)


def convnext():
    block = models.convnext.CNBlockConfig
    return models.ConvNeXt([block(8, 16, 1), block(16, 24, 1), block(24, None, 1)], num_classes=4)


def densenet():
    return models.DenseNet(8, (2, 2, 2, 2), 16, num_classes=4)


def swin(version):
    swins = models.swin_transformer
    parts = {
        1: {},
        2: {"block": swins.SwinTransformerBlockV2, "downsample_layer": swins.PatchMergingV2},
    }[version]
    return swins.SwinTransformer([4, 4], 24, [1, 1], [2, 4], [4, 4], num_classes=4, **parts)


def maxvit():
    return models.MaxVit(
        input_size=(64, 64), stem_channels=8, partition_size=4, block_channels=[8, 16], block_layers=[1, 1],
        head_dim=8, stochastic_depth_prob=0.0, num_classes=4,
    )  # fmt: skip


def vit():
    return models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=4,
    )  # fmt: skip


def named(name, **options):
    return partial(getattr(models, name), num_classes=4, **options)


ROWS = {
    "resnet18": (named("resnet18"), SIZE, "layer4", (2, 3), True),
    "resnext": (partial(resnet, groups=32, width_per_group=4), SIZE, "layer4", (2, 3), True),
    "wide_resnet": (partial(resnet, width_per_group=128), SIZE, "layer4", (2, 3), True),
    "cifar_resnet": (cifar_resnet, (24, 32), "layer3", (6, 8), True),
    # The ReLU before the last pool; the pool's output, `features`, is coarser.
    "vgg11": (partial(vgg, False), SIZE, "features.19", (4, 6), False),
    "vgg11_bn": (partial(vgg, True), SIZE, "features.27", (4, 6), False),
    "alexnet": (alexnet, (96, 128), "features.11", (5, 7), False),  # Likewise finer than `features`.
    # The classifier's maps of the classes are the scores already.
    "squeezenet1_0": (named("squeezenet1_0"), SIZE, "features", (3, 5), False),
    "squeezenet1_1": (named("squeezenet1_1"), SIZE, "features", (3, 5), False),
    # norm5 before a functional, in-place ReLU that cannot be hooked, so of both signs: LayerCAM is taken.
    "densenet": (densenet, SIZE, "features", (2, 3), False),
    "mobilenet_v2": (named("mobilenet_v2", width_mult=0.5), SIZE, "features", (2, 3), True),
    "mobilenet_v3": (named("mobilenet_v3_small"), SIZE, "features", (2, 3), True),
    "mnasnet": (named("mnasnet0_5"), SIZE, "layers", (2, 3), True),
    "shufflenet_v2": (named("shufflenet_v2_x0_5"), SIZE, "conv5", (2, 3), True),
    "efficientnet": (named("efficientnet_b0"), SIZE, "features", (2, 3), True),
    "efficientnet_v2": (efficientnet_v2, SIZE, "features", (16, 24), True),
    "convnext": (convnext, SIZE, "features", (4, 6), True),
    "regnet": (named("regnet_y_400mf"), SIZE, "trunk_output", (2, 3), True),
    "inception_v3": (named("inception_v3", init_weights=False), (107, 139), "Mixed_7c", (2, 3), True),
    "googlenet": (named("googlenet", init_weights=False), SIZE, "inception5b", (2, 3), True),
    "swin": (partial(swin, 1), SIZE, "permute", (8, 12), True),
    "swin_v2": (partial(swin, 2), SIZE, "permute", (8, 12), True),
    "maxvit": (maxvit, (64, 64), "blocks.1", (8, 8), True),  # It takes squares alone.
}


@pytest.mark.parametrize("name", ROWS)
def test_nets_with_maps(name):
    build, size, path, grid, constant = ROWS[name]
    seed = 1 if name == "efficientnet_v2" else 0  # All maps of the first are empty.
    check_zoo(seeded(build, seed), size, path, Layout(NCHW, grid), constant)


def test_the_vision_transformer_is_read_before_its_last_attention():
    net = seeded(vit)
    nn.init.normal_(net.heads.head.weight)  # It starts at zero.
    layout = Layout("tokens", (4, 4), 1)
    check_zoo(net, (64, 64), "encoder.layers.encoder_layer_1.ln_1", layout, False)


def test_its_layer_is_found_while_the_head_is_still_zero():
    net = seeded(vit)
    found = find_layer(net, images(2, (64, 64)))
    assert found.path == "encoder.layers.encoder_layer_1.ln_1"
    nn.init.normal_(net.heads.head.weight)
    assert find_layer(net, images(2, (64, 64))) == found


@pytest.mark.parametrize("layer", ["encoder.ln", "encoder.layers.encoder_layer_1"])
def test_layers_behind_its_last_attention_are_refused(layer):
    net = seeded(vit)
    nn.init.normal_(net.heads.head.weight)
    with pytest.raises(SaliencyError, match=r"exactly zero .*; try 'encoder.layers.encoder_layer_1.ln_1'"):
        GradCAM(net, layer)(images(2, (64, 64)))


def test_one_stage_earlier_the_gradient_is_not_constant_and_sums_are_safe():
    explain = SafeCAM(seeded(named("resnet18")), "layer3")
    maps = explain(images(2, SIZE))
    assert maps.method == "XGradCAM"
    assert maps.low.shape == (2, 4, 6)
    assert not torch.equal(maps.low, GradCAM(explain.net, "layer3")(images(2, SIZE)).low)


def test_resnet_has_a_closed_form():
    net, batch = seeded(named("resnet18")), images(2, SIZE)
    with torch.no_grad():
        a = net.layer4(net.layer3(net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(batch))))))))
        raw = torch.einsum("bkhw,k->bhw", a, net.fc.weight[2]).relu()
    low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
    expected = (raw - low) / (high - low + 1e-7 / 6)  # The gradient is the weight over 6 places.
    torch.testing.assert_close(SafeCAM(net)(batch, 2).low, expected, rtol=0, atol=1e-4)


def test_swin_is_the_same_at_its_norm_which_is_channels_last():
    net, batch = seeded(partial(swin, 1)), images(2, SIZE)
    explain = SafeCAM(net, "norm")
    torch.testing.assert_close(explain(batch).low, SafeCAM(net)(batch).low, rtol=0, atol=1e-5)
    assert explain(batch).method == "XGradCAM"

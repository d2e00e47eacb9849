"""The layer that is found in nets of torchvision and timm, with random weights, against the table of §6.6."""

import functools

import pytest
import torch

from masktune.saliency import GradCAM, Layout, find_layer

from .tiny import images, seeded

pytestmark = pytest.mark.vision
NCHW, NHWC = "channels_first", "channels_last"


def build(name, **options):
    library, model = name.split(":")
    if library == "timm":
        return pytest.importorskip("timm").create_model(model, **options)
    models = pytest.importorskip("torchvision.models")
    return getattr(models, model)(**options)


@pytest.mark.parametrize(
    ("name", "size", "path", "layout", "constant"),
    [
        ("torchvision:resnet18", (64, 96), "layer4", Layout(NCHW, (2, 3)), True),
        ("torchvision:vgg11_bn", (64, 96), "features.27", Layout(NCHW, (4, 6)), False),
        ("torchvision:vgg11", (64, 64), "features.19", Layout(NCHW, (4, 4)), False),
        ("torchvision:alexnet", (96, 128), "features.11", Layout(NCHW, (5, 7)), False),
        ("torchvision:squeezenet1_1", (64, 96), "features", Layout(NCHW, (3, 5)), False),
        ("torchvision:mobilenet_v2", (64, 96), "features", Layout(NCHW, (2, 3)), True),
        ("torchvision:mobilenet_v3_small", (64, 96), "features", Layout(NCHW, (2, 3)), True),
        ("torchvision:efficientnet_b0", (64, 96), "features", Layout(NCHW, (2, 3)), True),
        ("torchvision:regnet_y_400mf", (64, 96), "trunk_output", Layout(NCHW, (2, 3)), True),
        ("torchvision:densenet121", (64, 96), "features", Layout(NCHW, (2, 3)), False),
        ("torchvision:maxvit_t", (224, 224), "blocks.3", Layout(NCHW, (7, 7)), True),
        ("torchvision:swin_t", (64, 96), "permute", Layout(NCHW, (2, 3)), True),
        ("timm:resnet18", (64, 96), "layer4", Layout(NCHW, (2, 3)), True),
        ("timm:efficientnet_b0", (64, 96), "bn2", Layout(NCHW, (2, 3)), True),
        ("timm:mobilenetv3_small_050", (64, 96), "blocks", Layout(NCHW, (2, 3)), True),
        ("timm:convnext_atto", (64, 96), "stages", Layout(NCHW, (2, 3)), True),
        ("timm:davit_tiny", (64, 96), "stages", Layout(NCHW, (2, 3)), True),
    ],
)
def test_convolutional_nets(name, size, path, layout, constant):
    found = find_layer(seeded(functools.partial(build, name)), images(2, size))
    assert (found.path, found.layout, found.constant_gradient) == (path, layout, constant)


def test_coatnet_of_timm():
    net = seeded(functools.partial(build, "timm:coatnet_pico_rw_224", img_size=(64, 96)))
    found = find_layer(net, images(2, (64, 96)))
    assert (found.path, found.layout, found.constant_gradient) == ("norm", Layout(NCHW, (2, 3)), True)


@pytest.mark.parametrize("size", [(224, 224), (256, 256)])
def test_vgg_of_timm_at_two_sizes(size):
    # Above 224 pixels its head is spatial too.
    net = seeded(functools.partial(build, "timm:vgg11_bn", num_classes=4))
    net.features = (
        net.features[:3]
        .append(torch.nn.AvgPool2d(16))
        .append(torch.nn.Conv2d(64, 512, 1))
        .append(torch.nn.ReLU(inplace=True))
        .append(torch.nn.MaxPool2d(2))
    )  # The trunk is the slow part, and not what this is about.
    found = find_layer(net, images(1, size))
    assert (found.path, found.layout.grid) == ("features.5", (size[0] // 16, size[1] // 16))


@pytest.mark.parametrize(
    ("name", "options", "path", "layout"),
    [
        ("vit_tiny_patch16_224", {}, "blocks.1.norm1", Layout("tokens", (4, 6), 1)),
        ("vit_tiny_patch16_224", {"global_pool": "avg"}, "blocks", Layout("tokens", (4, 6), 1)),
        ("deit_tiny_distilled_patch16_224", {}, "blocks.1.norm1", Layout("tokens", (4, 6), 2)),
        ("vit_small_patch14_reg4_dinov2", {"patch_size": 16}, "blocks.1.norm1", Layout("tokens", (4, 6), 5)),
        ("beit_base_patch16_224", {"embed_dim": 48, "num_heads": 3}, "blocks.1", Layout("tokens", (4, 6), 1)),
        (
            "vit_base_patch16_siglip_224",
            {"embed_dim": 48, "num_heads": 3},
            "norm",
            Layout("tokens", (4, 6), 0),
        ),
    ],
)
def test_transformers_of_timm(name, options, path, layout):
    size = (64, 96)
    net = seeded(functools.partial(build, f"timm:{name}", img_size=size, depth=2, **options))
    found = find_layer(net, images(2, size))
    assert (found.path, found.layout) == (path, layout)
    maps = GradCAM(net)(images(2, size))
    assert maps.maps.shape == (2, 64, 96)
    assert not maps.empty.all()


def test_the_transformer_of_torchvision_though_its_head_starts_at_zero():
    vit = functools.partial(
        build, "torchvision:VisionTransformer", image_size=64, patch_size=16, num_layers=2, num_heads=3,
        hidden_dim=48, mlp_dim=96,
    )  # fmt: skip
    net = seeded(vit)
    found = find_layer(net, images(2, (64, 64)))
    assert found.path == "encoder.layers.encoder_layer_1.ln_1"
    assert found.layout == Layout("tokens", (4, 4), 1)
    torch.nn.init.normal_(net.heads.head.weight)
    assert find_layer(net, images(2, (64, 64))) == found


def test_swin_of_timm_is_channels_last():
    swin = functools.partial(
        build, "timm:swin_tiny_patch4_window7_224", img_size=56, depths=(1, 1), num_heads=(2, 4), embed_dim=24
    )
    found = find_layer(seeded(swin), images(2, (56, 56)))
    assert (found.path, found.layout, found.constant_gradient) == ("norm", Layout(NHWC, (7, 7)), True)

"""The layer that is found in timm's families, by the table of `saliency.md` §6.6; random weights."""

from functools import partial

import pytest
import torch
from torch import nn

from masktune.errors import SaliencyError
from masktune.saliency import GradCAM, Layout, SafeCAM

from .tiny import check_zoo, images, seeded

pytestmark = pytest.mark.vision
timm = pytest.importorskip("timm")

SIZE = (64, 96)
NCHW, NHWC = "channels_first", "channels_last"


def named(name, **options):
    return partial(timm.create_model, name, num_classes=4, **options)


def sized(name, **options):
    """A net that is built for one size, of two blocks."""
    return named(name, img_size=SIZE, depth=2, **options)


NARROW = {"embed_dim": 48, "num_heads": 3}
WINDOWS = {"window_size": 4, "img_size": SIZE, "depths": (1, 1), "num_heads": (2, 4), "embed_dim": 24}


def poolformer():
    return timm.models.metaformer.MetaFormer(
        depths=(1, 1, 1, 1), dims=(16, 16, 24, 32), num_classes=4, use_mlp_head=False
    )


def mixer():
    net = timm.models.mlp_mixer.MlpMixer(
        img_size=SIZE, patch_size=16, num_blocks=2, embed_dim=48, num_classes=4
    )
    nn.init.normal_(net.head.weight)  # It starts at zero.
    return net


def inception_resnet():
    net = timm.create_model("inception_resnet_v2", num_classes=4)
    net.repeat, net.repeat_1, net.repeat_2 = net.repeat[:1], net.repeat_1[:1], net.repeat_2[:1]
    return net


def resnetv2(**options):
    return timm.models.resnetv2.ResNetV2((1, 1, 1, 1), (32, 64, 64, 96), num_classes=4, **options)


def bit():
    groups = partial(timm.layers.GroupNormAct, num_groups=8)
    return resnetv2(stem_type="fixed", conv_layer=timm.layers.StdConv2d, norm_layer=groups)


def xception():
    blocks = [
        {"in_chs": 64, "out_chs": 32, "stride": 2},
        {"in_chs": 32, "out_chs": (16, 24, 48), "stride": 1, "no_skip": True, "start_with_relu": False},
    ]
    return timm.models.xception_aligned.XceptionAligned(blocks, num_classes=4)


def davit():
    return timm.create_model(
        "davit_tiny", num_classes=4, depths=(1, 1, 1, 1), embed_dims=(24, 24, 48, 48), num_heads=(1, 1, 2, 2)
    )


CONVOLUTIONAL = {
    "resnet": (named("resnet18"), SIZE, "layer4", (2, 3), True),
    "se_resnet": (named("legacy_seresnet18"), SIZE, "layer4", (2, 3), True),
    "resnetv2": (partial(resnetv2, norm_layer=timm.layers.BatchNormAct2d), SIZE, "norm", (2, 3), True),
    "bit": (bit, SIZE, "norm", (2, 3), True),
    "densenet": (
        partial(timm.models.DenseNet, 8, (2, 2, 2, 2), num_classes=4),
        SIZE,
        "features",
        (2, 3),
        True,
    ),
    "mobilenetv2": (named("mobilenetv2_050"), SIZE, "bn2", (2, 3), True),
    "mobilenetv3": (named("mobilenetv3_small_050"), SIZE, "blocks", (2, 3), True),
    "mobilenetv4": (named("mobilenetv4_conv_small_035"), SIZE, "blocks", (2, 3), True),
    "efficientnet": (named("efficientnet_b0"), SIZE, "bn2", (2, 3), True),
    "tf_efficientnetv2": (named("tf_efficientnetv2_b0"), SIZE, "bn2", (2, 3), True),
    "efficientnet_lite": (named("efficientnet_lite0"), SIZE, "bn2", (2, 3), True),
    "tf_efficientnet_lite": (named("tf_efficientnet_lite0"), SIZE, "bn2", (2, 3), True),
    "convnext": (named("convnext_atto", depths=(1, 1, 1, 1)), SIZE, "stages", (2, 3), True),
    "convnextv2": (named("convnextv2_atto", depths=(1, 1, 1, 1)), SIZE, "stages", (2, 3), True),
    "regnet_x": (named("regnetx_002"), SIZE, "s4", (2, 3), True),
    "regnet_z": (named("regnetz_005"), SIZE, "final_conv", (2, 3), True),
    "inception_v3": (named("inception_v3"), (107, 139), "Mixed_7c", (2, 3), True),
    "inception_resnet_v2": (inception_resnet, (107, 139), "conv2d_7b", (2, 3), True),
    "legacy_xception": (named("legacy_xception"), SIZE, "act4", (2, 3), True),
    # Its `act` does nothing: the last block ends in a ReLU, so `blocks` is the same tensor.
    "xception": (xception, SIZE, "blocks", (16, 24), True),
    "nfnet": (named("nfnet_l0"), SIZE, "final_act", (2, 3), True),
    "hrnet": (named("hrnet_w18_small"), SIZE, "final_layer", (2, 3), True),
    # Attention pools the map.
    "clip_resnet": (named("resnet50_clip", img_size=SIZE), SIZE, "stages", (2, 3), False),
    "coatnet": (named("coatnet_pico_rw_224", img_size=SIZE), SIZE, "norm", (2, 3), True),
    "maxvit_rw": (named("maxvit_rmlp_pico_rw_256", img_size=SIZE), SIZE, "norm", (2, 3), True),
    # With a norm behind the pool there is none before it.
    "maxvit_tf": (named("maxvit_tiny_tf_224", img_size=SIZE), SIZE, "stages", (2, 3), True),
    "davit": (davit, SIZE, "stages", (2, 3), True),
    "pvt_v2": (named("pvt_v2_b0"), SIZE, "stages", (2, 3), True),
    "poolformer": (poolformer, SIZE, "stages", (4, 6), True),
    "mobilevit": (named("mobilevit_xxs"), SIZE, "final_conv", (2, 3), True),
    # It enlarges its maps to whole patches of 2 x 2.
    "mobilevitv2": (named("mobilevitv2_050"), SIZE, "stages", (2, 4), True),
    # A 1 x 1 convolution of the head comes before the mean: the same places, nearer to the scores.
    "efficientvit_mit": (named("efficientvit_b0"), SIZE, "head.in_conv", (2, 3), True),
    "efficientvit_msra": (named("efficientvit_m0"), (224, 224), "stages", (4, 4), True),
}


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_nets_with_maps(name):
    build, size, path, grid, constant = CONVOLUTIONAL[name]
    check_zoo(seeded(build), size, path, Layout(NCHW, grid), constant)


TOKENS = {
    # The head reads the class token alone, which patches reach by the last attention.
    "vit": (sized("vit_tiny_patch16_224"), "blocks.1.norm1", 1, False),
    "deit_distilled": (sized("deit_tiny_distilled_patch16_224"), "blocks.1.norm1", 2, False),
    "dinov2_registers": (sized("vit_small_patch14_reg4_dinov2", patch_size=16), "blocks.1.norm1", 5, False),
    "clip": (sized("vit_base_patch16_clip_224", **NARROW), "blocks.1.norm1", 1, False),
    # The head reads the mean of the patches.
    "vit_mean": (sized("vit_tiny_patch16_224", global_pool="avg"), "blocks", 1, True),
    "beit": (sized("beit_base_patch16_224", **NARROW), "blocks.1", 1, True),
    "eva02": (sized("eva02_tiny_patch14_224", patch_size=16), "blocks.1", 1, True),
    "mixer": (mixer, "norm", 0, True),
    # Attention pools the patches.
    "siglip": (sized("vit_base_patch16_siglip_224", **NARROW), "norm", 0, False),
}


@pytest.mark.parametrize("name", TOKENS)
def test_nets_with_tokens(name):
    build, path, prefix, constant = TOKENS[name]
    check_zoo(seeded(build), SIZE, path, Layout("tokens", (4, 6), prefix), constant)


def test_levit():
    net = seeded(named("levit_128s", img_size=(128, 192)))
    for norm in net.modules():  # A new net hardly looks at the image.
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.ones_(norm.weight)
            norm.momentum = 1.0
    with torch.no_grad():
        net.train()(images(8, (128, 192), seed=2))
    net.eval()
    check_zoo(net, (128, 192), "stages", Layout("tokens", (2, 3), 0), True)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_swin_is_channels_last(name):
    net = seeded(named(name, **WINDOWS))
    check_zoo(net, SIZE, "norm", Layout(NHWC, (8, 12)), True)


@pytest.mark.parametrize("size", [(224, 224), (256, 256)])
def test_vgg_at_two_sizes(size):
    # Above 224 pixels its head is spatial too. The ReLU before the last pool is finer than `features`.
    with torch.device("meta"):  # Its trunk and head of many weights are the slow part.
        net = timm.create_model("vgg11_bn", num_classes=4)
    net.features = nn.Sequential(
        nn.Conv2d(3, 8, 16, 16), nn.Conv2d(8, 512, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    )
    net.pre_logits.fc1, net.pre_logits.fc2 = nn.Conv2d(512, 16, 7), nn.Conv2d(16, 4096, 1)
    net.head.fc = nn.Linear(4096, 4)
    check_zoo(net.eval(), size, "features.2", Layout(NCHW, (size[0] // 16, size[1] // 16)), False, count=1)


@pytest.mark.parametrize("layer", ["blocks.1", "blocks.1.attn", "blocks.1.norm2", "norm"])
def test_layers_behind_the_last_attention_are_refused(layer):
    with pytest.raises(SaliencyError, match=r"exactly zero for the whole batch.*; try 'blocks.1.norm1'"):
        GradCAM(seeded(sized("vit_tiny_patch16_224")), layer)(images(2, SIZE))


def test_a_block_earlier_is_as_good():
    assert SafeCAM(seeded(sized("vit_tiny_patch16_224")), "blocks.0")(images(2, SIZE)).method == "LayerCAM"


@pytest.mark.parametrize("size", [(64, 96), (72, 100)])
def test_an_image_that_is_padded_to_whole_patches_has_their_grid(size):
    net = seeded(
        named("vit_tiny_patch16_224", img_size=size, depth=2, dynamic_img_size=True, dynamic_img_pad=True)
    )
    # 72 x 100 pixels are 4.5 x 6.25 patches of 16.
    grid = {(64, 96): (4, 6), (72, 100): (5, 7)}[size]
    check_zoo(net, size, "blocks.1.norm1", Layout("tokens", grid, 1), False)


def test_tokens_are_where_their_patches_are():
    net, batch = seeded(sized("vit_tiny_patch16_224")), torch.zeros(2, 3, *SIZE)
    batch[1, :, 32:48, 64:80] = 1  # Row 2, column 4.
    net.pos_embed.data.zero_()
    tokens = net.blocks[0].norm1(net.patch_embed(batch))
    maps = Layout("tokens", (4, 6)).to_maps(tokens)
    differs = (maps[0] != maps[1]).any(0)
    assert differs.nonzero().tolist() == [[2, 4]]


def test_layer_cam_of_a_vit_step_by_step():
    net, batch = seeded(sized("vit_tiny_patch16_224")), images(2, SIZE)
    with torch.no_grad():
        before = net.blocks[0](net.norm_pre(net._pos_embed(net.patch_embed(batch))))
        a = net.blocks[1].norm1(before)
    a.requires_grad_()
    last = net.blocks[1]
    x = before + last.attn(a)
    x = x + last.mlp(last.norm2(x))
    (g,) = torch.autograd.grad(net.head(net.norm(x)[:, 0])[:, 3].sum(), [a])
    raw = (a.detach() * g.relu()).sum(2)[:, 1:].reshape(2, 4, 6).relu()
    low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
    found = SafeCAM(net)(batch, 3)
    assert found.method == "LayerCAM"
    torch.testing.assert_close(found.low, (raw - low) / (high - low + 1e-7), rtol=0, atol=1e-4)


def test_swin_has_a_closed_form():
    net, batch = seeded(named("swin_tiny_patch4_window7_224", **WINDOWS)), images(2, SIZE)
    with torch.no_grad():
        raw = torch.einsum("bhwk,k->bhw", net.forward_features(batch), net.head.fc.weight[1]).relu()
    low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
    expected = (raw - low) / (high - low + 1e-7 * 96)  # The gradient is the weight over 8 x 12 places.
    torch.testing.assert_close(SafeCAM(net)(batch, 1).low, expected, rtol=0, atol=1e-4)


def test_mixer_has_a_closed_form():
    net, batch = seeded(mixer), images(2, SIZE)
    with torch.no_grad():
        raw = (net.forward_features(batch) @ net.head.weight[1]).reshape(2, 4, 6).relu()
    low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
    expected = (raw - low) / (high - low + 1e-7 * 24)
    torch.testing.assert_close(SafeCAM(net)(batch, 1).low, expected, rtol=0, atol=1e-4)


class Tower(nn.Module):
    """As OpenAI's CLIP: tokens lead, then the batch; the class token is read behind the last block."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 48, 16, 16, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(48))
        block = partial(nn.TransformerEncoderLayer, 48, 4, 96, norm_first=True)
        self.resblocks = nn.ModuleList([block(), block()])
        self.ln_post, self.head = nn.LayerNorm(48), nn.Linear(48, 4)

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(2, 0, 1)
        x = torch.cat((self.class_embedding.expand(1, x.shape[1], -1), x))
        for block in self.resblocks:
            x = block(x)
        return self.head(self.ln_post(x[0]))


def test_tokens_may_lead():
    check_zoo(seeded(Tower), SIZE, "resblocks.1.norm1", Layout("tokens_first", (4, 6), 1), False, count=3)

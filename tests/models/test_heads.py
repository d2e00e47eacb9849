import functools

import pytest
import torch
from torch import nn

from masktune.errors import InputError
from masktune.models.heads import Head, find_head, fresh_head, keep_logit
from masktune.models.named import build_net
from masktune.models.small_cnn import SmallCNN
from masktune.seeds import seeded

from .tiny import same_weights, save_hugging_face, shaken


@functools.cache
def build(name, classes=5):
    with seeded(0, torch.device("cpu")):
        return build_net(name, classes).net


def made(name):
    """A net of its own for each test; the same one each time."""
    import copy

    return copy.deepcopy(build(name)).eval()


NETS = [
    ("timm:test_resnet", 64, ("fc",)),
    ("timm:test_vit", 160, ("head",)),
    ("timm:deit_tiny_distilled_patch16_224", 224, ("head", "head_dist")),
    ("timm:levit_128s", 224, ("head.linear", "head_dist.linear")),
    ("timm:mobilenetv3_small_050", 64, ("classifier",)),
    ("timm:resnetv2_50", 64, ("head.fc",)),
    ("torchvision:resnet18", 64, ("fc",)),
    ("torchvision:squeezenet1_1", 64, ("classifier.1",)),
    ("torchvision:mobilenet_v3_small", 64, ("classifier.3",)),
    ("torchvision:shufflenet_v2_x0_5", 64, ("fc",)),
    ("torchvision:inception_v3", 96, ("fc", "AuxLogits.fc")),
    ("torchvision:googlenet", 64, ("fc", "aux1.fc2", "aux2.fc2")),
]


@pytest.mark.vision
@pytest.mark.parametrize(("name", "size", "paths"), NETS)
def test_heads_are_found_made_anew_and_cut(name, size, paths):
    net, images = made(name), torch.rand(2, 3, size, size)
    head = find_head(net, images)
    assert head == Head(paths, 5)
    before = net(images)
    body = {key: value for key, value in net.state_dict().items() if not key.startswith(paths)}

    cut = made(name)
    keep_logit(cut, head, 3)
    assert torch.allclose(cut(images), before[:, 3:4], atol=1e-6)
    assert find_head(cut, images) == Head(paths, 1)

    fresh_head(net, head, 2, seed=1)
    assert find_head(net, images) == Head(paths, 2)
    assert all(torch.equal(net.state_dict()[key], value) for key, value in body.items())
    again = made(name)
    fresh_head(again, head, 2, seed=1)
    assert same_weights(net, again)


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("ViT", ("classifier",)),
        ("ResNet", ("classifier.1",)),
        ("ConvNext", ("classifier",)),
        ("Swin", ("classifier",)),
        ("DeiT", ("cls_classifier", "distillation_classifier")),
    ],
)
def test_heads_of_hugging_face(tmp_path, kind, paths):
    pytest.importorskip("transformers")
    net, images = save_hugging_face(kind, tmp_path).eval(), torch.rand(2, 3, 32, 32)
    before = net(images).logits
    head = find_head(net, images)
    assert head == Head(paths, 3)
    keep_logit(net, head, 2)
    assert torch.allclose(net(images).logits, before[:, 2:], atol=1e-6)
    fresh_head(net, Head(paths, 1), 4, seed=0)
    assert net(images).logits.shape == (2, 4)
    assert net.config.num_labels == 4


class Odd(nn.Module):
    """Its logits pass through what no layer gives."""

    def __init__(self):
        super().__init__()
        self.part = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 6)

    def forward(self, images):
        return self.head(self.part(images).mean((2, 3))).softmax(1)


class LastIsNotTheHead(nn.Module):
    """A layer with as many outputs runs after the head and changes nothing."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 6)
        self.beside = nn.Linear(3, 6)

    def forward(self, images):
        means = images.mean((2, 3))
        logits = self.head(means)
        return logits, self.beside(means)


def test_the_head_is_what_gives_the_logits_not_what_runs_last():
    assert find_head(LastIsNotTheHead(), torch.rand(2, 3, 4, 4)) == Head(("head",), 6)


def test_a_net_of_ones_own_and_nothing_is_left_behind():
    net = SmallCNN(classes=5).train()
    net.features[0].eval()
    before = [(module.training, len(module._forward_hooks)) for module in net.modules()]
    images, state = torch.rand(2, 3, 28, 28), torch.get_rng_state()
    head = find_head(net, images)
    assert head == Head(("head.4",), 5)
    assert [(module.training, len(module._forward_hooks)) for module in net.modules()] == before
    fresh_head(net, head, 3, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_alone_decides():
    first, second, third = SmallCNN(), SmallCNN(), SmallCNN()
    for net, seed in ((first, 1), (second, 1), (third, 2)):
        fresh_head(net, Head(("head.4",), 2), 3, seed)
    assert torch.equal(first.head[4].weight, second.head[4].weight)
    assert not torch.equal(first.head[4].weight, third.head[4].weight)


def test_kept_rows_are_those_of_the_logit_and_the_type_stays():
    net = shaken(SmallCNN(classes=5)).double()
    before = net.head[4]
    keep_logit(net, Head(("head.4",), 5), 3)
    assert torch.equal(net.head[4].weight, before.weight[3:4])
    assert torch.equal(net.head[4].bias, before.bias[3:4])
    assert net.head[4].weight.dtype == torch.float64


@pytest.mark.parametrize(
    "change", [lambda net, head: fresh_head(net, head, 2, 0), lambda net, head: keep_logit(net, head, 0)]
)
def test_a_head_that_cannot_be_found(change):
    head = find_head(Odd(), torch.rand(2, 3, 4, 4))
    assert head == Head((), 6)
    with pytest.raises(InputError) as caught:
        change(Odd(), head)
    assert str(caught.value) == (
        "cannot find the head of Odd: no linear layer or 1x1 convolution gives its 6 logits; change it in a "
        "function of your own: --model file.py:function"
    )


@pytest.mark.parametrize("index", [-1, 5])
def test_a_logit_that_is_not_there(index):
    with pytest.raises(InputError, match=rf"^expected a logit from 0 to 4, got {index}$"):
        keep_logit(SmallCNN(classes=5), Head(("head.4",), 5), index)


@pytest.mark.vision
def test_a_size_that_the_net_cannot_take():
    with pytest.raises(InputError) as caught:
        find_head(made("timm:deit_tiny_distilled_patch16_224"), torch.rand(2, 3, 64, 64))
    assert str(caught.value).startswith("VisionTransformerDistilled cannot take images of 64x64 pixels: ")
    assert str(caught.value).endswith("; see --input-size and --channels")
    assert "\n" not in str(caught.value)

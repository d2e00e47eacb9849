"""Tiny nets that the tests of this room share."""

import torch
from torch import nn


def small_net(seed=0, outputs=2):
    """Names as people have them, a normalisation, and a head."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, outputs))


class Wrapped(nn.Module):
    """A net as a part of something, under a name, with a part of its own beside it."""

    def __init__(self, name, net, **parts):
        super().__init__()
        self.add_module(name, net)
        for other, part in parts.items():
            self.add_module(other, part)


def shaken(net, seed=0):
    """Weights and buffers that no two of are alike, so that a swap is seen, as after training."""
    drawn = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand(value.shape, generator=drawn) / 10)
    return net.eval()


def same_weights(first, second):
    """Bit for bit, with the same names."""
    one, other = first.state_dict(), second.state_dict()
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def save_hugging_face(kind, folder, **options):
    """A random classifier of 3 classes as transformers saves it; 32 px images."""
    import transformers

    config, sizes = {
        "ViT": ("ViTConfig", {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}),
        "ResNet": ("ResNetConfig", {"hidden_sizes": [8] * 4, "depths": [1] * 4, "embedding_size": 8}),
        "ConvNext": ("ConvNextConfig", {"hidden_sizes": [8] * 4, "depths": [1] * 4}),
        "Swin": ("SwinConfig", {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}),
        "DeiT": ("DeiTConfig", {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}),
    }[kind]
    if kind in ("ViT", "Swin", "DeiT"):
        sizes |= {"image_size": 32, "patch_size": 4 if kind == "Swin" else 8}
    if kind in ("ViT", "DeiT"):
        sizes |= {"intermediate_size": 32}
    ending = "ForImageClassificationWithTeacher" if kind == "DeiT" else "ForImageClassification"
    torch.manual_seed(0)
    net = getattr(transformers, kind + ending)(
        getattr(transformers, config)(**{"num_labels": 3} | sizes | options)
    )
    shaken(net).save_pretrained(folder)
    return net

"""An explainer by hand, and small nets."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from masktune.saliency import SaliencyMaps
from masktune.saliency.cam import scale
from masktune.types import as_float


@dataclass(frozen=True)
class BrightPatches:
    """The brighter a patch of the image, the more salient."""

    net: nn.Module
    grid: tuple[int, int] = (4, 4)
    layers: int = 1

    def __call__(self, images, classes=None, ids=None):
        raw = functional.adaptive_avg_pool2d(as_float(images).mean(1, keepdim=True), self.grid)[:, 0]
        low = scale(raw)
        logits = torch.stack([raw.mean((1, 2)), raw.amax((1, 2))], dim=1)
        return SaliencyMaps(
            low=low if self.layers == 1 else (low,) * self.layers,
            classes=logits.argmax(1) if classes is None else classes,
            logits=logits,
            layer="patches" if self.layers == 1 else ("patches",) * self.layers,
            size=tuple(images.shape[2:]),
        )


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 8, 3, padding=1),
            norm=nn.BatchNorm2d(8),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(4),
            last=nn.Conv2d(8, 8, 1),
            last_relu=nn.ReLU(),
            average=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            drop=nn.Dropout(0.5),
            head=nn.Linear(8, 3),
        )
    )


class Pixels(nn.Module):
    """What a Classifier is to this room: a wrapper that takes bytes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def to_net_input(self, images):
        return (images.float() / 255 if images.dtype == torch.uint8 else images) - 0.5

    def forward(self, images):
        return self.net(self.to_net_input(images))

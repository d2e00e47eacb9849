"""What the tests of the callbacks share: a net, and pictures with a bright square that it looks at."""

import importlib
import sys

import torch
from torch import nn


def pictures(n=8, seed=0):
    """Grey noise with a white square in the corner where the label is 1; values in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 3, 12, 12, generator=generator) / 2
    labels = torch.arange(n) % 2
    images[labels == 1, :, :4, :4] = 1
    return images, labels


def tiny_net(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(216, 2),
    )


def same(first, second):
    """Equal weights, bit by bit."""
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def import_without(monkeypatch, module, *libraries):
    """Import a module of ours anew where these libraries are not installed."""
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.import_module(module)

"""Fresh nets from a seed."""

from collections.abc import Callable

import torch
from torch import nn

from masktune.seeds import seeded


def from_seed(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a net whose first weights depend on `seed` alone; the global generator stays as it was."""
    with seeded(seed, torch.device("cpu")):
        return make()


def he_normal(net: nn.Module) -> None:
    """Draw the weights of convolutions and linear layers as He et al. (2015) do for nets of ReLUs, in place.

    Normal, with variance 2 over the number of inputs of a unit; biases are zero.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

"""Fresh nets from a seed."""

from collections.abc import Callable

import torch
from torch import nn


def from_seed(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a net whose first weights depend on `seed` alone; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()

"""Fresh nets from a seed."""

from collections.abc import Callable

import torch
from torch import nn

from masktune.seeds import seeded


def from_seed(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a net whose first weights depend on `seed` alone; the global generator stays as it was."""
    with seeded(seed, torch.device("cpu")):
        return make()

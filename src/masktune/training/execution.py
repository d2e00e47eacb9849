"""How a step is executed: memory format and number type. Chosen by rule, so that a run can be made again.

The rule was settled by measurement (`benchmarks/training_speed.py`, `docs/results/training-speed.md`). A
choice by stopwatch at run time would differ between two runs of the same command, and so would the bits.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What a training step runs in."""

    bfloat16: bool
    """Autocast to bfloat16 (weights stay float32)."""
    channels_last: bool
    """Convolution weights and images as (b, h, w, c) in memory."""

    @classmethod
    def choose(cls, precision: Precision, device: torch.device) -> "Execution":
        """The fastest that does not cost accuracy: channels_last always, bfloat16 with matrix units only."""
        if precision != "auto":
            return cls(bfloat16=precision == "bfloat16", channels_last=True)
        return cls(bfloat16=has_matrix_units(device), channels_last=True)

    def lay_out(self, net: nn.Module) -> None:
        """Bring the net's weights into the memory format, in place."""
        if self.channels_last:
            net.to(memory_format=torch.channels_last)

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bfloat16)


def has_matrix_units(device: torch.device) -> bool:
    """Whether bfloat16 products are done in hardware: AMX on a CPU, tensor cores on a GPU."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())

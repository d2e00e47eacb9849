"""What a method may be tried with: ranges of its settings, and a seeded random draw from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch

from masktune.errors import InputError
from masktune.seeds import generator


@final
@dataclass(frozen=True, slots=True)
class Among:
    """One of some values, each as likely as any other."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("expected at least one value to draw from, got none")

    def drawn(self, random: torch.Generator) -> Any:
        """One of them."""
        return self.values[int(torch.randint(len(self.values), (), generator=random))]


@final
@dataclass(frozen=True, slots=True)
class Between:
    """A number between two, both ends included; on a log scale each factor is as likely as any other."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"expected two finite numbers, the lower first, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise InputError(f"expected positive numbers on a log scale, got {self.low}")

    def drawn(self, random: torch.Generator) -> float:
        """A number of three digits, so that a table can hold it."""
        share = float(torch.rand((), generator=random, dtype=torch.float64))
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        return min(max(float(f"{value:.3g}"), self.low), self.high)


Range = Among | Between


def settings_to_try(name: str, ranges: Mapping[str, Range], n: int, seed: int) -> list[dict[str, Any]]:
    """The method's own settings first (nothing is changed), then n - 1 draws, no two alike.

    Fewer come where the ranges hold no more. The draws depend on name, ranges and seed alone.
    """
    random = generator(seed, "search", name)
    tried: list[dict[str, Any]] = [{}]
    for _ in range(100 * n):  # Among few values most draws have been there.
        if len(tried) >= n or not ranges:
            break
        one = {field: ranges[field].drawn(random) for field in sorted(ranges)}
        if one not in tried:
            tried.append(one)
    return tried

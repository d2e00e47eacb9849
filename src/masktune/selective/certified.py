"""Thresholds whose risk is certified: exact binomial tests of regions that no label has chosen.

The k surest images define the region "a larger score than the (k + 1)-th", which is exactly what they are
counted on (`selective.md` section 3.7): ties of the first image outside are outside.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.selective.binomial import p_value, wrong_tolerated
from masktune.selective.metrics import wanted
from masktune.types import Number

Method = Literal["fixed_sequence", "sgr", "bonferroni"]

_LOW_START = 0.2
"""Coverage up to which a sequence starts where three wrong ones are tolerated, not none: a label-free choice
that survives a few wrong ones among the surest."""


@dataclass(frozen=True, slots=True)
class Region:
    """What a threshold accepts of the calibration images."""

    threshold: float
    accepted: int
    wrong: int
    delta: Number
    """The level at which it was tested."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be certified, with the fields of a `GuaranteedRisk`."""

    risk: Number
    delta: Number
    method: Method
    grid: int
    starts: int


def certify(rule: Wanted, scores: Float64[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Region | None:
    """The loosest region that is certified; None where none is."""
    regions = _Regions.of(scores, wrong)
    match rule.method:
        case "sgr":
            return _sgr(regions, rule)
        case "bonferroni":
            return _bonferroni(regions, rule)
        case _:
            return _sequences(regions, rule)


@dataclass(frozen=True, slots=True, eq=False)
class _Regions:
    """Images that are not rejected, surest first, and how many were wrong up to each."""

    scores: Float64[np.ndarray, " m"]
    wrong: Int64[np.ndarray, " m"]
    n: int
    """All images, rejected ones included."""

    @classmethod
    def of(cls, scores: Float64[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> "_Regions":
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > -np.inf]
        return cls(scores[order], np.cumsum(wrong[order]), len(scores))

    def at(self, k: int, delta: Number) -> Region:
        """The region strictly above the (k + 1)-th surest image; all images where there is none."""
        if k >= len(self.scores):
            return Region(-np.inf, len(self.scores), int(self.wrong[-1]) if len(self.wrong) else 0, delta)
        first_out = self.scores[k]
        accepted = int(np.searchsorted(-self.scores, -first_out, side="left"))
        wrong = int(self.wrong[accepted - 1]) if accepted else 0
        return Region(float(np.nextafter(first_out, np.inf)), accepted, wrong, delta)

    def with_ties(self, k: int) -> int:
        """Images that score at least as high as the k-th, k from 1 on."""
        return int(np.searchsorted(-self.scores, -self.scores[k - 1], side="right")) if k else 0


def _certified(region: Region, risk: Number) -> bool:
    return p_value(region.wrong, region.accepted, risk) <= region.delta


def _grid(rule: Wanted, n: int) -> list[int]:
    """Images that the tested coverages are, from strict to loose."""
    return [int(wanted(step / rule.grid, n)) for step in range(1, rule.grid + 1)]


def _sequences(regions: _Regions, rule: Wanted) -> Region | None:
    """From each start on, coverages are tested until one fails; the loosest that passed counts."""
    delta = rule.delta / rule.starts
    steps = [regions.at(k, delta) for k in _grid(rule, regions.n)]
    best: Region | None = None
    for start in _starts([step.accepted for step in steps], regions.n, rule.risk, delta, rule.starts):
        for region in steps[start:]:
            if not _certified(region, rule.risk):
                break
            best = region if best is None or region.accepted > best.accepted else best
    return best


def _starts(accepted: list[int], n: int, risk: Number, delta: Number, count: int) -> list[int]:
    """Positions in the grid to start at, by how many images each step accepts; labels have no say in it.

    The first is where three wrong ones are tolerated, if that is a small coverage, else where none is;
    further ones lie evenly between it and the end.
    """
    tolerated = wrong_tolerated(np.array(accepted), risk, delta)
    three, none = (int(np.argmax(np.append(tolerated >= least, True))) for least in (3, 0))
    early = three < len(accepted) and accepted[three] <= _LOW_START * n
    first = three if early else none
    if first == len(accepted):
        return []
    return sorted({first + (len(accepted) - first) * at // count for at in range(count)})


def _bonferroni(regions: _Regions, rule: Wanted) -> Region | None:
    tested = [regions.at(k, rule.delta / rule.grid) for k in _grid(rule, regions.n)]
    passed = [region for region in tested if _certified(region, rule.risk)]
    return max(passed, key=lambda region: region.accepted, default=None)


def _sgr(regions: _Regions, rule: Wanted) -> Region | None:
    """Selection with guaranteed risk: a search over ranks, every step at delta / log2(n); the loosest passed.

    Their code counts the wrong ones back from a rounded rate, which is one too few for some counts, and gives
    the last threshold that was tried whether it passed or not.
    """
    low, high = 0, len(regions.scores)
    if not high:
        return None
    rounds = max(1, math.ceil(math.log2(max(2, high))))
    best: Region | None = None
    for _ in range(rounds + 1):
        middle = math.ceil((low + high) / 2)
        region = regions.at(regions.with_ties(middle), rule.delta / rounds)
        if _certified(region, rule.risk):
            low = middle
            best = region if best is None or region.accepted > best.accepted else best
        else:
            high = middle
    return best

"""Thresholds whose risk is certified: exact binomial tests of regions that no label has chosen.

The k surest images define the region "a larger score than the (k + 1)-th", which is exactly what they are
counted on (`selective.md` section 3.7): ties of the first image outside are outside.
"""

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from masktune.selective.binomial import p_value, wrong_tolerated
from masktune.selective.curve import Curve, curve
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
    found = open_curve(scores, wrong)
    if found is None:
        return None
    match rule.method:
        case "sgr":
            return _sgr(found, rule)
        case "bonferroni":
            return _bonferroni(found, len(scores), rule)
        case _:
            return _sequences(found, len(scores), rule)


def open_curve(scores: Float64[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Curve | None:
    """The curve of the images that are not rejected; None where all are."""
    open_ = scores > -np.inf
    return curve(scores[open_], wrong[open_]) if open_.any() else None


def region(found: Curve, steps: int, delta: Number = 1.0) -> Region:
    """What the first steps of a curve accept: all that scores above the first step outside."""
    if steps == len(found.thresholds):
        threshold = -np.inf
    else:
        threshold = float(np.nextafter(found.thresholds[steps], np.inf))
    accepted, wrong = (found.accepted[steps - 1], found.wrong[steps - 1]) if steps else (0, 0)
    return Region(threshold, round(accepted), round(wrong), delta)


def _within(found: Curve, k: int) -> int:
    """Steps that accept no more than k images together: those that tie with the (k + 1)-th are outside."""
    return int(np.searchsorted(found.accepted, k, side="right"))


def _certified(region: Region, risk: Number) -> bool:
    return p_value(region.wrong, region.accepted, risk) <= region.delta


def _grid(rule: Wanted, n: int) -> list[int]:
    """Images that the tested coverages are, from strict to loose."""
    return [int(wanted(step / rule.grid, n)) for step in range(1, rule.grid + 1)]


def _sequences(found: Curve, n: int, rule: Wanted) -> Region | None:
    """From each start on, coverages are tested until one fails; the loosest that passed counts."""
    delta = rule.delta / rule.starts
    tested = [region(found, _within(found, k), delta) for k in _grid(rule, n)]
    passed: list[Region] = []
    for start in _starts([one.accepted for one in tested], n, rule.risk, delta, rule.starts):
        passed += takewhile(lambda one: _certified(one, rule.risk), tested[start:])
    return _loosest(passed)


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


def _bonferroni(found: Curve, n: int, rule: Wanted) -> Region | None:
    tested = [region(found, _within(found, k), rule.delta / rule.grid) for k in _grid(rule, n)]
    return _loosest([one for one in tested if _certified(one, rule.risk)])


def _sgr(found: Curve, rule: Wanted) -> Region | None:
    """Selection with guaranteed risk: a search over ranks, every step at delta / log2(n); the loosest passed.

    Their code counts the wrong ones back from a rounded rate, which is one too few for some counts, and gives
    the last threshold that was tried whether it passed or not. Here images that tie with the last rank are
    accepted too: the search would find nothing where all scores are equal.
    """
    low, high = 0, round(found.n)
    rounds = max(1, math.ceil(math.log2(max(2, high))))
    passed: list[Region] = []
    for _ in range(rounds + 1):
        middle = math.ceil((low + high) / 2)
        with_ties = int(np.searchsorted(found.accepted, middle)) + 1
        tested = region(found, with_ties, rule.delta / rounds)
        if _certified(tested, rule.risk):
            low = middle
            passed.append(tested)
        else:
            high = middle
    return _loosest(passed)


def _loosest(passed: list[Region]) -> Region | None:
    return max(passed, key=lambda one: one.accepted, default=None)

"""How well a score tells right answers from wrong ones (`selective.md` section 5).

Each takes a `Curve`. *Selective risk* is wrong among accepted, *generalised risk* wrong and accepted among
all; the two are never mixed. All are fractions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from masktune.errors import InputError, near
from masktune.selective.curve import Curve
from masktune.types import Number

Convention = Literal["threshold", "expected", "fd_shifts", "trapezoid0"]


def aurc(curve: Curve, convention: Convention = "threshold") -> float:
    """Area under selective risk over coverage, 0 (best) to 1.

    Args:
        curve: what each threshold accepts.
        convention: whose definition. Others' numbers are comparable only by their own.

            - `threshold`, of Geifman et al. (2019), word by word: the mean over images of the risk at the
              image's own score, so that equal scores count with the risk behind the last of them.
            - `expected`: the mean of E_k / k over k images, ties in all orders.
            - `fd_shifts`: the trapezoid of fd-shifts' newer code, with its point at coverage 0 (x 1000).
            - `trapezoid0`: the trapezoid from (0, 0) on, which is too low.

    Raises:
        InputError: there is no such convention.
    """
    if convention not in _AREAS:
        raise InputError(
            f"unknown convention {convention!r}{near(convention, _AREAS)}; there are {', '.join(_AREAS)}"
        )
    return float(_AREAS[convention](curve))


def _threshold(curve: Curve) -> float:
    return float((_steps(curve.accepted) * curve.risk).sum() / curve.n)


def _expected(curve: Curve) -> float:
    """Within a step from (N, E) to (N + m, E + e), k images have E + (k - N) e / m wrong ones on average."""
    before, wrong = _before(curve.accepted), _before(curve.wrong)
    images = curve.accepted - before
    slope = (curve.wrong - wrong) / np.maximum(images, 1.0)  # Of no images it does not matter.
    harmonic = _harmonic(curve.accepted) - _harmonic(before)
    return float((slope * images + (wrong - slope * before) * harmonic).sum() / curve.n)


def _fd_shifts(curve: Curve) -> float:
    return _trapezoid(np.append(0.0, curve.coverage), np.append(curve.risk[0], curve.risk))


def _trapezoid0(curve: Curve) -> float:
    return _trapezoid(np.append(0.0, curve.coverage), np.append(0.0, curve.risk))


_AREAS: Mapping[str, Callable[[Curve], float]] = {
    "threshold": _threshold,
    "expected": _expected,
    "fd_shifts": _fd_shifts,
    "trapezoid0": _trapezoid0,
}


def best_aurc(curve: Curve) -> float:
    """The AURC of a score that puts all wrong answers last, with as many of them and no ties.

    (1 / n) times the sum of j / (n - m + j) for j from 1 to m wrong answers; the same in `threshold` and in
    `expected`.
    """
    n, wrong = curve.n, float(curve.wrong[-1])
    right = n - wrong
    harmonic = _harmonic(np.array([n, right]))
    return float((wrong - right * (harmonic[0] - harmonic[1])) / n)


def e_aurc(curve: Curve, convention: Literal["threshold", "expected"] = "threshold") -> float:
    """Excess AURC (Geifman et al. 2019): the AURC minus that of the best order; 0 is best."""
    return aurc(curve, convention) - best_aurc(curve)


def n_aurc(curve: Curve, convention: Literal["threshold", "expected"] = "threshold") -> float | None:
    """E-AURC over that of a constant score: 0 is best, 1 says nothing; None where all or none are right."""
    room = float(curve.risk[-1]) - best_aurc(curve)
    return None if room <= 0 or not 0 < curve.wrong[-1] < curve.n else e_aurc(curve, convention) / room


def augrc(curve: Curve) -> float:
    """Area under generalised risk over coverage (Traub et al. 2024), 0 to 1/2: lines between the steps, from
    (0, 0).

    The average risk that a failure goes by unnoticed. With `failure_auroc` a and accuracy c it is
    (1 - a) c (1 - c) + (1 - c)^2 / 2, ties and all.
    """
    middle = curve.wrong - _steps(curve.wrong) / 2
    return float((_steps(curve.accepted) * middle).sum() / curve.n**2)


def failure_auroc(curve: Curve) -> float | None:
    """Chance that a right answer has a larger score than a wrong one, ties as a half; None without either."""
    right = curve.accepted - curve.wrong
    ups, downs = _steps(right), _steps(curve.wrong)
    if not right[-1] or not curve.wrong[-1]:
        return None
    above = right - ups / 2
    return float((downs * above).sum() / (right[-1] * curve.wrong[-1]))


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve."""

    coverage: float
    """Share of the images that is accepted."""
    risk: float | None
    """Selective risk; None where nothing is accepted."""
    accepted: int
    """Images."""
    wrong: int
    """Of these."""
    threshold: float
    """The score from which on images are accepted; infinity where none is."""


def risk_at_coverage(curve: Curve, coverage: Number) -> Point:
    """The point that accepts at least that share of the images, as few as ties allow.

    Raises:
        InputError: no coverage above 0 and up to 1.
    """
    if not 0 < coverage <= 1:
        raise InputError(f"expected a coverage above 0 and up to 1, got {coverage}")
    return _point(curve, int(np.searchsorted(curve.accepted, wanted(coverage, curve.n))))


def coverage_at_risk(curve: Curve, risk: Number, *, first_crossing: bool = False) -> Point:
    """The point of the largest coverage whose selective risk is at most `risk`; coverage 0 where none is.

    Risk need not grow with coverage: `first_crossing` gives the last point before it is exceeded for the
    first time instead.

    Raises:
        InputError: no risk from 0 up to below 1.
    """
    if not 0 <= risk < 1:
        raise InputError(f"expected a risk from 0 up to below 1, got {risk}")
    allowed = curve.wrong <= risk * curve.accepted * (1 + 1e-12)
    count = (
        int(np.argmin(np.append(allowed, False)))
        if first_crossing
        else len(allowed) - int(np.argmax(np.append(allowed[::-1], True)))
    )
    return _point(curve, count - 1) if count else Point(0.0, None, 0, 0, np.inf)


def wanted(coverage: Number, n: Number) -> float:
    """Images that a share of n is, rounded up; a share like 0.55 is not exactly so in floating point."""
    return float(np.ceil(coverage * n - 1e-9))


def _point(curve: Curve, at: int) -> Point:
    return Point(
        float(curve.coverage[at]),
        float(curve.risk[at]),
        round(curve.accepted[at]),
        round(curve.wrong[at]),
        float(curve.thresholds[at]),
    )


def _steps(values: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
    """What each step adds to the one before."""
    steps = values.copy()
    steps[1:] -= values[:-1]
    return steps


def _before(values: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
    return np.append(0.0, values[:-1])


def _trapezoid(x: Float64[np.ndarray, " m"], y: Float64[np.ndarray, " m"]) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def _harmonic(n: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
    """1 + 1/2 + ... + 1/n of whole numbers n."""
    from scipy.special import digamma

    return np.asarray(digamma(n + 1) + np.euler_gamma)

"""95 % intervals by formula: one rate, a weighted mean of rates, a difference of rates, a mean over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from masktune.errors import InputError

Z = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A number with what it was counted on and its 95 % interval; None where undefined."""

    value: float | None
    """A fraction, or None where there is nothing to count."""
    n: int
    """Images (or seeds) it was counted on."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""


def wilson(successes: int | float, n: int) -> Rate:
    """A rate with Wilson's score interval (Wilson 1927; Newcombe 1998, method 3).

    `successes`, 0 to n, need not be whole: for a mean of n shares in [0, 1] the interval is on the safe
    side, because nothing in [0, 1] varies more than a coin of the same mean.
    """
    _check_counts(successes, n)
    if n == 0:
        return Rate(None, 0)
    value = successes / n
    centre = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    # Both bounds hold exactly on paper; rounding may miss them by one unit in the last place.
    return Rate(value, n, min(max(centre - half, 0.0), value), max(min(centre + half, 1.0), value))


def clopper_pearson(successes: int, n: int) -> Rate:
    """A rate with the exact binomial interval, never too narrow (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    _check_counts(successes, n)
    if n == 0:
        return Rate(None, 0)
    low = float(beta.ppf(0.025, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(0.975, successes + 1, n - successes)) if successes < n else 1.0
    return Rate(successes / n, n, low, high)


def weighted_mean(rates: Sequence[Rate], weights: Sequence[float]) -> Rate:
    """The mean of independent rates under weights of any positive sum.

    The interval is MOVER (Zou and Donner 2008): each rate's distance to its own end, squared and weighted.
    Unlike a normal interval it keeps its width where a rate is 0 or 1. One rate alone keeps its interval.
    The value is None where a rate with a weight is undefined, or where no rate has a weight.
    """
    used = [(rate, weight) for rate, weight in zip(rates, weights, strict=True) if weight > 0]
    n, total = sum(rate.n for rate, _ in used), sum(weight for _, weight in used)
    value, below, above = 0.0, 0.0, 0.0
    for rate, weight in used:
        if rate.value is None or rate.low is None or rate.high is None:
            return Rate(None, n)
        value += weight / total * rate.value
        below += (weight / total * (rate.value - rate.low)) ** 2
        above += (weight / total * (rate.high - rate.value)) ** 2
    if not used:
        return Rate(None, 0)
    return Rate(value, n, max(value - math.sqrt(below), 0.0), min(value + math.sqrt(above), 1.0))


def difference(first: Rate, second: Rate) -> Rate:
    """`second` - `first` of two rates on different images, in [-1, 1] (Newcombe 1998, method 10).

    On the same images use `paired.compare`, which is sharper.
    """
    n = first.n + second.n
    if first.value is None or first.low is None or first.high is None:
        return Rate(None, n)
    if second.value is None or second.low is None or second.high is None:
        return Rate(None, n)
    value = second.value - first.value
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    return Rate(value, n, value - below, value + above)


def t_interval(values: Sequence[float]) -> Rate:
    """The mean over seeds with Student's t interval; n is the number of seeds.

    It is not cut to [0, 1], since gaps and differences are averaged too. One seed has no interval.
    """
    from scipy.stats import t

    n = len(values)
    if n == 0:
        return Rate(None, 0)
    mean = math.fsum(values) / n
    if n == 1:
        return Rate(mean, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return Rate(mean, n, mean - half, mean + half)


def _check_counts(successes: int | float, n: int) -> None:
    if not 0 <= successes <= n:
        raise InputError(f"expected from 0 to n successes, got {successes} of {n}")

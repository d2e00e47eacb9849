"""The exact binomial test behind every guarantee: so many wrong of the accepted, is the risk above r?"""

import math

import numpy as np

from masktune.errors import InputError
from masktune.types import Number


def p_value(wrong: int, accepted: int, risk: Number) -> float:
    """Chance of so few wrong ones if the risk were `risk`; 1 where nothing is accepted."""
    from scipy.stats import binom

    return float(binom.cdf(wrong, accepted, risk)) if accepted else 1.0


def upper_bound(wrong: int, accepted: int, delta: Number) -> float:
    """The one-sided bound of a risk that holds with a chance of 1 - delta (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    return 1.0 if wrong >= accepted else float(beta.ppf(1 - delta, wrong + 1, accepted - wrong))


def accepted_needed(wrong: int, risk: Number, delta: Number) -> int:
    """The fewest accepted images that certify a risk with so many wrong ones among them.

    Raises:
        InputError: risk or delta are not between 0 and 1.
    """
    check_share("risk", risk)
    check_share("delta", delta)
    if wrong == 0:
        low, high = 0, math.ceil(math.log(delta) / math.log1p(-risk))
    else:
        low, high = wrong, 2 * wrong + 1
        while p_value(wrong, high, risk) > delta:
            low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if p_value(wrong, middle, risk) > delta else (low, middle)
    return high


def wrong_tolerated(accepted: np.ndarray, risk: Number, delta: Number) -> np.ndarray:
    """The most wrong ones among so many accepted images that certify a risk; -1 where not even none does."""
    from scipy.stats import binom

    most = binom.ppf(delta, accepted, risk).astype(np.int64)
    # `ppf` is the least k whose chance is at least delta; the test wants the last with one of at most delta.
    return np.asarray(np.where(binom.cdf(most, accepted, risk) <= delta, most, most - 1))


def check_share(name: str, value: Number) -> None:
    """Raise InputError unless a number lies between 0 and 1."""
    if not 0 < value < 1:
        raise InputError(f"expected a {name} above 0 and below 1, such as 0.05, got {value}")

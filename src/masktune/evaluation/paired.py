"""Two classifiers on the same images: is the difference more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from masktune.errors import InputError
from masktune.evaluation.predictions import Predictions, match
from masktune.evaluation.resampling import bootstrap_interval, subject_sums


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from a first to a second classifier on the same images."""

    difference: float
    """Accuracy of the second minus accuracy of the first, -1 to 1."""
    low: float
    """Lower end of the 95 % paired bootstrap interval of the difference."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided: exact McNemar, or the sign-flip test over subjects where these are known."""
    n: int
    """Images."""
    gained: int
    """Images that only the second has right."""
    lost: int
    """Images that only the first has right."""


def compare(first: Predictions, second: Predictions, *, seed: int = 0) -> Comparison:
    """Compare two classifiers image by image, matched by id; subjects are those of `first`.

    With subjects the interval resamples subjects and the test is `sign_flip` over the subjects' sums.
    Where the two agree on every image, the interval has no width and the p-value is 1.
    """
    if len(first) == 0:
        raise InputError("expected predictions on at least one image to compare, got none")
    before, after = first.correct, match(first, second).correct
    change = after.astype(float) - before
    if first.subjects is None:
        p_value = mcnemar(before, after)
    else:
        p_value = sign_flip(subject_sums(change, first.subjects).astype(np.int64))
    low, high = bootstrap_interval(change, first.subjects, seed=seed)
    gained, lost = int(np.count_nonzero(change > 0)), int(np.count_nonzero(change < 0))
    return Comparison((gained - lost) / len(change), low, high, p_value, len(change), gained, lost)


def mcnemar(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> float:
    """Exact two-sided p-value of McNemar's test on which images are right.

    The images that only one of the two has right are as likely the first's as the second's by chance.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def sign_flip(differences: Int64[np.ndarray, " s"]) -> float:
    """Exact two-sided p-value of a sum of whole-number differences, one a subject (permutation test).

    If the two classifiers are alike, each subject's difference is as likely with the other sign. The chance
    of every possible sum is built up subject by subject, so nothing is drawn. With one image a subject this
    is exact McNemar.
    """
    steps = np.abs(differences[differences != 0])
    reach = int(steps.sum())
    chances = np.zeros(2 * reach + 1)  # Of the sums -reach to reach.
    chances[reach] = 1.0
    for step in steps.tolist():
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2  # What would wrap around is 0.
    sums = np.arange(-reach, reach + 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(differences.sum())].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979), in the order given."""
    count, adjusted, largest = len(p_values), [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted

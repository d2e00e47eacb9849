"""The smallest gain that the judged images could show, said before anything is trained."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.trial.scores import SCORES
from masktune.trial.verdict import LEAST_GAIN, SURE

CHANCE = 0.03
"""Share of the images that a tuned net loses, and wins, beside any gain (`docs/results/verdict.md`)."""

_POWER = 0.8416212335729143
"""The normal distribution's 80 % quantile: four of five true gains of that size are found."""


@dataclass(frozen=True, slots=True)
class SmallestEffect:
    """What a class's images could show."""

    label: str
    """Name of the class."""
    images: int
    """Judged images of it."""
    units: int
    """Subjects that they are of; images where each stands alone."""
    gain: float
    """The smallest gain in its accuracy that four of five trials would find, 0 to 1."""


def smallest_effects(
    labels: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
    subjects: Shaped[np.ndarray, " n"] | None = None,
) -> tuple[SmallestEffect, ...]:
    """For each class with images; the one with the fewest subjects first, since the worst class decides."""
    found = []
    for label, name in enumerate(classes):
        own = labels == label
        units = int(own.sum()) if subjects is None else len(np.unique(subjects[own]))
        if units:
            found.append(SmallestEffect(name, int(own.sum()), units, smallest_gain(units)))
    return tuple(sorted(found, key=lambda one: (one.units, one.label)))


def smallest_gain(n: int) -> float:
    """Gain in a paired rate of `n` images that is found with 80 % power (Connor 1987, McNemar's test).

    At a level of 5 % shared among the scores. Beside the gain a share `CHANCE` is won and lost by chance.
    1 where so few images cannot show any.
    """
    from scipy.stats import norm

    sure = SURE / len(SCORES)
    if 2 * 0.5**n > sure:  # What McNemar's test says when all of them are gained.
        return 1.0
    level = float(norm.ppf(1 - sure / 2))
    low, high = 0.0, 1.0
    for _ in range(50):
        gain = (low + high) / 2
        differing = min(gain + 2 * CHANCE, 1.0)
        spread = level * math.sqrt(differing) + _POWER * math.sqrt(max(differing - gain**2, 0.0))
        if gain * math.sqrt(n) >= spread:
            high = gain
        else:
            low = gain
    return high


def effects_in_words(effects: tuple[SmallestEffect, ...]) -> str:
    """What the judged images could show, for a person, before anything is trained."""
    least = effects[0]
    of = "" if least.units == least.images else f" of {least.units} subjects"
    total = sum(one.images for one in effects)
    shown = (
        f"a gain there of less than about {100 * least.gain:.1f} points would be taken for chance more than "
        "one time in five"
    )
    if least.gain == 1:
        shown = "even a gain on all of them might be chance"
    return (
        f"{total} images are judged on; the smallest class, {least.label}, has {least.images}{of}: {shown}; "
        f"the verdict wants {100 * LEAST_GAIN:.0f} points of what is right with the place swapped"
    )

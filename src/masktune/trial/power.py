"""The smallest gain that the judged images could show, said before anything is trained."""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.trial.judging import SURE
from masktune.trial.scores import SCORES
from masktune.trial.verdict import LEAST_GAIN

CHANCE = 0.03
"""Share of the images that a tuned net loses, and wins, beside any gain (`docs/results/verdict.md`)."""

POWER = 0.8
"""Share of true gains of that size that are found."""

RIVALS = 4
"""Arms that MaskTune must be better than: the old model and three controls."""

ASKED = 0.2
"""A gain by which it is said how many images it takes; less than `LEAST_GAIN` none can show."""


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
    """Gain in what is right of `n` images, with the place swapped, that the verdict finds four times in five.

    Two things are wanted of what is seen (`verdict.py`): it is no chance, at a level of 5 % shared among the
    scores (Connor 1987, McNemar's test), and it is at least `LEAST_GAIN` over each of `RIVALS` other arms, as
    if these were independent. Beside the gain a share `CHANCE` is won and lost by chance. 1 where so few
    images cannot show any.
    """
    from scipy.stats import norm

    at = SURE / len(SCORES)
    if 2 * 0.5**n > at:  # What McNemar's test says when all of them are gained.
        return 1.0
    level = float(norm.ppf(1 - at / 2))
    margin = float(norm.ppf(POWER ** (1 / RIVALS)))
    low, high = LEAST_GAIN, 1.0
    for _ in range(50):
        gain = (low + high) / 2
        differing = min(gain + 2 * CHANCE, 1.0)
        error = math.sqrt(max(differing - gain**2, 0.0))
        sure = gain * math.sqrt(n) >= level * math.sqrt(differing) + float(norm.ppf(POWER)) * error
        if sure and (gain - LEAST_GAIN) * math.sqrt(n) >= margin * error:
            high = gain
        else:
            low = gain
    return high


def units_for(gain: float) -> int:
    """The fewest images (subjects, where there are some) that could show a gain of this size, above 0."""
    enough = 1
    while smallest_gain(enough) > gain:
        enough *= 2
    return bisect_left(range(enough), -gain, lo=1, key=lambda n: -smallest_gain(n))


def effects_in_words(effects: tuple[SmallestEffect, ...]) -> str:
    """What the judged images could show, for a person, before anything is trained."""
    least, total = effects[0], sum(one.images for one in effects)
    by_subject = least.units != least.images
    has = f"{least.images} images of {least.units} subjects" if by_subject else f"{least.images}"
    seen = (
        "With so few, even a gain on all of them might be chance"
        if least.gain == 1
        else f"With so many, only a gain of about {math.ceil(100 * least.gain)} percentage points or more "
        "there would be seen (four times in five)"
    )
    units = "subjects" if by_subject else "images"
    needed = (
        f"the least that counts for the verdict are {100 * LEAST_GAIN:.0f}"
        if least.gain <= ASKED
        else f"about {units_for(ASKED)} {units} of it would be needed for one of {100 * ASKED:.0f}"
    )
    return f"{total} images are judged on; the smallest class, {least.label}, has {has}. {seen}; {needed}"

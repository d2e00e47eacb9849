"""What a class lost under tuning, on the images as they are: the price of a gain, or harm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import (
    Comparison,
    Predictions,
    at_class_shares,
    compare,
    holm,
    true_shares,
)
from masktune.trial.judging import SURE, Judged
from masktune.trial.said import Said

ALL = "all images"
"""In a class's place, where all of them together are meant."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a class, or all images, lost as they are."""

    label: str
    """Name of the class, or `ALL`."""
    after: float
    """What is right of it now."""
    value: float
    """What was right of it before less that, 0 to 1."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end."""


def largest_loss(said: Said, scores: Sequence[Judged], seed: int) -> Loss | None:
    """The largest loss that is no chance: of the worst class, of any class, or of all images together.

    Where a threshold moves, one class loses what another gains. So a class that is not the worst, and all
    images, count only if they are worse, too, when both models give each class as often as it is true.
    """
    found = _losses(said, seed)
    worst = next(one for one in scores if one.name == "worst_class" and not one.equal_shares)
    by = worst.over_untouched
    if by.value < 0 and by.p_value < SURE:
        ours = worst.arms["masktune"]
        found.append(Loss(ours.cell, ours.value, -by.value, -by.high, -by.low))
    return max(found, key=lambda one: one.value, default=None)


def _losses(said: Said, seed: int) -> list[Loss]:
    """Of each class and of all images, where it is no chance, also at true shares; classes by Holm."""
    before, after = (said.predictions(arm) for arm in ("untouched", "masktune"))
    shares = true_shares(before)
    labels = np.unique(said.labels).tolist()
    names = [*(said.classes[label] for label in labels), ALL]
    parts = [*(said.labels == label for label in labels), np.ones(len(said.labels), dtype=bool)]
    plain = _by_part(before, after, parts, seed)
    equal = _by_part(at_class_shares(before, shares), at_class_shares(after, shares), parts, seed)
    return [
        Loss(name, float(after.correct[chosen].mean()), -one.difference, -one.high, -one.low)
        for name, chosen, (one, p), (other, q) in zip(names, parts, plain, equal, strict=True)
        if one.difference < 0 and p < SURE and other.difference < 0 and q < SURE
    ]


def _by_part(
    before: Predictions, after: Predictions, parts: Sequence[Bool[np.ndarray, " n"]], seed: int
) -> list[tuple[Comparison, float]]:
    """Of each part what changed, and its p-value: of the classes corrected for their number.

    That of all images, the last part, is one question more, which is asked at the plain level.
    """
    found = [compare(before.select(chosen), after.select(chosen), seed=seed) for chosen in parts]
    corrected = [*map(float, holm([one.p_value for one in found[:-1]])), found[-1].p_value]
    return list(zip(found, corrected, strict=True))

"""What got better and what got worse: the old classifier against the tuned one, part by part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Shaped

from masktune.evaluation import Predictions, Rate, accuracy, compare, holm

Kind = Literal["class", "group", "column", "area"]

LOOKS_AT = "looks at the "
"""Before the name of a place."""

LEAST = 20
"""Images of a part below which nothing is said of it."""

MOST_VALUES = 12
"""Of a column that parts the images; an age or a name has more."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One part of the judged images, before and after."""

    kind: Kind
    """What parts the images: the class, a given group, a column, or where the old classifier looks."""
    name: str
    """The part, in words: "cat", "camera = north", "looks at the top left"."""
    before: Rate
    """Accuracy of the untouched classifier there."""
    after: Rate
    """Accuracy of the tuned one."""
    difference: float
    """After less before, -1 to 1."""
    low: float
    """Lower end of its 95 % paired interval."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided, corrected for the number of parts of its kind (Holm), as the verdict does for classes."""

    @property
    def sure(self) -> bool:
        """Whether the change is more than chance."""
        return self.p_value < 0.05


Values = Shaped[np.ndarray, " n"]


def changes(
    before: Predictions, after: Predictions, parts: Mapping[tuple[Kind, str], Values], *, seed: int = 0
) -> tuple[Changed, ...]:
    """Compare two classifiers on each part of the same images, the largest loss first.

    Args:
        before: of the untouched classifier.
        after: of the tuned one, on the same images in the same order.
        parts: (kind, word before the value) and the value of each image; "" is in no part.
        seed: of the intervals.
    """
    found = []
    for (kind, word), values in {("class", ""): _class_names(before), **parts}.items():
        for value in _told(kind, values):
            chosen = np.asarray(values == value)
            found.append(_changed(kind, f"{word}{value}", before, after, chosen, seed))
    told: list[Changed] = []
    for kind in dict.fromkeys(one.kind for one in found):
        own = [one for one in found if one.kind == kind]
        corrected = holm([one.p_value for one in own])
        told += [replace(one, p_value=value) for one, value in zip(own, corrected, strict=True)]
    return tuple(sorted(told, key=lambda one: one.difference))


def _told(kind: Kind, values: Values) -> list[str]:
    """The values that enough images have; none of a column with too many of them."""
    names, counts = np.unique(values[values != ""], return_counts=True)
    if kind == "column" and len(names) > MOST_VALUES:
        return []
    return [str(name) for name, count in zip(names.tolist(), counts.tolist(), strict=True) if count >= LEAST]


def _class_names(predictions: Predictions) -> Values:
    names = predictions.classes or tuple(map(str, range(predictions.logits.shape[1])))
    return np.asarray(np.array(names)[predictions.labels])


def _changed(
    kind: Kind, name: str, before: Predictions, after: Predictions, chosen: Bool[np.ndarray, " n"], seed: int
) -> Changed:
    old, new = before.select(chosen), after.select(chosen)
    found = compare(old, new, seed=seed)
    rates = accuracy(old, seed=seed), accuracy(new, seed=seed)
    return Changed(kind, name, *rates, found.difference, found.low, found.high, found.p_value)

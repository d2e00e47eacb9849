"""Where a two-class classifier says class 1: at a threshold on its probability, instead of at one half.

A threshold is fixed on validation and judged on other images:
`decided(test, operating_point("specificity=.95").fixed_on(validation))`.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from masktune.errors import InputError, near
from masktune.evaluation.imbalanced import logit_differences, most_false_positives
from masktune.evaluation.predictions import Predictions

KINDS = ("threshold", "specificity")
"""How an operating point can be given."""

NEVER = math.nextafter(1.0, 2.0)
"""The threshold that no probability reaches."""


_NO_SENSITIVITY = "; only the share of the first class that is kept can be asked for"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """How the threshold on the probability of class 1 is found.

    Raises:
        InputError: an unknown kind, or a value that is not between 0 and 1.
    """

    kind: str
    """`threshold` gives it; `specificity` asks for so large a share of class 0 that is called class 0."""
    value: float
    """Above 0 and below 1."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"expected an operating point such as threshold=.12 or specificity=.95, got {self.kind!r}"
                f"{_NO_SENSITIVITY if self.kind == 'sensitivity' else near(self.kind, KINDS)}"
            )
        if not 0 < self.value < 1:
            raise InputError(f"expected a {self.kind} above 0 and below 1, got {self.value}")

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"

    def fixed_on(self, predictions: Predictions) -> float:
        """The threshold: class 1 where its probability is at least that.

        For a specificity it is the smallest with at least that specificity on these predictions, which should
        be those on validation: the next number above the probability of one of their images of class 0. Where
        too many of these have a probability of 1.0 it is `NEVER`.

        Raises:
            InputError: not two classes, or a specificity is to be fixed without an image of class 0.
        """
        logit_differences(predictions, f"the operating point {self}")
        if self.kind == "threshold":
            return self.value
        below = np.sort(predictions.probabilities[predictions.labels == 0, 1])
        if not len(below):
            raise InputError(
                f"expected images of class 0 to fix {self} on, got none; give a threshold instead"
            )
        last = len(below) - most_false_positives(len(below), self.value) - 1
        return math.nextafter(float(below[last]), 2.0)


def operating_point(text: str) -> OperatingPoint:
    """Read `threshold=.12` or `specificity=.95`.

    Raises:
        InputError: it is neither, or the number is not between 0 and 1.
    """
    kind, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        raise InputError(
            f"expected an operating point such as threshold=.12 or specificity=.95, got {text!r}"
        ) from None
    return OperatingPoint(kind, value)


def decided(predictions: Predictions, threshold: float) -> Predictions:
    """The same predictions, with class 1 predicted exactly where its probability is at least `threshold`.

    Logits become [0, d], d the difference of the logits less that of the threshold: accuracies, comparisons
    and the like then work on them as on any others. The order of the images stays, but differences below
    float32's precision become ties. Probabilities move along, so judge calibration before this.

    Raises:
        InputError: not two classes, or a threshold that is no probability.
    """
    differences = logit_differences(predictions, "a threshold")
    if not 0 < threshold <= NEVER:
        raise InputError(f"expected a threshold above 0 and at most 1, got {threshold}")
    above = predictions.probabilities[:, 1] >= threshold
    inside = min(threshold, math.nextafter(1.0, 0.0))
    largest, least = np.finfo(np.float32).max, np.finfo(np.float32).tiny
    shifted = np.clip(differences - math.log(inside) + math.log1p(-inside), -largest, largest)
    # At the threshold itself rounding decides on which side of 0 an image lands, and a tie means class 0.
    shifted = np.where(above, np.maximum(shifted, least), np.minimum(shifted, 0)).astype(np.float32)
    return replace(predictions, logits=np.stack([np.zeros_like(shifted), shifted], axis=1))

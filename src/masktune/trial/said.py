"""What all arms said of the judged images, as plain arrays: all that the verdict reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from masktune.evaluation import Predictions
from masktune.trial.arms import Arm
from masktune.trial.hiding import Change, Donors
from masktune.trial.settings import ArmName


@dataclass(frozen=True, eq=False)
class Said:
    """Logits of each arm on the same images, in the same order."""

    labels: Int64[np.ndarray, " n"]
    """True classes."""
    classes: tuple[str, ...]
    """Names of the classes."""
    plain: Mapping[ArmName, Float32[np.ndarray, "n k"]]
    """Of the images as they are."""
    changed: Mapping[ArmName, Mapping[Change, Float32[np.ndarray, "n k"]]]
    """Of the same images with a place hidden or swapped (`hiding.py`)."""
    donors: Donors
    """Who swapped places with whom."""
    subjects: Shaped[np.ndarray, " n"] | None = None
    """Whose images they are."""

    @classmethod
    def of(cls, arms: Mapping[ArmName, Arm], donors: Donors) -> "Said":
        """What a trial's arms said, and who swapped with whom."""
        first = arms["untouched"].predictions
        return cls(
            labels=first.labels,
            classes=first.classes or tuple(map(str, range(first.logits.shape[1]))),
            plain={name: arm.predictions.logits for name, arm in arms.items()},
            changed={name: arm.changed_logits for name, arm in arms.items()},
            donors=donors,
            subjects=first.subjects,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The arms, `untouched` first."""
        return tuple(self.plain)

    @cached_property
    def units(self) -> Int64[np.ndarray, " n"]:
        """The number of each image's subject, or of the image where each stands alone."""
        if self.subjects is None:
            return np.arange(len(self))
        return np.asarray(np.unique(self.subjects, return_inverse=True)[1]).reshape(-1)

    @cached_property
    def swap_units(self) -> Int64[np.ndarray, " n"]:
        """The unit whose draw brings the answer to an image with another class's place along.

        In a class with fewer donors than images several answers hang on one donor, so they come and go with
        it: forty positives that lend their places to a thousand negatives are forty things seen, not a
        thousand. In the other classes each image has its own donor, and its own unit is drawn.
        """
        units = self.units.copy()
        for label in np.unique(self.labels):
            own = self.labels == label
            lent = self.units[self.donors.other_class[own]]
            if len(np.unique(lent)) < len(np.unique(self.units[own])):
                units[own] = lent
        return units

    def predictions(self, arm: ArmName, change: Change | None = None) -> Predictions:
        """What an arm said, as the evaluation wants it."""
        return self.as_predictions(self.plain[arm] if change is None else self.changed[arm][change])

    def as_predictions(self, logits: Float32[np.ndarray, "n k"]) -> Predictions:
        """Any logits of the same images."""
        return Predictions(logits, self.labels, self._ids, self.classes, subjects=self.subjects)

    @cached_property
    def _ids(self) -> Shaped[np.ndarray, " n"]:
        return np.arange(len(self)).astype(str)

"""A finished trial: what was done, what came out, and the pictures to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float16

from masktune.evaluation import Measure, Predictions
from masktune.masking import Threshold
from masktune.trial.changes import Changed
from masktune.trial.power import SmallestEffect
from masktune.trial.rates import RateChoice
from masktune.trial.settings import ArmName
from masktune.trial.verdict import Verdict


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrialArm:
    """One arm in numbers."""

    name: ArmName
    epochs: int
    """Passes over the training images from the given weights on, ERM first included."""
    seconds: float
    """Duration of the same."""
    stopped: str | None
    """Why tuning was given up, in words; its numbers are then the untouched classifier's."""
    threshold: float | None
    """Probability of the second class from which on it is given; None where the larger one is."""
    measures: Mapping[str, tuple[Measure, ...]]
    """By split: "validation" are the judged images, "test" those beside them, where there are any."""


@dataclass(frozen=True, slots=True, eq=False)
class BeforeAfter:
    """One judged image, and where both classifiers look in it."""

    id: str
    label: str
    """Name of the true class."""
    before: str
    """What the untouched classifier says."""
    after: str
    """What the tuned one says."""
    jpeg: bytes
    """The image as the classifier sees it."""
    low_before: Float16[np.ndarray, "h_low w_low"]
    """Map of the untouched classifier, 0 to 1, at layer size."""
    low_after: Float16[np.ndarray, "h_low w_low"]
    """Map of the tuned one."""

    @property
    def kind(self) -> str:
        """What became of it: "gained", "lost", "right" or "wrong"."""
        right = self.before == self.label, self.after == self.label
        return {(False, True): "gained", (True, False): "lost", (True, True): "right"}.get(right, "wrong")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trialled:
    """All that a trial leaves to be told; files are written from this alone."""

    name: str
    """Of the data set, as it stands in results."""
    sha256: str
    """Of all that the data are; empty where it is not known."""
    weights_sha256: str
    """Of the classifier as it was given."""
    classes: tuple[str, ...]
    about: Mapping[str, str]
    """Data, model, weights, input, maps, device, hardware: in words."""
    settings: Mapping[str, Any]
    """Plain values by name."""
    seen: str
    """What the weights were trained on, in a sentence."""
    notes: tuple[str, ...]
    """What a person should know: how the images were divided, what was noticed."""
    counts: Mapping[str, Mapping[str, int]]
    """Images by role (train, held back, validation, test, calibration, unused) and class."""
    subjects: int | None
    """Subjects among the judged images; None where each image stands alone."""
    rate: RateChoice
    """Of the tuning epoch."""
    effects: tuple[SmallestEffect, ...]
    """What the judged images could show, by class."""
    verdict: Verdict
    arms: tuple[TrialArm, ...]
    """`untouched` first, `masktune` last."""
    changes: tuple[Changed, ...]
    """Untouched against tuned on the judged images, the largest loss first."""
    predictions: Mapping[str, Mapping[str, Predictions]]
    """By arm and split; groups are in them where they are known."""
    threshold: Threshold
    """From a map to the salient area."""
    shown: tuple[BeforeAfter, ...] = ()
    """Pictures."""
    licences: tuple[str, ...] = field(default=())
    """What is known of the licences of data and weights, a sentence each."""

    @property
    def title(self) -> str:
        """What the data are called in a heading: the file with its folder, where they came as one."""
        return self.about.get("data", self.name)

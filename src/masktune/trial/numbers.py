"""The numbers of one arm, split by split."""

from collections.abc import Mapping

from masktune.evaluation import (
    Measure,
    Predictions,
    measure,
    measure_hiding,
    measure_imbalanced,
    operating_point,
)
from masktune.methods.masks import measure_hidden
from masktune.trial.arms import Arm
from masktune.trial.done import Done
from masktune.trial.reviewed import REVIEW, measure_reviewed
from masktune.trial.settings import TrialSettings
from masktune.trial.trialled import TrialArm

BySplit = Mapping[str, Predictions]
"""What an arm says of each split."""


def numbers_of(done: Done, arm: Arm, raw: BySplit, decided: BySplit, threshold: float | None) -> TrialArm:
    """What is told of an arm.

    Args:
        done: the trial.
        arm: which one.
        raw: what its net says, by split.
        decided: the same at its operating point.
        threshold: that point; None where the larger logit decides.
    """
    settings, fitted = done.settings, arm.fitted
    measures = {split: _measured(found, decided[split], settings) for split, found in raw.items()}
    if done.given.reviewed is not None:
        measures[REVIEW] = measure_reviewed(decided["validation"], done.given.reviewed)
    if fitted is not None and fitted.masks is not None:
        hiding = measure_hidden(
            done.task.train, fitted.masks, here=done.task.here, progress=done.task.progress
        )
        measures["train"] = tuple(measure_hiding(hiding.image, hiding.shortcut))
    return TrialArm(
        name=arm.name,
        epochs=done.start.epochs + (0 if fitted is None else fitted.epochs),
        seconds=done.start.seconds + (0.0 if fitted is None else fitted.seconds),
        stopped=arm.stopped,
        threshold=threshold,
        measures=measures,
    )


_OF_PROBABILITIES = ("brier", "calibration_error")


def _measured(raw: Predictions, decided: Predictions, settings: TrialSettings) -> tuple[Measure, ...]:
    """All numbers of a split, each once; an operating point moves answers, and leaves probabilities alone."""
    point = None if settings.operating_point is None else operating_point(settings.operating_point)
    level = point.value if point is not None and point.kind == "specificity" else None
    of_answers = measure_imbalanced(decided, specificity=level, seed=settings.seed)
    of_both = of_answers if decided is raw else measure_imbalanced(raw, seed=settings.seed)
    found = measure(decided, seed=settings.seed)
    found += [one for one in of_answers if one.metric not in _OF_PROBABILITIES]
    found += [one for one in of_both if one.metric in _OF_PROBABILITIES]
    return tuple({(one.metric, one.group): one for one in found}.values())

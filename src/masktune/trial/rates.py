"""The learning rate of the tuning epoch of a stranger's checkpoint: a rule, written down before it is used.

Each rate is tried with the control `continue_erm` for a quarter of an epoch, on the same images. Taken is the
largest one whose accuracy on held-back training images is not clearly below the best one's: an epoch has to
move a net that has settled (`docs/results/biased-mnist.md`), and must not wreck it. MaskTune has no say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float64

from masktune.data.base import Dataset, Subset
from masktune.errors import DataDamaged, InputError, TrainingDiverged
from masktune.evaluation import Predictions
from masktune.methods import Fitted, Method, Task
from masktune.runs.jsons import read_object, write_json
from masktune.seeds import generator
from masktune.training.together import predict_all
from masktune.trial.settings import TrialSettings
from masktune.types import under

PART = 0.25
"""Of an epoch that each rate is tried for."""

SLACK = 0.01
"""Accuracy that a rate may lose against the best one, or one standard error of the paired difference."""


@dataclass(frozen=True, slots=True)
class TriedRate:
    """What one rate did to the control."""

    rate: float
    accuracy: float | None
    """On held-back training images, 0 to 1; None where the loss was no longer finite."""
    behind: float | None
    """How far that is below the best one."""
    allowed: float | None
    """How far it may be."""


@dataclass(frozen=True, slots=True)
class RateChoice:
    """The rate that is taken, and why."""

    rate: float
    tried: tuple[TriedRate, ...] = ()
    """Empty where the rate was given."""

    @property
    def lower(self) -> float | None:
        """The next rate below; None where there is none."""
        below = [one.rate for one in self.tried if one.rate < self.rate and one.accuracy is not None]
        return max(below, default=None)


def rule_in_words(settings: TrialSettings) -> str:
    """How the rate is found, for a person, before it is."""
    if settings.learning_rate is not None:
        return f"learning rate {settings.learning_rate:g}, as given, for all arms"
    rates = ", ".join(f"{rate:g}" for rate in settings.rates)
    return (
        f"learning rate: the largest of {rates} at which a quarter epoch without masks loses at most "
        f"{100 * SLACK:g} point, or one standard error, on held-back training images; the same for all arms"
    )


def choose_rate(task: Task, settings: TrialSettings, held_out: Dataset) -> RateChoice:
    """The rate by the rule above.

    Args:
        task: as for the arms.
        settings: with the rates.
        held_out: training images that are not tuned on.

    Raises:
        TrainingDiverged: at every rate.
    """
    if settings.learning_rate is not None:
        return RateChoice(settings.learning_rate)
    part = replace(task, train=_part_of(task.train, task.seed), folder=None)
    found = {rate: _predicted(part, settings, rate, held_out) for rate in settings.rates}
    return judge_rates({rate: None if one is None else one.correct for rate, one in found.items()})


def kept_choice(task: Task, settings: TrialSettings, held_out: Dataset) -> RateChoice:
    """The rate by the rule, from the task's folder where it was chosen before.

    Raises:
        TrainingDiverged: at every rate.
        DataDamaged: what was kept cannot be read.
    """
    path = task.file("rate.json")
    if path is not None and task.here.first_does(path.exists):
        return task.here.each_does(lambda: _read(path))
    choice = choose_rate(task, settings, held_out)
    if path is not None:
        task.here.first_does(lambda: write_json(path, asdict(choice)))
    return choice


def _read(path: Path) -> RateChoice:
    content = read_object(path)
    try:
        return RateChoice(content["rate"], tuple(TriedRate(**one) for one in content["tried"]))
    except (KeyError, TypeError) as error:
        raise DataDamaged(f"{path} is damaged ({error}); delete it, and the rates are tried again") from error


def judge_rates(correct: Mapping[float, Bool[np.ndarray, " n"] | None]) -> RateChoice:
    """The rule itself, on what was right with each rate; no net is run.

    Args:
        correct: by rate, where the control was right on the same held-back images; None where it diverged.

    Raises:
        TrainingDiverged: at every rate.
    """
    right = {rate: one.astype(np.float64) for rate, one in correct.items() if one is not None}
    if not right:
        rates = ", ".join(f"{rate:g}" for rate in correct)
        raise TrainingDiverged(
            f"the loss was no longer finite at any of the rates {rates}; give a smaller --lr, or look at the "
            "weights and the images' range"
        )
    best = max(right.values(), key=lambda one: float(one.mean()))
    tried = tuple(_tried(rate, right.get(rate), best) for rate in sorted(correct, reverse=True))
    return RateChoice(_largest(tried), tried)


def _largest(tried: Sequence[TriedRate]) -> float:
    return max(
        one.rate for one in tried if one.behind is not None and one.behind <= (one.allowed or 0.0) + 1e-12
    )


def _tried(
    rate: float, right: Float64[np.ndarray, " n"] | None, best: Float64[np.ndarray, " n"]
) -> TriedRate:
    if right is None:
        return TriedRate(rate, None, None, None)
    lost = best - right
    error = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else 0.0
    return TriedRate(rate, float(right.mean()), float(lost.mean()), max(SLACK, error))


def _part_of(train: Dataset, seed: int) -> Dataset:
    """A quarter of the training images, at least 2."""
    count = max(2, round(PART * len(train)))
    order = torch.randperm(len(train), generator=generator(seed, "rates"))
    return Subset(train, order[:count])


def _predicted(task: Task, settings: TrialSettings, rate: float, held_out: Dataset) -> Predictions | None:
    shown = replace(task, progress=under(f"trying the rate {rate:g}", task.progress))
    try:
        return fit_and_ask(settings.method("continue_erm", rate), shown, held_out)[1]
    except TrainingDiverged:
        return None


def fit_and_ask(method: Method, task: Task, held_out: Dataset) -> tuple[Fitted, Predictions]:
    """Fit a method, and ask its classifier about the images that are held back.

    Raises:
        TrainingDiverged: the loss, a weight, or a logit of these images is no longer a finite number.
    """
    fitted = method.fit(task)
    try:
        return fitted, predict_all(fitted.classifier, held_out, here=task.here)
    except InputError as error:  # Weights may be finite and still too large; that is seen here first.
        raise TrainingDiverged(
            f"a logit is no longer a finite number after tuning ({error}); try a smaller learning rate"
        ) from error

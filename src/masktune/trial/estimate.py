"""How long a trial takes and how much disk, from a few timed steps; nothing is written."""

import time
from copy import deepcopy
from dataclasses import dataclass, replace

import torch

from masktune.data.base import Dataset, Subset, batches
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.training.checkpoints import TrainState
from masktune.training.devices import ALONE, Processes
from masktune.training.loop import Work, train
from masktune.trial.given import Given
from masktune.trial.hiding import CHANGES
from masktune.trial.hold_out import held_out
from masktune.trial.rates import PART
from masktune.trial.settings import TrialSettings

STEPS = 4
"""Timed, after as many that are not."""

_MAP = 2.0
"""Forward passes that one map costs (`docs/results/masking-cost.md`)."""


@dataclass(frozen=True, slots=True)
class TrialEstimate:
    """What a trial will do."""

    training_speed: float
    """Images a second, reading included."""
    prediction_speed: float
    """Images a second, reading included."""
    epochs: float
    """Epochs of training, those of the rates and of ERM first included."""
    seconds: float
    """Of the whole trial."""
    megabytes: float
    """On disk at the end, about; while it runs three times as much."""


def estimate_trial(given: Given, settings: TrialSettings, here: Processes = ALONE) -> TrialEstimate:
    """Time some steps of training and prediction on the given images, and add up."""
    fit, held = held_out(given.train, settings)
    net = deepcopy(given.classifier).to(here.device)
    predicting = _prediction_speed(net, fit, settings.batch_size)
    training = _training_speed(net, fit, settings, here)
    epochs = epochs_of(settings)
    tested = sum(len(part) for part in (given.test, given.calibration) if part is not None)
    arms = len(settings.tuned) + 1
    # Each arm says something of every judged image as it is and with each change, and makes its map; maps of
    # all training images are made once.
    judged = len(given.validation) * (1 + len(CHANGES) + _MAP) * (arms + _lower_too(settings))
    asked = judged + tested * arms + len(held) * arms + _MAP * len(fit)
    # The steps that were timed were shared by all processes, the predictions were this one's.
    seconds = len(fit) * epochs / training + asked / predicting / here.world
    weights = sum(value.numel() * value.element_size() for value in net.state_dict().values())
    # Pictures and maps of some judged images, two logits and a name of each image and arm.
    rest = 5e6 + 100 * (len(given.validation) + tested) * arms
    return TrialEstimate(
        training_speed=training,
        prediction_speed=predicting,
        epochs=epochs,
        seconds=seconds,
        megabytes=(weights * arms + rest) / 1e6,
    )


def epochs_of(settings: TrialSettings) -> float:
    """Epochs that are trained: ERM first, the rates, each arm, and MaskTune once more at a lower rate."""
    rates = 0.0 if settings.learning_rate is not None else PART * len(settings.rates)
    return settings.epochs + rates + len(settings.tuned) + _lower_too(settings)


def _lower_too(settings: TrialSettings) -> bool:
    """Whether MaskTune is run at a lower rate too, unless the lowest is taken (`arms.py`)."""
    return settings.learning_rate is None and len(settings.tuned) > 1 and "masktune" in settings.tuned


def _training_speed(net: Classifier, data: Dataset, settings: TrialSettings, here: Processes) -> float:
    some = Subset(data, torch.arange(min(STEPS * settings.batch_size, len(data))))
    tuning = replace(settings.tuning(), epochs=2, learning_rate=1e-6)
    state = TrainState(net, tuning.make_optimizer(net.parameters()))
    *_, report = train(state, some, tuning, Work(0, "estimating", here=here))
    return report.images / report.seconds


def _prediction_speed(net: Classifier, data: Dataset, batch_size: int) -> float:
    some = torch.arange(min(2 * STEPS * batch_size, len(data)))
    predict(net, batches(data, batch_size, some[:batch_size]))
    start = time.perf_counter()
    predict(net, batches(data, batch_size, some))
    return len(some) / (time.perf_counter() - start)

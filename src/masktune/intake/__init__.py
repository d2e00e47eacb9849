"""What a user brings: their images and their classifier, opened and held against each other."""

from masktune.intake.choices import DataChoices, ModelChoices
from masktune.intake.draw import drawn, drawn_by_class
from masktune.intake.open_data import open_samples
from masktune.intake.prepare import Prepared, prepare
from masktune.intake.trial_run import TrialRun, trial_run

__all__ = [
    "DataChoices",
    "ModelChoices",
    "Prepared",
    "TrialRun",
    "drawn",
    "drawn_by_class",
    "open_samples",
    "prepare",
    "trial_run",
]

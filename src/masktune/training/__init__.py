"""How weights change: one epoch story, its settings, checkpoints, and the processes that share the work."""

from masktune.training.checkpoints import Checkpoint, TrainState
from masktune.training.devices import ALONE, Processes, processes
from masktune.training.execution import Execution
from masktune.training.loop import EpochReport, Work, train
from masktune.training.resume import train_to_end
from masktune.training.settings import Training
from masktune.training.together import maps_of_all, predict_all

__all__ = [
    "ALONE",
    "Checkpoint",
    "EpochReport",
    "Execution",
    "Processes",
    "TrainState",
    "Training",
    "Work",
    "maps_of_all",
    "predict_all",
    "processes",
    "train",
    "train_to_end",
]

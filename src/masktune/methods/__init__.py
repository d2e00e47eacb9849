"""Methods: each turns training images into a classifier and declares which labels it reads; one file each."""

from masktune.methods.base import Fitted, Method, Task
from masktune.methods.continue_erm import ContinueERM
from masktune.methods.erm import ERM
from masktune.methods.least_salient_mask import LeastSalientMask
from masktune.methods.masktune import MaskTune
from masktune.methods.random_mask import RandomMask

__all__ = ["ERM", "ContinueERM", "Fitted", "LeastSalientMask", "MaskTune", "Method", "RandomMask", "Task"]

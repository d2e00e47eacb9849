"""A task on the embedded digits; as a script it kills itself in the middle of it.

    python digits.py FOLDER METHOD PIECE STEPS

kills the process, as `kill -9` does, at step number STEPS of the piece of work whose name starts with PIECE.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from masktune.data import BiasedDigits, Subset
from masktune.methods import ERM, MaskTune, Task
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.small_cnn import SmallCNN
from masktune.training.settings import Training
from masktune.types import InputSpec, silent

METHODS = {"erm": ERM(), "masktune": MaskTune(epochs=2)}


def digits_task(folder=None, progress=silent, n=192, **changed):
    """Three steps an epoch of ERM on 192 digits."""
    given = {
        "train": Subset(BiasedDigits("train"), torch.arange(n) * 5),
        "validation": BiasedDigits("validation"),
        "build": build,
        "training": Training(
            epochs=3, batch_size=64, learning_rate=0.05, milestones=(2,), precision="float32"
        ),
        "seed": 3,
        "folder": folder,
        "progress": progress,
    }
    return Task(**given | changed)


def build():
    return Classifier(from_seed(SmallCNN, 0), InputSpec(size=(28, 28)), ("0-4", "5-9"))


def killer(piece, steps):
    """A progress that ends the process without a word."""
    left = [steps]

    def progress(step):
        if step.what.startswith(piece):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return progress


if __name__ == "__main__":
    folder, method, piece, steps = sys.argv[1:]
    torch.set_num_threads(1)
    METHODS[method].fit(digits_task(Path(folder), killer(piece, int(steps))))

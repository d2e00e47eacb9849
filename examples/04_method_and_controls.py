"""The method beside its controls, from Python, with a paired test on the same images.

python examples/04_method_and_controls.py
"""

import tempfile
from pathlib import Path

import torch

from masktune import ERM, BiasedDigits, Classifier, ContinueERM, InputSpec, MaskTune, RandomMask
from masktune.evaluation import compare
from masktune.methods import Task
from masktune.models import SmallCNN, from_seed
from masktune.training import Training, predict_all

torch.set_num_threads(1)
splits = BiasedDigits.splits(seed=0)


def build() -> Classifier:
    return Classifier(from_seed(SmallCNN, seed=0), InputSpec(size=(28, 28)), splits.train.classes)


with tempfile.TemporaryDirectory() as folder:  # The methods share their first stage through it.
    task = Task(
        train=splits.train,
        validation=splits.validation,
        build=build,
        training=Training(epochs=6, batch_size=16),
        seed=0,
        folder=Path(folder),
    )
    said = {
        method.name: predict_all(method.fit(task).classifier, splits.tests["conflicting"])
        for method in (ERM(), ContinueERM(), RandomMask(), MaskTune())
    }

for name, predictions in said.items():
    print(f"{name:15s}{predictions.correct.mean():6.1%}")
for name in ("erm", "continue_erm", "random_mask"):
    found = compare(said[name], said["masktune"])
    interval = f"{found.low:+.1%} to {found.high:+.1%}"
    print(f"masktune - {name}: {found.difference:+.1%}, 95 % interval {interval}, p = {found.p_value:.1g}")

"""What each of several processes computes; run by torchrun with a folder, or called by one process."""

import sys
from pathlib import Path

import numpy as np
import torch

if __package__:
    from .tiny import classifier, net_with_norm_and_dropout, plain_net, settings, some_data, state_of
else:  # Started by torchrun as a script.
    from tiny import classifier, net_with_norm_and_dropout, plain_net, settings, some_data, state_of

from masktune.errors import TrainingDiverged
from masktune.models.weights import weights_of, weights_sha256
from masktune.saliency import GradCAM
from masktune.training.devices import processes
from masktune.training.loop import Work, train
from masktune.training.together import maps_of_all, predict_all
from masktune.types import Batch

BATCHES = {"four": 16, "one": 64}  # Of 50 images; with one batch the second process has none.


def compute(here):
    """Everything that the tests compare, as arrays by name."""
    data, made = some_data(50, groups=np.array(["g", "h"] * 25)), classifier()
    found = {"world": np.array(here.world)}
    found |= {"first said": np.array(here.first_does(lambda: f"from {here.rank}"))}
    for name, batch_size in BATCHES.items():
        steps = []
        told = {"batch_size": batch_size, "here": here, "progress": steps.append}
        predictions = predict_all(made, data, **told)
        found |= {f"{name} logits": predictions.logits, f"{name} ids": predictions.ids}
        found |= {f"{name} groups": predictions.groups, f"{name} labels": predictions.labels}
        maps = maps_of_all(GradCAM(made, "0"), data, weights_sha256="abc", **told)
        found |= {f"{name} maps": maps.low(tuple(data.ids)).numpy(), f"{name} n": np.array(maps.manifest.n)}
        found |= {f"{name} classes": maps.classes[maps.rows(tuple(data.ids))]}
    for name, make in (("plain", plain_net), ("norm", net_with_norm_and_dropout)):
        found |= trained(name, make, data, here)
    return found | diverged(data, here)


def trained(name, make, data, here):
    """Three epochs; the last batch of each holds 2 images, too few to be divided."""
    training = settings()
    state = state_of(training, make)
    prepared = []

    def prepare(batch, epoch):
        prepared.append(len(batch))
        return batch

    reports = list(train(state, data, training, Work(seed=0, prepare=prepare, here=here)))
    weights = np.concatenate([value.double().flatten() for value in weights_of(state.classifier).values()])
    return {
        f"{name} sha256": np.array(weights_sha256(state.classifier)),
        f"{name} weights": weights,
        f"{name} losses": np.array([report.loss for report in reports]),
        f"{name} shares": np.array(prepared),
    }


def diverged(data, here):
    """Images that are not numbers, in one process's share of the first batch only."""

    def poison(batch, epoch):
        images = batch.images.float() / 255
        return Batch(images / 0 if here.rank == here.world - 1 else images, batch.labels, batch.ids)

    training = settings()
    try:
        list(train(state_of(training), data, training, Work(seed=0, prepare=poison, here=here)))
    except TrainingDiverged as error:
        return {"diverged": np.array(str(error))}
    return {"diverged": np.array("no")}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with processes("cpu") as here:
        np.savez(Path(sys.argv[1]) / f"rank-{here.rank}.npz", **compute(here))
    assert not torch.distributed.is_initialized()

"""What each of several processes computes; run by torchrun with a folder, or called by one process."""

import faulthandler
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

if __package__:
    from .tiny import classifier, net_with_norm_and_dropout, plain_net, settings, some_data, state_of
else:  # Started by torchrun as a script.
    from tiny import classifier, net_with_norm_and_dropout, plain_net, settings, some_data, state_of

from masktune.errors import InputError, MasktuneError, StorageError, TrainingDiverged
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
    found |= first_process_alone(here)
    for name, batch_size in BATCHES.items():
        steps = []
        told = {"batch_size": batch_size, "here": here, "progress": steps.append}
        predictions = predict_all(made, data, **told)
        found |= {f"{name} logits": predictions.logits, f"{name} ids": predictions.ids}
        found |= {f"{name} groups": predictions.groups, f"{name} labels": predictions.labels}
        maps = maps_of_all(GradCAM(made, "0"), data, weights_sha256="abc", **told)
        found |= {f"{name} maps": maps.low(tuple(data.ids)).numpy(), f"{name} n": np.array(maps.manifest.n)}
        found |= {f"{name} classes": maps.classes[maps.rows(tuple(data.ids))]}
    found |= trained("plain", plain_net, data, here)
    found |= trained("norm", net_with_norm_and_dropout, data, here)
    found |= trained("recipe", plain_net, data, here, loss="balanced", augment="crop_flip")
    return found | spare(data, here) | diverged(data, here)


def first_process_alone(here):
    """What it says, how often each process was asked, and the errors that reach each of them."""
    asked = []

    def say():
        asked.append(here.rank)
        return f"from {here.rank}"

    found = {"first said": np.array(here.first_does(say)), "asked": np.array(len(asked))}
    for kind in (InputError, StorageError):
        try:
            here.first_does(partial(refuse, kind, here.rank))
        except MasktuneError as error:
            found[kind.__name__] = np.array(f"{type(error).__name__}: {error}")
    return found | {"each": np.array(here.each_does(lambda: here.rank)), "last": last_one_refuses(here)}


def last_one_refuses(here):
    """The error of one process reaches all of them."""
    try:
        here.each_does(lambda: refuse(StorageError, here.rank) if here.rank == here.world - 1 else None)
    except StorageError as error:
        return np.array(str(error))
    return np.array("nobody refused")


def refuse(kind, rank):
    raise kind(f"process {rank} will not")


class NetWithSpare(nn.Sequential):
    """A plain net with a parameter that its forward pass never touches."""

    def __init__(self):
        super().__init__(*plain_net())
        self.spare = nn.Parameter(torch.ones(3))


def spare(data, here):
    """A parameter that no process uses, after training with momentum and weight decay."""
    training = settings(weight_decay=0.5)
    state = state_of(training, NetWithSpare)
    list(train(state, data, training, Work(seed=0, here=here)))
    return {"spare": state.classifier.net.spare.detach().numpy()}


def trained(name, make, data, here, **changed):
    """Three epochs; the last batch of each holds 2 images, too few to be divided."""
    training = settings(**changed)
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
    # Processes that no longer agree wait for each other; let them end with a traceback instead.
    faulthandler.dump_traceback_later(200, exit=True)
    torch.set_num_threads(1)
    with processes("cpu") as here:
        np.savez(Path(sys.argv[1]) / f"rank-{here.rank}.npz", **compute(here))
    assert not torch.distributed.is_initialized()

"""The one training loop: an epoch is yielded, so the caller saves, shows or stops with ordinary Python."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from masktune.data.base import Dataset
from masktune.data.loading import drawn
from masktune.errors import InputError, TrainingDiverged
from masktune.seeds import generator, seed_of, seeded
from masktune.training.augment import augmented
from masktune.training.checkpoints import TrainState
from masktune.training.devices import ALONE, Processes
from masktune.training.execution import Execution
from masktune.training.losses import summed_loss
from masktune.training.objective import MeanLoss, Objective
from masktune.training.settings import Training
from masktune.types import Batch, Progress, Step, silent

Prepare = Callable[[Batch, int], Batch]
"""Changes a batch before it is augmented and trained on (hides); gets the epoch, counted from 0."""

BatchNorm = Literal["train", "frozen"]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of training: everything beside the state, the data and the settings."""

    seed: int
    """Of the order of the images, of augmentation and of dropout."""
    what: str = "training"
    """A name for this piece of work; part of the seeds of order and dropout, and shown with the progress."""
    prepare: Prepare | None = None
    """Changes each batch (masks)."""
    batch_norm: BatchNorm = "train"
    """`frozen` uses the running statistics and leaves them alone, as in evaluation."""
    here: Processes = ALONE
    """This process among those of the run."""
    progress: Progress = silent
    """Is called after each step."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an epoch did."""

    epoch: int
    """Epochs done."""
    loss: float
    """Mean loss of the epoch's images, each as it was when it was trained on."""
    learning_rate: float
    """Of this epoch."""
    seconds: float
    """Duration of this epoch."""
    images: int
    """Images trained on."""


def train(state: TrainState, data: Dataset, settings: Training, work: Work) -> Iterator[EpochReport]:
    """Train until `settings.epochs` are done, yielding after each epoch.

    An epoch depends on the state before it, the settings, and (seed, what, number of the epoch) only, so a
    run that goes on from a saved state gives the same bits as one that was never interrupted.

    Args:
        state: changed in place; when an epoch is yielded it is complete in it.
        data: training images.
        settings: how to train.
        work: the rest.

    Raises:
        InputError: no images, or labels that are no classes of the classifier.
        TrainingDiverged: the loss or a weight is no longer a finite number; whatever was saved before stays.
    """
    _check(data, len(state.classifier.classes))
    execution = Execution.choose(settings.precision, work.here.device)
    execution.lay_out(state.classifier)
    for epoch in range(state.epoch, settings.epochs):
        start = time.perf_counter()
        dropout = seed_of(work.seed, work.what, epoch, "dropout", work.here.rank)
        with seeded(dropout, work.here.device), training(state.classifier, work.batch_norm):
            loss, images = _epoch(state, data, settings, work, execution)
        state.epoch, seconds = epoch + 1, time.perf_counter() - start
        state.seconds += seconds
        state.samples += images * state.nets
        yield EpochReport(state.epoch, loss, settings.learning_rate_at(epoch), seconds, images)


def _epoch(
    state: TrainState, data: Dataset, settings: Training, work: Work, execution: Execution
) -> tuple[float, int]:
    """One pass over the images in their order; returns the mean loss, and how many they were."""
    objective = _objective(state, data, settings, work.here)
    order = objective.order(len(data), generator(work.seed, work.what, state.epoch, "order"))
    label = f"{work.what}, epoch {state.epoch + 1} of {settings.epochs}"
    total, done = 0.0, 0
    steps = list(_steps(order, settings.batch_size))
    shares = [work.here.deal(whole) for whole in steps]
    for whole, own, batch in zip(steps, shares, drawn(data, shares, work.here.device), strict=True):
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate_at(state.epoch + done / len(order))
        if len(batch):
            batch = _prepared(batch, state.epoch, settings, work)
        total += _step(state, batch, (own, whole), objective, work.here, execution)
        done += len(whole)
        if not math.isfinite(total):
            raise _diverged("the loss", label, state)
        work.progress(Step(label, done, len(order), f"loss {total / done:.4f}"))
    work.here.average_buffers(state.classifier)
    # The last step's loss was still good, what it made of the weights may not be.
    if not all(weight.isfinite().all() for weight in state.classifier.state_dict().values()):
        raise _diverged("a weight", label, state)
    return total / done, done


def _objective(state: TrainState, data: Dataset, settings: Training, here: Processes) -> Objective:
    """The method's, else the mean of the loss that the settings name."""
    if state.objective is not None:
        return state.objective.to(here.device)
    return MeanLoss(summed_loss(settings.loss, data.labels, len(state.classifier.classes), here.device))


def _prepared(batch: Batch, epoch: int, settings: Training, work: Work) -> Batch:
    """The batch as it is trained on: first hidden, then augmented, so that a mask moves with its image."""
    if work.prepare is not None:
        batch = work.prepare(batch, epoch)
    return augmented(batch, settings.augment, seed=work.seed, epoch=epoch)


def _step(
    state: TrainState,
    batch: Batch,
    positions: tuple[Int64[Tensor, " s"], Int64[Tensor, " b"]],
    objective: Objective,
    here: Processes,
    execution: Execution,
) -> float:
    """One step on this process's share of a batch; positions of the share and of the batch come with it.

    Returns the batch's loss times its number of images.
    """
    own, whole = positions
    state.optimizer.zero_grad(set_to_none=True)
    logits = torch.zeros((0, len(state.classifier.classes)), device=here.device)
    if len(batch):
        with execution.autocast(here.device):
            logits = state.classifier(batch.images)
    loss = objective(logits.float(), batch.labels, own, whole, here)
    if len(batch):
        loss.backward()
    here.add_gradients(state.classifier)
    state.optimizer.step()
    return here.total(loss) * len(whole)


def _check(data: Dataset, classes: int) -> None:
    if len(data) == 0:
        raise InputError("expected at least one training image, got none")
    low, high = data.labels.min(), data.labels.max()
    if low < 0 or high >= classes:
        raise InputError(
            f"expected labels from 0 to {classes - 1}, as the classifier has {classes} classes, "
            f"got {low} to {high}"
        )


def _diverged(what: str, label: str, state: TrainState) -> TrainingDiverged:
    rate = state.optimizer.param_groups[0]["lr"]
    kept = f"; the state after epoch {state.epoch} is good" if state.epoch else ""
    return TrainingDiverged(
        f"{what} is no longer a finite number ({label}, learning rate {rate:g}); "
        f"try a smaller learning rate{kept}"
    )


def _steps(order: Int64[Tensor, " n"], batch_size: int) -> Iterator[Int64[Tensor, " b"]]:
    """Cut an order into batches; a single left-over image joins the batch before it.

    Batch norm has no variance over one image (torch raises), and dropping it would leave a sample unseen.
    """
    ends = list(range(batch_size, len(order), batch_size))
    if batch_size > 1 and ends and len(order) - ends[-1] == 1:
        ends.pop()
    for start, end in zip([0, *ends], [*ends, len(order)], strict=True):
        yield order[start:end]


@contextmanager
def training(net: nn.Module, batch_norm: BatchNorm) -> Iterator[None]:
    """Put every module in train mode (frozen batch norm in eval mode), then give each its own mode back."""
    before = [(module, module.training) for module in net.modules()]
    try:
        for module, _ in before:
            frozen = batch_norm == "frozen" and isinstance(module, nn.modules.batchnorm._BatchNorm)
            module.training = not frozen
        yield
    finally:
        for module, was_training in before:
            module.training = was_training

"""Training that is saved after each epoch and goes on from there."""

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from masktune.data.base import Dataset
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.training.settings import Training

logger = logging.getLogger("masktune")


def samples_sha256(data: Dataset) -> str:
    """Hash of which samples a data set has, and of their labels; reads no image."""
    names = "\x1f".join(data.ids.tolist()).encode()
    return hashlib.sha256(names + b"\x1f" + np.ascontiguousarray(data.labels).tobytes()).hexdigest()


def train_to_end(
    state: TrainState,
    data: Dataset,
    settings: Training,
    work: Work,
    *,
    path: Path | None = None,
    score: Callable[[Classifier], float] | None = None,
    method: object = "",
) -> None:
    """Train until all epochs are done, saving the state to `path` after each; go on from it where it exists.

    Args:
        state: changed in place; at the end it holds the last weights and the best checkpoint.
        data: training images.
        settings: how to train.
        work: seed, preparation of batches, progress.
        path: where the state is kept; None keeps it in memory only.
        score: of the classifier after an epoch; the highest becomes `state.best`. None keeps no best.
        method: the settings behind `work.prepare`; a state at `path` that others led to is refused.

    Raises:
        TrainingDiverged: the loss is no longer finite; the state of the last good epoch stays at `path`.
        DataDamaged: the file at `path` is no training state.
        RunFolderError: the state at `path` is that of another training: other settings or start weights.
        StorageError: the state cannot be written.
    """
    made_by = {
        "work": work.what,
        "seed": str(work.seed),
        "batch norm": work.batch_norm,
        "training": str(settings),
        "sha256 of the training samples": samples_sha256(data),
        "method": str(method),
        "sha256 of the start weights": weights_sha256(state.classifier),
    }
    if path is not None and path.exists():
        state.restore(path, made_by)
        logger.info("%s goes on after epoch %d from %s", work.what, state.epoch, path)
    for report in train(state, data, settings, work):
        logger.info(
            "%s: epoch %d of %d, loss %.4f, %.0f images/s",
            *(work.what, report.epoch, settings.epochs, report.loss, report.images / report.seconds),
        )
        if score is not None:
            start = time.perf_counter()
            state.keep_if_better(score(state.classifier))
            state.seconds += time.perf_counter() - start
        if path is not None:
            if work.here.first:
                state.save(path, made_by)
            work.here.wait()

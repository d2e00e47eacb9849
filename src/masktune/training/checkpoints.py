"""The state of a training run: what must be kept so that it goes on, bit for bit, after a kill."""

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from masktune.errors import DataDamaged, RunFolderError
from masktune.files import complete_file, storage_errors
from masktune.models.classifier import Classifier
from masktune.models.weights import Weights, load_weights, weights_of
from masktune.training.objective import Objective


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights after an epoch, with the optimiser that led there."""

    epoch: int
    """Epochs done."""
    weights: Weights
    """Of the whole classifier."""
    optimizer: dict[str, Any]
    """The optimiser's `state_dict`: momentum buffers and learning rate."""
    score: float | None = None
    """By the selection rule; None when nothing was selected on."""


@dataclass(slots=True)
class TrainState:
    """A classifier in training, its optimiser, and the best checkpoint so far."""

    classifier: Classifier
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0
    samples: int = 0
    """Images trained on so far, once for each net that they went through."""
    nets: int = 1
    """Nets that are trained at once, of which `classifier` consists."""
    best: Checkpoint | None = None
    objective: Objective | None = None
    """What is made small, where that is not the mean of the loss that the settings name."""

    def checkpoint(self, score: float | None = None) -> Checkpoint:
        """A copy of where the run stands."""
        optimizer = torch.utils._pytree.tree_map(_copy, self.optimizer.state_dict())
        return Checkpoint(self.epoch, weights_of(self.classifier), optimizer, score)

    def keep_if_better(self, score: float) -> None:
        """Make the present weights the best checkpoint if their score is higher; the earlier wins a tie."""
        if self.best is None or self.best.score is None or score > self.best.score:
            self.best = self.checkpoint(score)

    def save(self, path: Path, made_by: Mapping[str, str]) -> None:
        """Write everything needed to go on; complete or not at all.

        `made_by` says in words what the training was, so that another one does not go on from it.
        """
        content = {
            "made_by": dict(made_by),
            "last": _to_dict(self.checkpoint()),
            "best": _to_dict(self.best),
            "seconds": self.seconds,
            "samples": self.samples,
        }
        if self.objective is not None:
            content["objective"] = self.objective.state_dict()
        packed = io.BytesIO()
        torch.save(content, packed)
        with complete_file(path) as part:
            part.write_bytes(packed.getbuffer())  # Torch's own writer hides that a disk is full.

    def restore(self, path: Path, made_by: Mapping[str, str]) -> None:
        """Go on from a saved state.

        Raises:
            DataDamaged: the file is no such state; delete it to start anew.
            RunFolderError: it was made by another training.
        """
        try:
            with storage_errors(path, "read"):
                content = torch.load(path, map_location="cpu", weights_only=True)
            last, best = Checkpoint(**content["last"]), content["best"]
            came_from = dict(content["made_by"])
            seconds, samples = content["seconds"], content["samples"]
        except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError, EOFError) as error:
            raise DataDamaged(f"{path} is no training state; delete it to train anew") from error
        if came_from != made_by:
            other = [
                f"{name} was {came_from.get(name)}, is {value}"
                for name, value in made_by.items()
                if value != came_from.get(name)
            ]
            raise RunFolderError(
                f"{path} was made by another training: {'; '.join(other)}; "
                f"choose another folder, or delete that file"
            )
        self.start_from(last)
        if self.objective is not None:
            self.objective.load_state_dict(content["objective"])
        self.epoch, self.seconds, self.samples = last.epoch, seconds, samples
        self.best = None if best is None else Checkpoint(**best)

    def start_from(self, checkpoint: Checkpoint, *, optimizer: bool = True) -> None:
        """Take over a checkpoint's weights and, if asked, its optimiser's state; the epoch stays."""
        load_weights(self.classifier, checkpoint.weights)
        if optimizer:
            # load_state_dict keeps references to what it is given, and a step would then write into it.
            self.optimizer.load_state_dict(torch.utils._pytree.tree_map(_copy, checkpoint.optimizer))


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _to_dict(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    return {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}

"""JTT: what a first, short training gets wrong comes many times in a second one."""

import logging
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from masktune.errors import InputError, MasktuneWarning
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.groups import check_selection
from masktune.methods.kept import found_once
from masktune.methods.ranges import Among, Range
from masktune.methods.trained import trained_by
from masktune.models.weights import weights_sha256
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work
from masktune.training.losses import SummedLoss, summed_loss
from masktune.training.objective import MeanLoss
from masktune.training.resume import train_to_end
from masktune.training.together import predict_all
from masktune.types import Selection, Supervision

logger = logging.getLogger("masktune")


@final
@dataclass(frozen=True, slots=True)
class JTT:
    """Just train twice (Liu et al., ICML 2021); both trainings start from the same weights.

    Two departures: the images that are got wrong are found by one pass in evaluation mode over the weights
    after the last first epoch (the official code gathers them in training mode while the weights move), and
    both trainings have the task's settings, whose loss may be balanced or smoothed.
    """

    name: ClassVar[str] = "jtt"
    ranges: ClassVar[Mapping[str, Range]] = {
        "up_weight": Among((4, 5, 6, 20, 50, 100)),  # Theirs, and what others tried.
        "first_epochs": Among((1, 2, 3)),
    }

    first_epochs: int | None = None
    """Epochs of the first training; None is a fifth of the task's, at least 1 (the paper's 60 of 300 on
    Waterbirds, and the most that it tries on CelebA, 10 of 50)."""
    up_weight: int = 50
    """Copies of each wrong image that are appended to the training images, so that it comes up_weight + 1
    times in an epoch, as in the official code; in the paper's formula it would come lambda times (50: its
    lambda for CelebA, and the middle one of those it tries; 100 for Waterbirds)."""
    selection: Selection = "worst_group"
    """The rule that chooses the epoch of the second training (theirs: the worst group)."""

    def __post_init__(self) -> None:
        if self.up_weight < 1 or (self.first_epochs is not None and self.first_epochs < 1):
            raise InputError(
                "expected an up_weight and first_epochs of 1 or more, "
                f"got {self.up_weight} and {self.first_epochs}"
            )

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train, find what is got wrong, train again from the start.

        A `MasktuneWarning` says when the wrong images are of one class only, or are whole classes.

        Raises:
            InputError: the first training gets no image wrong, or the rule needs group labels that validation
                does not have.
            RunFolderError: the wrong images in the folder were found by other weights.
        """
        task = task.supervised_by(self.supervision)
        check_selection(self.selection, task.validation, self.name)
        epochs = self.first_epochs or max(1, task.training.epochs // 5)
        first = _first_training(task, epochs)
        path, found_by = task.file(self.name, "errors.json"), weights_sha256(first.classifier)
        found = found_once(path, found_by, task.here, lambda: self._found(first, task))
        wrong = np.flatnonzero(np.isin(task.train.ids, found["ids"]))
        if task.here.first and (doubt := self._doubt(task.train.labels[wrong], epochs, task)):
            warnings.warn(doubt, MasktuneWarning, stacklevel=2)
        summed = summed_loss(task.training.loss, task.train.labels, len(task.train.classes), task.here.device)
        fitted = trained_by(
            WrongAgain(wrong, self.up_weight, summed),
            self.name,
            task,
            self,
            selection=self.selection,
            spent=first.samples,
        )
        return replace(
            fitted,
            epochs=epochs + fitted.epochs,
            seconds=first.seconds + found["seconds"] + fitted.seconds,
            samples=first.samples + (fitted.samples or 0),
        )

    def _found(self, first: TrainState, task: Task) -> dict[str, Any]:
        """What the classifier gets wrong: one pass in evaluation mode over images as they are."""
        start = time.perf_counter()
        what = "jtt, looking for wrong images"
        said = predict_all(first.classifier, task.train, here=task.here, what=what, progress=task.progress)
        if said.correct.all():
            raise InputError(
                f"expected that jtt's first training gets some training images wrong, got all {len(said)} "
                f"right after {_epochs(first.epoch)}; {self._shorter(first.epoch)}"
            )
        wrong = said.select(~said.correct)
        counts = Counter(task.train.classes[label] for label in wrong.labels)
        logger.info("jtt: wrong after the first training, by class: %s", dict(counts))
        return {"seconds": time.perf_counter() - start, "by_class": counts, "ids": wrong.ids.tolist()}

    def _doubt(self, wrong: Int64[np.ndarray, " e"], epochs: int, task: Task) -> str | None:
        """Why copies of images with these labels may say nothing of a shortcut; None where they may well."""
        data = task.train
        count, of = (np.bincount(labels, minlength=len(data.classes)) for labels in (wrong, data.labels))
        hit = np.flatnonzero(count)
        named = [f"{count[label]} of {of[label]} images of {data.classes[label]!r}" for label in hit[:3]]
        said = ", ".join(named) + (f", all of {len(hit) - 3} more" if len(hit) > 3 else "")
        came = f"jtt's first training got wrong {said}, and no others, after {_epochs(epochs)}"
        if (count == of)[hit].all():
            return f"{came}; copies of whole classes only re-weight classes: {self._longer(epochs)}"
        if len(hit) > 1:
            return None
        return (
            f"{came}; if images of other classes go against the shortcut too, {self._shorter(epochs)}; if it "
            f"has not learnt that class yet, {self._longer(epochs)}"
        )

    def _longer(self, epochs: int) -> str:
        """How to give the first training more epochs; on the command line they follow those of ERM."""
        typed = "" if self.first_epochs else f", or --epochs {5 * epochs + 5} on the command line"
        return f"train longer at first (JTT(first_epochs={epochs + 1}) in Python{typed})"

    def _shorter(self, epochs: int) -> str:
        """How to have the first training get more images wrong."""
        slower = "with a stronger weight_decay or a smaller learning_rate of Training"
        if epochs == 1:  # The least that there is.
            return f"train weaker at first ({slower}, or a larger --batch-size on the command line)"
        typed = "" if self.first_epochs else f", or --epochs {5 * epochs - 1} on the command line"
        return f"train shorter at first (JTT(first_epochs={epochs - 1}) in Python{typed}), or {slower}"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


class WrongAgain(MeanLoss):
    """The mean loss of all training images and of copies of some."""

    def __init__(self, wrong: Int64[np.ndarray, " e"], copies: int, summed: SummedLoss) -> None:
        super().__init__(summed)
        self.copies: Int64[Tensor, " c"] = torch.from_numpy(wrong).repeat(copies)

    def length(self, n: int) -> int:
        """The images and the copies."""
        return n + len(self.copies)

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " m"]:
        """Each image once, and the copies, shuffled together."""
        positions = torch.cat([torch.arange(n), self.copies])
        return positions[torch.randperm(len(positions), generator=random)]


def _first_training(task: Task, epochs: int) -> TrainState:
    """ERM by the task's settings, their schedule over so many epochs."""
    state = task.fresh_state()
    work = Work(task.seed, "jtt, first training", here=task.here, progress=task.progress)
    settings = replace(task.training, epochs=epochs)
    train_to_end(state, task.train, settings, work, path=task.file("jtt", "first.pt"))
    return state

"""ERM: ordinary training, the first stage of every other method."""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from masktune.methods.base import Fitted, Task
from masktune.models.classifier import Classifier
from masktune.models.weights import load_weights
from masktune.training.checkpoints import Checkpoint
from masktune.training.loop import Work
from masktune.training.resume import train_to_end
from masktune.training.selection import score_by
from masktune.training.together import predict_all
from masktune.types import Supervision

Which = Literal["last", "best"]


@dataclass(frozen=True, slots=True)
class Stage1:
    """What ordinary training left behind, to tune from."""

    last: Checkpoint
    """After the last epoch."""
    best: Checkpoint
    """The one that the selection rule chose."""
    seconds: float
    """Duration of the training."""
    samples: int
    """Images trained on."""

    def pick(self, which: Which) -> Checkpoint:
        """The last or the best checkpoint."""
        return self.last if which == "last" else self.best


@final
@dataclass(frozen=True, slots=True)
class ERM:
    """Empirical risk minimisation: the loss of the training images, none of them hidden."""

    name: ClassVar[str] = "erm"
    supervision: ClassVar[Supervision] = "none"

    def fit(self, task: Task) -> Fitted:
        """Train; the checkpoint is the one that `task.training.selection` chooses."""
        task = task.supervised_by(self.supervision)
        stage = stage1(task)
        classifier = task.build().to(task.here.device)
        load_weights(classifier, stage.best.weights)
        return Fitted(classifier, task.training.selection, task.training.epochs, stage.seconds, stage.samples)


def stage1(task: Task) -> Stage1:
    """Train by ERM, or go on from what an earlier run of the same task left in its folder."""
    rule = task.training.selection
    state = task.fresh_state()

    def score(classifier: Classifier) -> float:
        predictions = predict_all(
            classifier, task.validation, here=task.here, what="validating", progress=task.progress
        )
        return score_by(rule, predictions)

    train_to_end(
        state,
        task.train,
        task.training,
        Work(task.seed, "erm", here=task.here, progress=task.progress),
        path=task.shared_file("erm", "state.pt"),
        score=None if rule == "last" else score,
    )
    last = state.checkpoint()
    return Stage1(last=last, best=state.best or last, seconds=state.seconds, samples=state.samples)

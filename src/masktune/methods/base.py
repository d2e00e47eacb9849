"""What a method is: it turns training images into a classifier, and says which labels it read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from masktune.data.base import Dataset, WithoutGroups
from masktune.methods.masks import Masks
from masktune.models.classifier import Classifier
from masktune.training.checkpoints import TrainState
from masktune.training.devices import ALONE, Processes
from masktune.training.settings import Training
from masktune.types import ChosenBy, Progress, Selection, Supervision, silent


@dataclass(frozen=True, slots=True)
class Task:
    """What a method works on. Test sets are not in it: no method can read them."""

    train: Dataset
    """Images that weights are fitted to."""
    validation: Dataset
    """Images that a checkpoint is chosen on."""
    build: Callable[[], Classifier]
    """Makes the classifier to start from, the same each time it is called."""
    training: Training
    """How the first stage (ERM) trains; its loss and augmentation are the tuning epoch's too."""
    seed: int = 0
    """Of the order of the images, of augmentation, of dropout and of random masks."""
    folder: Path | None = None
    """Where checkpoints and maps are kept and found again; None keeps all in memory."""
    here: Processes = ALONE
    """This process among those of the run."""
    progress: Progress = silent
    """Is called with each step."""
    budget: int | None = None
    """Images that a training from the start weights may read, counted as in `Fitted.samples`; it then has as
    many epochs as fit in, at least one. None: as many epochs as `training` says."""
    shared: Path | None = None
    """Where what several methods go on from (stage 1, its maps) is kept; `folder` if not given."""

    def training_within(self, an_epoch: int, *, spent: int = 0, share: float = 1.0) -> Training:
        """The training settings with as many epochs as the budget leaves.

        Args:
            an_epoch: images that an epoch reads.
            spent: what a training before has read.
            share: of the budget that this training may use.
        """
        if self.budget is None:
            return self.training
        left = int(self.budget * share) - spent
        return self.training.with_epochs(max(1, left // max(1, an_epoch)))

    def file(self, *parts: str) -> Path | None:
        """A path in the folder, or None without one."""
        return None if self.folder is None else self.folder.joinpath(*parts)

    def shared_file(self, *parts: str) -> Path | None:
        """A path among what several methods go on from, or None without a folder."""
        return self.file(*parts) if self.shared is None else self.shared.joinpath(*parts)

    def fresh_state(self) -> TrainState:
        """The classifier to start from, with an optimiser that has seen nothing."""
        classifier = self.build().to(self.here.device)
        return TrainState(classifier, self.training.make_optimizer(classifier.parameters()))

    def supervised_by(self, supervision: Supervision) -> "Task":
        """The same task with the group labels removed that a method does not declare (design §3.7)."""
        train = self.train if supervision == "train_groups" else WithoutGroups(self.train)
        validation = WithoutGroups(self.validation) if supervision == "none" else self.validation
        return replace(self, train=train, validation=validation)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a method gives."""

    classifier: Classifier
    """With its final weights."""
    selection: ChosenBy
    """The rule by which its checkpoint was chosen."""
    epochs: int
    """Passes over the training images from the start weights on, a shared first stage included."""
    seconds: float
    """Duration of the same."""
    samples: int | None = None
    """Images read on the same way to fit weights to, once for each net that they went through and each time
    they came; None where the method does not count them."""
    masks: Masks | None = None
    """What it hid in the training images in its last round; None when it hid nothing."""


def read_by(selection: Selection) -> Supervision:
    """Which group labels the rule reads that chooses the epoch, where training reads none."""
    return "validation_groups" if selection == "worst_group" else "none"


@runtime_checkable
class Method(Protocol):
    """One row of a table. Any object with these members will do; nothing needs to be inherited."""

    @property
    def name(self) -> str:
        """As it stands in results: "masktune"."""

    @property
    def supervision(self) -> Supervision:
        """Which group labels it reads; all others are removed from its task."""

    def fit(self, task: Task) -> Fitted:
        """Fit a classifier to the task; deterministic in the task's seed."""

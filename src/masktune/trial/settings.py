"""What a trial is made of: arms, how they are tuned, which images are held back."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from masktune.errors import InputError
from masktune.evaluation.operating_point import operating_point
from masktune.methods import ContinueERM, LeastSalientMask, MaskTune, Method, RandomMask
from masktune.runs.fields import plain_fields
from masktune.training.augment import Augment
from masktune.training.losses import Loss
from masktune.training.settings import Training
from masktune.types import check_choice

ArmName = Literal["untouched", "continue_erm", "random_mask", "least_salient_mask", "masktune"]

ARMS: tuple[ArmName, ...] = get_args(ArmName)
"""In the order in which they are shown; all but the first are tuned, the last is judged."""

CONTROLS: tuple[ArmName, ...] = ("continue_erm", "random_mask", "least_salient_mask")
"""Those that MaskTune is held against, beside the untouched classifier."""

RATES = (3e-3, 1e-3, 3e-4, 1e-4)
"""Learning rates that are tried, for Adam, whose steps are of one size for any net."""


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """Settings of a trial; the same for all arms."""

    arms: tuple[ArmName, ...] = ARMS
    """Which of them are run; `untouched` needs no tuning and is always there."""
    epochs: int = 0
    """Of ordinary training (ERM) before the trial, for weights that do not know these classes yet."""
    first_learning_rate: float = 1e-3
    """Of that training, falling to zero."""
    learning_rate: float | None = None
    """Of the tuning epoch, falling to zero; None chooses among `rates` by the rule in `rates.py`."""
    rates: tuple[float, ...] = RATES
    """What is tried, the largest first."""
    optimizer: Literal["sgd", "adam"] = "adam"
    """A stranger's checkpoint comes without its optimiser, and Adam needs no rate of its own for each net."""
    weight_decay: float = 1e-4
    """L2 penalty, on all parameters; as in `Training`."""
    batch_size: int = 32
    """Images a step."""
    loss: Loss = "cross_entropy"
    """`balanced` weighs all classes alike, `smoothed` is label smoothing of 0.1."""
    augment: Augment = "none"
    """Mirrors images by chance, crops them a little, or both; a mask moves with its image."""
    freeze_bn: bool = False
    """Batch norm keeps the statistics of the given weights instead of taking on those of masked images."""
    hold_out: float = 0.1
    """Share of the training images that is not tuned on: rates are chosen and the guard looks there."""
    masktune: MaskTune = MaskTune(optimizer_state="fresh")  # noqa: RUF009 - it is frozen.
    """How maps are made, and what is hidden."""
    trained_on: str | None = None
    """What the given weights have seen: a file that names images, or all, none, unknown (`seen.py`)."""
    calibration_share: float = 0.0
    """Of the images that nobody trained on, reserved for `select`; nothing here reads them."""
    validation_share: float | None = None
    """Of the unseen images that are judged on or tuned on, those that are judged on; 1 is all of them. None
    takes all where they are at most half of the images, else so many as are 15 % of all."""
    operating_point: str | None = None
    """threshold=.12 or specificity=.95: where the second of two classes is given, fixed for each arm."""
    seed: int = 0
    """Of what is held back and, as the task's seed, of the order of images and the controls' places."""

    def __post_init__(self) -> None:
        for arm in self.arms:
            check_choice("arm", arm, ARMS)
        if len(set(self.arms)) < len(self.arms) or not self.tuned:
            raise InputError(
                f"expected arms, each once and one that is tuned, got {', '.join(self.arms) or 'none'}"
            )
        if not self.rates or any(not 0 < rate < math.inf for rate in self.rates):
            raise InputError(f"expected positive learning rates to choose from, got {self.rates}")
        if not 0 < self.hold_out < 0.5:
            raise InputError(f"expected a share above 0 and below 0.5 to hold out, got {self.hold_out}")
        if self.validation_share is not None and not 0 < self.validation_share <= 1:
            raise InputError(
                f"expected a --validation-share above 0 and up to 1, got {self.validation_share}; 1 judges "
                "on all unseen images"
            )
        if self.epochs < 0 or not 0 < self.first_learning_rate < math.inf:
            raise InputError(
                f"expected 0 or more epochs of ERM and a positive rate, got {self.epochs} and "
                f"{self.first_learning_rate}"
            )
        if self.operating_point is not None:
            operating_point(self.operating_point)  # Says now what cannot be.
        self.tuning()  # Checks the rate, the optimiser and the batches.

    @property
    def tuned(self) -> tuple[ArmName, ...]:
        """The arms that are tuned, in the order in which they were asked for."""
        return tuple(arm for arm in self.arms if arm != "untouched")

    def tuned_at(self, rate: float) -> MaskTune:
        """How MaskTune tunes at a rate; its controls take over all of it."""
        return replace(
            self.masktune,
            learning_rate=rate,
            tune_checkpoint="last",
            mask_checkpoint="last",
            batch_norm="frozen" if self.freeze_bn else self.masktune.batch_norm,
        )

    def method(self, arm: ArmName, rate: float) -> Method:
        """The method of an arm that is tuned."""
        tuned = self.tuned_at(rate)
        methods: dict[str, Method] = {
            "continue_erm": ContinueERM(of=tuned),
            "random_mask": RandomMask(of=tuned),
            "least_salient_mask": LeastSalientMask(of=tuned),
            "masktune": tuned,
        }
        return methods[arm]

    def first_training(self) -> Training:
        """Of the weights that the trial starts from, where they do not know these classes yet."""
        return replace(
            self.tuning(),
            epochs=self.epochs,
            learning_rate=self.first_learning_rate,
            annealing="linear",
            selection="validation_accuracy",
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values by name, for `run.json`."""
        return plain_fields(self)

    def tuning(self) -> Training:
        """Optimiser and batches of the tuning epoch; there is no first stage left to train."""
        return Training(
            epochs=0,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            learning_rate=self.rates[0] if self.learning_rate is None else self.learning_rate,
            milestones=(),
            selection="last",
            loss=self.loss,
            augment=self.augment,
        )

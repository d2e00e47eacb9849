"""MaskTune: hide where the trained classifier looks, then tune it for one epoch on what is left."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final, get_args

from masktune.errors import DataNotFound, InputError
from masktune.masking import Fill, MeanPlusStd, SavedMaps, Threshold, fill_named, warn_if_many_empty
from masktune.methods.base import Fitted, Task
from masktune.methods.erm import Which, stage1
from masktune.methods.masks import Masks, Place, measure_hidden, own_place
from masktune.methods.ranges import Among, Range
from masktune.models.classifier import Classifier
from masktune.models.weights import load_weights, weights_sha256
from masktune.saliency import Explainer
from masktune.saliency.named import EXPLAINERS, SaliencyName
from masktune.training.checkpoints import Checkpoint, TrainState
from masktune.training.loop import BatchNorm, Work
from masktune.training.resume import train_to_end
from masktune.training.settings import Annealing, Training
from masktune.training.together import at_once, maps_of_all
from masktune.types import Batch, Selection, Supervision, check_choice


@final
@dataclass(frozen=True, slots=True)
class MaskTune:
    """The method of Asgari Taghanaki et al. (NeurIPS 2022); each choice that they leave open is a field.

    `MaskTune()` is ours, settled by measurement (`docs/results/biased-mnist.md`); `MaskTune.paper()` is the
    paper's text as far as it is known, `MaskTune.official_code()` what the authors' scripts really do.
    """

    name: ClassVar[str] = "masktune"
    supervision: ClassVar[Supervision] = "none"
    ranges: ClassVar[Mapping[str, Range]] = {
        "threshold": Among(tuple(MeanPlusStd(sigmas) for sigmas in (1.0, 1.5, 2.0, 2.5, 3.0))),
        "epochs": Among((1, 2)),
        "rounds": Among((1, 2)),
    }

    saliency: SaliencyName = "auto"
    """How maps are made (the paper's: xGradCAM); `auto` is that where it is safe, else LayerCAM."""
    layer: str | None = None
    """The layer that maps are made at; None finds it."""
    classes: Literal["predicted", "label"] = "predicted"
    """Whose evidence is hidden: the predicted class (code, paper's text) or the label (its formula)."""
    threshold: Threshold = MeanPlusStd()  # noqa: RUF009 - it is frozen.
    """From a map to what is hidden."""
    fill: Fill | str = "black"
    """What hidden pixels become: a fill, or the name of one."""
    masks: Literal["saved", "online"] = "saved"
    """`saved`: maps of all images first. `online`: of each batch as it is tuned on, by the same net.
    Both are of the images before `Training.augment`, which moves an image with its mask."""
    mask_checkpoint: Which = "best"
    """Whose maps: the last checkpoint of ERM, or the best by its selection rule (the one ERM reports)."""
    tune_checkpoint: Which = "best"
    """Which checkpoint is tuned."""
    rounds: int = 1
    """How often: masks, then tuning. From the second round on the tuned net makes the masks."""
    accumulate: bool = False
    """Keep the masks of earlier rounds: maps are made of masked images, and old masks stay."""
    epochs: int = 1
    """Epochs of tuning a round (the paper's: one)."""
    learning_rate: Literal["initial", "last"] | float = "initial"
    """Of tuning: ERM's first rate, its last (decayed) one, or a number."""
    learning_rate_factor: float = 5.0
    """Multiplies `initial` or `last`; a number is taken as it is. One epoch has to move a net that has
    settled, so it takes a larger rate than ERM's (`docs/results/biased-mnist.md`, what was tried)."""
    annealing: Annealing = "linear"
    """`linear` lets that rate fall to zero over a round of tuning; less depends on the last few batches."""
    optimizer_state: Literal["carried", "fresh"] = "carried"
    """Keep ERM's momentum, or start without."""
    batch_norm: BatchNorm = "train"
    """In tuning: statistics of the masked images, or ERM's, frozen."""

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.epochs < 1:
            raise InputError(f"expected at least 1 round and 1 epoch, got {self.rounds} and {self.epochs}")
        if isinstance(self.fill, str):
            fill_named(self.fill)  # A name that does not exist is said now.
        if not callable(self.threshold):
            raise InputError(f"expected a threshold such as MeanPlusStd(2.0), got {self.threshold!r}")
        check_choice("saliency", self.saliency, EXPLAINERS)
        check_choice("annealing", self.annealing, get_args(Annealing))
        check_choice("classes", self.classes, ("predicted", "label"))
        check_choice("masks", self.masks, ("saved", "online"))
        check_choice("mask_checkpoint", self.mask_checkpoint, get_args(Which))
        check_choice("tune_checkpoint", self.tune_checkpoint, get_args(Which))
        check_choice("optimizer_state", self.optimizer_state, ("carried", "fresh"))
        check_choice("batch_norm", self.batch_norm, get_args(BatchNorm))
        if isinstance(self.learning_rate, str):
            check_choice("learning_rate", self.learning_rate, ("initial", "last"))
        elif not 0 < self.learning_rate < math.inf:
            raise InputError(f"expected a positive learning rate, got {self.learning_rate}")
        if not 0 < self.learning_rate_factor < math.inf:
            raise InputError(f"expected a positive learning rate factor, got {self.learning_rate_factor}")

    @classmethod
    def paper(cls) -> "MaskTune":
        """As the paper describes it, so far as known: threshold over all of the coarse map, last rate."""
        literal = MeanPlusStd(2.0, over="all", at="map")
        return cls(
            saliency="xgradcam",
            threshold=literal,
            mask_checkpoint="last",
            tune_checkpoint="last",
            learning_rate="last",
            learning_rate_factor=1.0,
            annealing="none",
        )

    @classmethod
    def official_code(cls) -> "MaskTune":
        """As the authors' code does it: the best checkpoint masks, the last is tuned, at the first rate."""
        return cls(
            saliency="xgradcam",
            mask_checkpoint="best",
            tune_checkpoint="last",
            learning_rate_factor=1.0,
            annealing="none",
        )

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), mask, tune."""
        return tune_in_rounds(self.name, self, task.supervised_by(self.supervision), own_place)


def tune_in_rounds(name: str, settings: MaskTune, task: Task, place: Place | None) -> Fitted:
    """MaskTune and its controls, which differ in `place` alone: where masks are laid, or None for no masks.

    Start, order of the images, learning rate and number of steps are the same for all of them.
    """
    explainer_for(
        settings, task.build(), task.seed
    )  # A layer that does not exist is said before hours of training.
    stage = stage1(task)
    start, masking = stage.pick(settings.tune_checkpoint), stage.pick(settings.mask_checkpoint)
    masks, seconds, samples = None, stage.seconds, stage.samples
    for number in range(1, settings.rounds + 1):
        if place is not None:
            masks = _masks(settings, task, place, masking, masks)
            warn_if_many_empty(measure_hidden(task.train, masks, here=task.here).statistics)
            seconds += 0.0 if masks.saved is None else masks.saved.manifest.seconds or 0.0
        state = _tuned(name, settings, task, start, masks, number)
        start = masking = state.checkpoint()
        seconds += state.seconds
        samples += state.samples
    selection: Selection = "last" if settings.tune_checkpoint == "last" else task.training.selection
    epochs = task.training.epochs + settings.rounds * settings.epochs
    return Fitted(state.classifier, selection, epochs, seconds, samples, masks)


def _tuned(
    name: str, settings: MaskTune, task: Task, start: Checkpoint, masks: Masks | None, number: int
) -> TrainState:
    """One round of tuning from a checkpoint, with or without masks."""
    state = task.fresh_state()
    state.start_from(start, optimizer=settings.optimizer_state == "carried")

    def hide(batch: Batch, epoch: int) -> Batch:
        return batch if masks is None else masks.hide(batch)

    # The order of the images is the same for MaskTune and its controls, so `what` does not name the method.
    work = Work(task.seed, f"tuning, round {number}", hide, settings.batch_norm, task.here, task.progress)
    schedule = _schedule(settings, task.training)
    path = task.file(name, f"round-{number}.pt")
    train_to_end(state, task.train, schedule, work, path=path, method=settings)
    return state


def _schedule(settings: MaskTune, training: Training) -> Training:
    """The training settings of a round of tuning."""
    rate = settings.learning_rate
    if rate == "initial":
        rate = training.learning_rate * settings.learning_rate_factor
    elif rate == "last":
        rate = training.learning_rate_at(max(training.epochs - 1, 0)) * settings.learning_rate_factor
    return replace(
        training, epochs=settings.epochs, learning_rate=rate, milestones=(), annealing=settings.annealing
    )


def _masks(settings: MaskTune, task: Task, place: Place, masking: Checkpoint, before: Masks | None) -> Masks:
    """The masks of a round, by the maps of one checkpoint."""
    net = task.build().to(task.here.device)
    load_weights(net, masking.weights)
    masks = Masks(
        classifier=net,
        explainer=explainer_for(settings, net, task.seed),
        threshold=settings.threshold,
        fill=fill_named(settings.fill) if isinstance(settings.fill, str) else settings.fill,
        place=place,
        seed=task.seed,
        labelled=settings.classes == "label",
        before=before if settings.accumulate else None,
    )
    if settings.masks == "online":
        return masks
    # Named by what the maps depend on: those of the first round are made once for MaskTune and its controls.
    sha256 = weights_sha256(net)
    random = [str(task.seed)] if settings.saliency == "random" else []
    parts = [settings.saliency, *random, settings.classes, settings.layer or "found", sha256[:12]]
    kept_at = "-".join(parts if masks.before is None else [*parts, "accumulated"])
    return replace(masks, saved=_saved_maps(masks, task, kept_at, sha256))


def explainer_for(settings: MaskTune, net: Classifier, seed: int) -> Explainer:
    """What makes the maps of a net under these settings."""
    return EXPLAINERS[settings.saliency](net, settings.layer, seed)


def _saved_maps(masks: Masks, task: Task, kept_at: str, sha256: str) -> SavedMaps:
    """Maps of all training images: from the task's folder if complete there, else made and kept there."""
    folder = task.shared_file("maps", kept_at)
    if folder is not None:
        try:
            return SavedMaps.open(folder, sha256)
        except DataNotFound:
            pass  # Not made yet, or cut off while being written.
    maps = maps_of_all(
        masks.explainer,
        task.train,
        weights_sha256=sha256,
        classes="label" if masks.labelled else "predicted",
        batch_size=at_once(masks.classifier.spec),
        change=None if masks.before is None else masks.before.hide,
        here=task.here,
        progress=task.progress,
    )
    if folder is not None:
        if task.here.first:
            maps.save(folder)
        task.here.wait()
    return maps

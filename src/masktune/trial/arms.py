"""Run the arms of a trial: same start, same images in the same order, same steps; what is hidden differs.

The controls are needed: on textured made images black patches in all tuning images wreck small nets, which
see none in the test. Whether that is due to where a patch lies, only arms with patches elsewhere can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32

from masktune.data.base import Dataset, batches
from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import Predictions, concatenate
from masktune.methods import Fitted, MaskTune, Method, Task
from masktune.methods.masks import own_place
from masktune.methods.masktune import explainer_for, tune_in_rounds
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.models.weights import weights_sha256
from masktune.seeds import generator
from masktune.training.together import at_once, maps_of_all, predict_all
from masktune.trial.guard import collapsed
from masktune.trial.hiding import Areas, Change, Donors, changed_logits
from masktune.trial.rates import RateChoice, fit_and_ask
from masktune.trial.settings import ArmName, TrialSettings
from masktune.types import Supervision, under

GUARDED = 500
"""Masked training images that the guard looks at."""


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm, and what it says of the judged images."""

    name: ArmName
    predictions: Predictions
    """Of the images as they are."""
    changed_logits: Mapping[Change, Float32[np.ndarray, "n k"]]
    """With the old model's place hidden or swapped, the same for all arms, and with the arm's own place
    swapped; row i is image i of `predictions`."""
    areas: Areas
    """Where it looks in the judged images itself."""
    fitted: Fitted | None = None
    """None of the untouched classifier, and where tuning was given up."""
    stopped: str | None = None
    """Why tuning was given up, in words; its predictions are then those of the untouched classifier."""
    given_up: Fitted | None = None
    """What was given up, unless its loss was no number: how right that was can be measured."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedImages:
    """The images that arms are held against each other on, and those that the guard looks at."""

    images: Dataset
    """No arm is tuned on them."""
    held_out: Dataset
    """Training images that are not tuned on."""

    def __post_init__(self) -> None:
        for what, data in (("judge the arms on", self.images), ("hold back from tuning", self.held_out)):
            if len(data) == 0:
                raise InputError(f"expected at least one image to {what}, got none; give more images")


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """What all arms came to."""

    by_name: Mapping[ArmName, Arm]
    """`untouched` first."""
    donors: Donors
    """Who swapped with whom."""
    lower: Arm | None = None
    """MaskTune at the next lower rate; None where there is none, or nothing to hold it against."""


def run_arms(task: Task, settings: TrialSettings, judged: JudgedImages, choice: RateChoice) -> Arms:
    """Tune and ask all arms; with a folder the task goes on where it stopped.

    Args:
        task: `build` gives the classifier to start from, `training` is that of `settings.tuning()`.
        settings: which arms, and how they hide.
        judged: the images they are asked about.
        choice: the rate of the tuning epoch.

    Raises:
        RunFolderError: other settings, images or weights have left their state in the task's folder.
    """
    start = task.build().to(task.here.device)
    areas = _areas(start, task, settings, judged.images)
    donors = Donors.of(judged.images, settings.seed)
    asking = _Asking(task, settings, judged.images, areas, donors)
    untouched = asking.ask("untouched", start)
    before = predict_all(start, judged.held_out, here=task.here)
    arms = {untouched.name: untouched}

    def run(name: ArmName, method: Method) -> Arm:
        watched = replace(task, progress=under(method.name, task.progress))
        fitted, stopped = _tuned(method, watched, judged.held_out, before)
        if fitted is None or stopped is not None:
            return replace(untouched, name=name, stopped=stopped, given_up=fitted)
        return replace(asking.ask(name, fitted.classifier), fitted=fitted)

    for name in settings.tuned:
        arms[name] = run(name, settings.method(name, choice.rate))
    lower = None
    if choice.lower is not None and len(settings.tuned) > 1 and "masktune" in arms:
        lower = run("masktune", _Named("masktune-lower", settings.tuned_at(choice.lower)))
    return Arms(arms, donors, lower)


@dataclass(frozen=True, slots=True)
class _Named:
    """MaskTune under another name, so that both keep their states in one folder."""

    name: str
    settings: MaskTune
    supervision: Supervision = "none"

    def fit(self, task: Task) -> Fitted:
        """As `MaskTune.fit`."""
        return tune_in_rounds(self.name, self.settings, task.supervised_by(self.supervision), own_place)


@dataclass(frozen=True, slots=True, eq=False)
class _Asking:
    """What is asked of each arm alike."""

    task: Task
    settings: TrialSettings
    images: Dataset
    areas: Areas
    donors: Donors

    def ask(self, name: ArmName, classifier: Classifier) -> Arm:
        """What a classifier says of the images, as they are and partly hidden."""
        here, progress = self.task.here, self.task.progress
        said = predict_all(classifier, self.images, here=here, what=f"asking {name}", progress=progress)
        own = self.areas if name == "untouched" else _areas(classifier, self.task, self.settings, self.images)
        what = f"changing images for {name}"
        changed = changed_logits(
            classifier, self.images, self.areas, self.donors, own, here=here, what=what, progress=progress
        )
        return Arm(name, said, changed, own)


def _tuned(
    method: Method, task: Task, held_out: Dataset, before: Predictions
) -> tuple[Fitted | None, str | None]:
    """The tuned classifier, unless its loss was no number, and why it was given up if it was."""
    try:
        fitted, after = fit_and_ask(method, task, held_out)
    except TrainingDiverged as error:
        return None, str(error)
    return fitted, collapsed(before, after, _masked(fitted, task))


def _masked(fitted: Fitted, task: Task) -> Predictions | None:
    """What a tuned classifier says of some images that it was tuned on, as they were then."""
    if fitted.masks is None:
        return None
    some = torch.randperm(len(task.train), generator=generator(task.seed, "guard"))[:GUARDED]
    drawn = batches(task.train, at_once(fitted.classifier.spec), some.sort().values)
    # One by one, since `predict` turns gradients off for all that it draws, and online masks need them.
    return concatenate(
        [predict(fitted.classifier, [fitted.masks.hide(batch.to(task.here.device))]) for batch in drawn]
    )


def _areas(net: Classifier, task: Task, settings: TrialSettings, images: Dataset) -> Areas:
    """Where a classifier looks in the judged images."""
    explainer = explainer_for(settings.masktune, net, task.seed)
    maps = maps_of_all(
        explainer,
        images,
        weights_sha256=weights_sha256(net),
        batch_size=at_once(net.spec),
        here=task.here,
        progress=task.progress,
    )
    return Areas(maps, settings.masktune.threshold)

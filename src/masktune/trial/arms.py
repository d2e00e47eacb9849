"""Run the arms of a trial: same start, same images in the same order, same steps; what is hidden differs.

The controls are needed: on textured made images black patches in all tuning images wreck small nets, which
see none in the test. Whether that is due to where a patch lies, only arms with patches elsewhere can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from masktune.data.base import Dataset
from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import Predictions
from masktune.masking import Area
from masktune.methods import Fitted, Method, Task
from masktune.methods.masktune import explainer_for
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.together import maps_of_all, predict_all
from masktune.trial.guard import collapsed
from masktune.trial.hiding import Areas, hidden_logits
from masktune.trial.rates import RateChoice
from masktune.trial.settings import ArmName, TrialSettings


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm, and what it says of the judged images."""

    name: ArmName
    predictions: Predictions
    """Of the images as they are."""
    hidden_logits: Mapping[Area, Float32[np.ndarray, "n k"]]
    """With areas hidden that are the same for all arms; row i is image i of `predictions`."""
    fitted: Fitted | None = None
    """None of the untouched classifier, and where tuning was given up."""
    stopped: str | None = None
    """Why tuning was given up, in words; its predictions are then those of the untouched classifier."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The images that arms are held against each other on, and those that the guard looks at."""

    images: Dataset
    """No arm is tuned on them."""
    held_out: Dataset
    """Training images that are not tuned on."""

    def __post_init__(self) -> None:
        for what, data in (("judge the arms on", self.images), ("hold back from tuning", self.held_out)):
            if len(data) == 0:
                raise InputError(f"expected at least one image to {what}, got none; give more images")


def run_arms(task: Task, settings: TrialSettings, judged: Judged, choice: RateChoice) -> dict[ArmName, Arm]:
    """Tune and ask all arms, `untouched` first; with a folder the task goes on where it stopped.

    Args:
        task: `build` gives the classifier to start from, `training` is that of `settings.tuning()`.
        settings: which arms, and how they hide.
        judged: the images they are asked about.
        choice: the rate of the tuning epoch.

    Raises:
        RunFolderError: other settings, images or weights have left their state in the task's folder.
    """
    start = task.build().to(task.here.device)
    asking = _Asking(task, judged.images, _areas(start, task, settings, judged.images))
    untouched = asking.ask("untouched", start)
    before = predict_all(start, judged.held_out, here=task.here)
    arms = {untouched.name: untouched}
    for name in settings.tuned:
        made = _tuned(settings.method(name, choice.rate), task, judged.held_out, before)
        if isinstance(made, str):
            arms[name] = replace(untouched, name=name, stopped=made)
        else:
            arms[name] = replace(asking.ask(name, made.classifier), fitted=made)
    return arms


@dataclass(frozen=True, slots=True, eq=False)
class _Asking:
    """What is asked of each arm alike."""

    task: Task
    images: Dataset
    areas: Areas

    def ask(self, name: ArmName, classifier: Classifier) -> Arm:
        """What a classifier says of the images, as they are and partly hidden."""
        here, progress = self.task.here, self.task.progress
        said = predict_all(classifier, self.images, here=here, what=f"asking {name}", progress=progress)
        hidden = hidden_logits(
            classifier, self.images, self.areas, here=here, what=f"hiding for {name}", progress=progress
        )
        return Arm(name, said, hidden)


def _tuned(method: Method, task: Task, held_out: Dataset, before: Predictions) -> Fitted | str:
    """The tuned classifier, or why it was given up."""
    try:
        fitted = method.fit(task)
    except TrainingDiverged as error:
        return str(error)
    after = predict_all(fitted.classifier, held_out, here=task.here)
    return collapsed(before, after) or fitted


def _areas(start: Classifier, task: Task, settings: TrialSettings, images: Dataset) -> Areas:
    """What is hidden of the judged images: by the maps of the classifier that all arms start from."""
    explainer = explainer_for(settings.masktune, start, task.seed)
    maps = maps_of_all(
        explainer, images, weights_sha256=weights_sha256(start), here=task.here, progress=task.progress
    )
    return Areas(maps, settings.masktune.threshold, task.seed)

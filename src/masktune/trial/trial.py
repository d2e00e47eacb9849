"""The trial: choose a rate, run all arms, judge."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from masktune.data.base import Dataset, WithoutGroups
from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import (
    Predictions,
    decided,
    operating_point,
)
from masktune.methods import ERM, Task
from masktune.methods.masktune import explainer_for
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.devices import ALONE, Processes
from masktune.training.settings import Training
from masktune.training.together import predict_all
from masktune.trial.arms import Arm, Arms, JudgedImages, run_arms
from masktune.trial.changes import LOOKS_AT, Changed, Kind, changes
from masktune.trial.concluding import conclude
from masktune.trial.done import Done, decided_at
from masktune.trial.given import Given, check_operating_point
from masktune.trial.hardware import hardware
from masktune.trial.hold_out import held_out
from masktune.trial.looking import pictures_of, places_of
from masktune.trial.numbers import BySplit, numbers_of
from masktune.trial.power import SmallestEffect, smallest_effects
from masktune.trial.rates import RateChoice, kept_choice
from masktune.trial.settings import ArmName, TrialSettings
from masktune.trial.trialled import BeforeAfter, Trialled
from masktune.trial.verdict import Verdict
from masktune.types import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A finished trial and its classifiers."""

    trialled: Trialled
    classifiers: Mapping[ArmName, Classifier]
    """Of each arm; those whose tuning was given up are left out."""
    predictions: Mapping[ArmName, Mapping[str, Predictions]]
    """By arm and split, as the nets give them; an operating point moves those of `trialled`. Reserved images
    are among them, which nothing in `trialled` has seen."""


def effects_of(given: Given) -> tuple[SmallestEffect, ...]:
    """What the judged images could show; known before anything is trained."""
    judged = given.validation
    return smallest_effects(judged.labels, judged.classes, judged.subjects)


def run_trial(
    given: Given,
    settings: TrialSettings,
    *,
    folder: Path | None = None,
    here: Processes = ALONE,
    progress: Progress = silent,
) -> Outcome:
    """Tune all arms and judge MaskTune; with a folder it goes on where it stopped.

    Args:
        given: classifier and images.
        settings: how.
        folder: where states are kept; it belongs to these images, weights and settings.
        here: this process among those of the run.
        progress: is called with each step.

    Raises:
        TrainingDiverged: the control at every rate, all arms at the one that was given, or the training
            before the trial.
        InputError: too few images, or a start that says the same of all of them.
    """
    check_operating_point(given.classifier, settings)
    # Nothing that is trained, chosen or guarded sees a group.
    train, held = held_out(WithoutGroups(given.train), settings)

    def task(training: Training, start: Classifier, name: str) -> Task:
        at = None if folder is None else folder / name
        return Task(train, held, lambda: deepcopy(start), training, settings.seed, at, here, progress)

    # With no epochs that is a copy of the classifier as it was given.
    start = ERM().fit(task(settings.first_training(), given.classifier, "first"))
    start.classifier.eval()
    if settings.epochs:
        advice = f"give more than --epochs {settings.epochs}, or another --first-lr"
        _check_answers("the one that was trained first", start.classifier, given, settings, advice, here)
    tuning = task(settings.tuning(), start.classifier, "tuning")
    choice = kept_choice(tuning, settings, held)
    arms = run_arms(tuning, settings, JudgedImages(given.validation, held), choice)
    _check_rate(arms, choice)
    return _told(Done(given, settings, tuning, held, start, choice, arms))


def check_start(given: Given, settings: TrialSettings, *, here: Processes = ALONE) -> None:
    """Make sure that maps can be made of the given classifier, and that it tells the judged images apart.

    One that is trained first need not do so yet.

    Raises:
        InputError: it says the same of all of them, or has no such layer.
    """
    explainer_for(settings.masktune, given.classifier, settings.seed)
    if settings.epochs == 0:
        point = ", give an --operating-point" if len(given.classifier.classes) == 2 else ""
        advice = f"check --weights, --classes and the input{point}, or train it first with --epochs 5"
        _check_answers("the given one", given.classifier, given, settings, advice, here)


def _check_answers(
    which: str, classifier: Classifier, given: Given, settings: TrialSettings, advice: str, here: Processes
) -> None:
    said = predict_all(classifier, given.validation, here=here)
    if settings.operating_point is not None:
        said = decided(said, operating_point(settings.operating_point).fixed_on(said))
    answers = np.unique(said.predicted)
    if len(answers) == 1:
        raise InputError(
            f"expected a classifier that tells the {len(said)} images to judge on apart, but {which} says "
            f"{classifier.classes[answers[0]]!r} of all of them; {advice}"
        )


def _check_rate(arms: Arms, choice: RateChoice) -> None:
    """Where a rate that was given wrecks all arms, or gives no number, nothing can be said of MaskTune."""
    tuned = [arm for name, arm in arms.by_name.items() if name != "untouched"]
    told = [arm.stopped for arm in tuned if len(tuned) > 1 or arm.given_up is None]
    if not choice.tried and told and all(told):
        what = "every arm" if len(tuned) > 1 else tuned[0].name
        raise TrainingDiverged(f"{what} was given up at --lr {choice.rate:g}: {told[0]}")


def _told(done: Done) -> Outcome:
    given, settings, arms = done.given, done.settings, done.arms.by_name
    judged = "masktune" in arms
    cut = {name: done.threshold(arm) for name, arm in arms.items()}
    raw = {name: done.predictions(arm) for name, arm in arms.items()}
    predictions: Found = {
        name: {split: decided_at(one, cut[name]) for split, one in found.items()}
        for name, found in raw.items()
    }
    numbers = {
        name: numbers_of(done, arm, raw[name], predictions[name], cut[name]) for name, arm in arms.items()
    }
    subjects = given.validation.subjects
    trialled = Trialled(
        name=given.name,
        sha256=given.sha256,
        weights_sha256=weights_sha256(given.classifier),
        classes=given.train.classes,
        about={**given.about, **_about(done)},
        settings=settings.to_record(),
        seen=given.seen,
        notes=given.notes,
        counts=_counts(done),
        subjects=None if subjects is None else len(np.unique(subjects)),
        rate=done.choice,
        effects=effects_of(given),
        verdict=conclude(done, numbers) if judged else _UNJUDGED,
        arms=tuple(numbers.values()),
        changes=_changes(done, predictions) if judged else (),
        predictions=predictions,
        threshold=settings.masktune.threshold,
        shown=_shown(done, predictions) if judged else (),
        licences=given.licences,
    )
    kept = {name: done.classifier(arm) for name, arm in arms.items() if arm.stopped is None}
    return Outcome(trialled, kept, {name: _with_reserved(done, arm, raw[name]) for name, arm in arms.items()})


def _with_reserved(done: Done, arm: Arm, found: BySplit) -> BySplit:
    reserved = done.on_calibration(arm)
    return found if reserved is None else {**found, "calibration": reserved}


_UNJUDGED = Verdict(
    "no_evidence", "cannot_be_known", "MaskTune was not among the arms, so nothing is said of it"
)

Found = Mapping[str, BySplit]
"""What each arm says."""


def _changes(done: Done, predictions: Found) -> tuple[Changed, ...]:
    """The old classifier against the tuned one, by class, and by all that parts the judged images."""
    before = predictions["untouched"]["validation"]
    parts: dict[tuple[Kind, str], Shaped[np.ndarray, " n"]] = {}
    if before.groups is not None:
        parts["group", ""] = before.groups
    for name, values in done.given.columns.items():
        parts["column", f"{name} = "] = np.asarray(values, dtype=str)
    parts["area", LOOKS_AT] = places_of(done.arms.by_name["untouched"], done.given.validation)
    return changes(before, predictions["masktune"]["validation"], parts, seed=done.settings.seed)


def _shown(done: Done, predictions: Found) -> tuple[BeforeAfter, ...]:
    """Pictures, with the answers at each arm's operating point."""
    arms = {
        name: replace(arm, predictions=predictions[name]["validation"])
        for name, arm in done.arms.by_name.items()
    }
    return pictures_of(arms, done.given.validation, seed=done.settings.seed)


def _counts(done: Done) -> dict[str, Mapping[str, int]]:
    """Images by role and class, with what is held back of the training images."""
    others = {role: of for role, of in done.given.counts.items() if role != "train"}
    return {"train": _by_class(done.task.train), "held back": _by_class(done.held), **others}


def _by_class(data: Dataset) -> dict[str, int]:
    counts = np.bincount(data.labels, minlength=len(data.classes))
    return dict(zip(data.classes, counts.tolist(), strict=True))


def _about(done: Done) -> dict[str, str]:
    manifest = done.arms.by_name["untouched"].areas.maps.manifest
    return {
        "maps": f"{manifest.method} at {manifest.layer}",
        "salient area": repr(done.settings.masktune.threshold),
        "device": str(done.task.here.device),
        "hardware": hardware(done.task.here.device),
    }

"""The trial: choose a rate, run all arms, judge."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from masktune.data.base import Dataset, Subset, WithoutGroups
from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import (
    Measure,
    Predictions,
    decided,
    measure,
    measure_hiding,
    measure_imbalanced,
    operating_point,
)
from masktune.methods import ERM, Fitted, Task
from masktune.methods.masks import measure_hidden
from masktune.methods.masktune import explainer_for
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.devices import ALONE, Processes
from masktune.training.settings import Training
from masktune.training.together import predict_all
from masktune.trial.arms import Arm, Arms, Judged, run_arms
from masktune.trial.calibration import measured_in_words
from masktune.trial.changes import Changed, Kind, changes
from masktune.trial.given import Given, check_operating_point
from masktune.trial.hiding import Donors
from masktune.trial.hold_out import held_out
from masktune.trial.looking import pictures_of, places_of
from masktune.trial.power import SmallestEffect, smallest_effects
from masktune.trial.rates import RateChoice, kept_choice
from masktune.trial.reviewed import REVIEW, measure_reviewed, reviewed_in_words
from masktune.trial.said import Said
from masktune.trial.settings import ArmName, TrialSettings
from masktune.trial.trialled import BeforeAfter, TrialArm, Trialled
from masktune.trial.verdict import Verdict, verdict_of
from masktune.types import Progress, silent

CONTROLS = ("continue_erm", "random_mask", "least_salient_mask")


FEW_HELD = 50
"""Held-back images below which a chosen rate is told to be uncertain."""

MOST_EMPTY = 0.5
"""Share of the training images in which nothing is hidden, beyond which a trial says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A finished trial and its classifiers."""

    trialled: Trialled
    classifiers: Mapping[ArmName, Classifier]
    """Of each arm; those whose tuning was given up are left out."""
    predictions: Mapping[ArmName, Mapping[str, Predictions]]
    """By arm and split, as the nets give them; an operating point moves those of `trialled`."""


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
    arms = run_arms(tuning, settings, Judged(given.validation, held), choice)
    _check_rate(arms, choice)
    return _told(_Done(given, settings, tuning, held, start, choice, arms))


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
    """Where a rate that was given wrecks the controls too, nothing can be said of MaskTune."""
    controls = [arm.stopped for name, arm in arms.by_name.items() if name in CONTROLS]
    if not choice.tried and controls and all(arm.stopped for arm in list(arms.by_name.values())[1:]):
        raise TrainingDiverged(f"every arm was given up at --lr {choice.rate:g}: {controls[0]}")


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """All that was computed."""

    given: Given
    settings: TrialSettings
    task: Task
    held: Subset
    start: Fitted
    choice: RateChoice
    arms: Arms

    def classifier(self, arm: Arm) -> Classifier:
        return (arm.fitted or self.start).classifier

    def predictions(self, arm: Arm) -> dict[str, Predictions]:
        """Of judged and test images, as the arm's net says."""
        found = {"validation": arm.predictions}
        if self.given.test is not None:
            what = f"testing {arm.name}"
            found["test"] = predict_all(
                self.classifier(arm),
                self.given.test,
                here=self.task.here,
                what=what,
                progress=self.task.progress,
            )
        return found

    def threshold(self, arm: Arm) -> float | None:
        """Where the second class is given, fixed on the judged images."""
        if self.settings.operating_point is None:
            return None
        return operating_point(self.settings.operating_point).fixed_on(arm.predictions)


def _told(done: _Done) -> Outcome:
    given, settings, arms = done.given, done.settings, done.arms.by_name
    judged = "masktune" in arms
    cut = {name: done.threshold(arm) for name, arm in arms.items()}
    raw = {name: done.predictions(arm) for name, arm in arms.items()}
    predictions: Found = {
        name: {split: _cut(one, cut[name]) for split, one in found.items()} for name, found in raw.items()
    }
    numbers = {name: _arm(done, arm, raw[name], cut[name]) for name, arm in arms.items()}
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
        verdict=_with_review(done, numbers) if judged else _UNJUDGED,
        arms=tuple(numbers.values()),
        changes=_changes(done, predictions) if judged else (),
        predictions=predictions,
        threshold=settings.masktune.threshold,
        shown=_shown(done, predictions) if judged else (),
        licences=given.licences,
    )
    kept = {name: done.classifier(arm) for name, arm in arms.items() if arm.stopped is None}
    return Outcome(trialled, kept, raw)


_UNJUDGED = Verdict(
    "no_evidence", "cannot_be_known", "MaskTune was not among the arms, so nothing is said of it"
)

Found = Mapping[str, Mapping[str, Predictions]]
"""What each arm says of each split."""


def _changes(done: _Done, predictions: Found) -> tuple[Changed, ...]:
    """The old classifier against the tuned one, by class, and by all that parts the judged images."""
    before = predictions["untouched"]["validation"]
    parts: dict[tuple[Kind, str], Shaped[np.ndarray, " n"]] = {}
    if before.groups is not None:
        parts["group", ""] = before.groups
    for name, values in done.given.columns.items():
        parts["column", f"{name} = "] = np.asarray(values, dtype=str)
    parts["area", "looks at the "] = places_of(done.arms.by_name["untouched"], done.given.validation)
    return changes(before, predictions["masktune"]["validation"], parts, seed=done.settings.seed)


def _shown(done: _Done, predictions: Found) -> tuple[BeforeAfter, ...]:
    """Pictures, with the answers at each arm's operating point."""
    arms = {
        name: replace(arm, predictions=predictions[name]["validation"])
        for name, arm in done.arms.by_name.items()
    }
    return pictures_of(arms, done.given.validation, seed=done.settings.seed)


def _with_review(done: _Done, numbers: Mapping[ArmName, TrialArm]) -> Verdict:
    """The verdict, and what a person's labels say beside it."""
    found = _verdict(done, numbers)
    if done.given.reviewed is None:
        return found
    old, new = (numbers[name].measures[REVIEW] for name in ("untouched", "masktune"))
    told = (reviewed_in_words(done.given.reviewed, old, new), *done.given.reviewed.notes)
    return replace(found, notes=(*found.notes, *told))


def _verdict(done: _Done, numbers: Mapping[ArmName, TrialArm]) -> Verdict:
    """By the rule; whether it would be another one at the next lower rate stands beside it."""
    arms = dict(done.arms.by_name)
    cap = done.given.cap or _without_controls(arms) or _nothing_hidden(numbers["masktune"])
    said = _said(done, arms)
    seed = done.settings.seed
    found = verdict_of(said, cap=cap, stopped=arms["masktune"].stopped, seed=seed)
    notes = [
        f"{name}: tuning was given up, since {arm.stopped}"
        for name, arm in arms.items()
        if arm.stopped and name != "masktune"  # Of that one it is the reason.
    ]
    if cap is not None and found.word == "harmful":  # Else it is the reason itself.
        notes.insert(0, cap)
    if done.arms.lower is not None and done.choice.lower is not None:
        lower = done.arms.lower
        other = verdict_of(
            _said(done, {**arms, "masktune": lower}), cap=cap, stopped=lower.stopped, seed=seed
        )
        notes.append(_at_lower(found, other, done.choice.lower))
    else:
        notes.append(
            "MaskTune was tried at one learning rate only, so whether the verdict hangs on it is open"
        )
    if len(done.held) < FEW_HELD and done.choice.tried:
        notes.append(
            f"the learning rate was chosen on {len(done.held)} held-back images, which can hardly tell rates "
            "apart; --lr gives one"
        )
    notes.append(measured_in_words())
    return replace(found, notes=tuple(notes))


def _at_lower(found: Verdict, other: Verdict, rate: float) -> str:
    word = other.word.replace("_", " ")
    if found.word == other.word:
        return f"it would be the same with MaskTune at the lower rate {rate:g}, the controls as they are"
    return (
        f"it depends on the rate: with MaskTune at {rate:g}, the controls as they are, it would be {word} "
        f"({other.reason})"
    )


def _nothing_hidden(arm: TrialArm) -> str | None:
    """Masks that hide nothing tell nothing of what hiding would do."""
    shares = [one.value for one in arm.measures.get("train", ()) if one.metric == "empty_masks"]
    empty = shares[0] if shares and shares[0] is not None else 0.0
    if empty <= MOST_EMPTY:
        return None
    return (
        f"nothing was hidden in {100 * empty:.0f} % of the training images, so what hiding would do cannot "
        "be known; hide a share of each with --top 0.05, or look elsewhere with --layer or --saliency"
    )


def _without_controls(arms: Mapping[ArmName, Arm]) -> str | None:
    """A control that was given up is none: its answers are the old model's."""
    ran = {name for name, arm in arms.items() if arm.stopped is None}
    missing = [name for name in CONTROLS if name not in ran]
    if not missing:
        return None
    remedy = "try a smaller --lr" if set(CONTROLS) <= set(arms) else "leave --arms out"
    return (
        f"without {' and '.join(missing)} a gain cannot be told from one that any further epoch, or any "
        f"mask, would bring; {remedy} for a verdict"
    )


def _said(done: _Done, arms: Mapping[ArmName, Arm]) -> Said:
    """What the arms said, at each one's operating point."""
    cut = {name: done.threshold(arm) for name, arm in arms.items()}
    said = Said.of(arms, Donors.of(done.given.validation, done.settings.seed))
    if done.settings.operating_point is None:
        return said
    moved = {
        name: {
            change: _cut(said.predictions(name, change), cut[name]).logits for change in said.changed[name]
        }
        for name in said.arms
    }
    plain = {name: _cut(said.predictions(name), cut[name]).logits for name in said.arms}
    return replace(said, plain=plain, changed=moved)


def _cut(predictions: Predictions, threshold: float | None) -> Predictions:
    return predictions if threshold is None else decided(predictions, threshold)


def _arm(done: _Done, arm: Arm, raw: Mapping[str, Predictions], threshold: float | None) -> TrialArm:
    settings, fitted = done.settings, arm.fitted
    measures = {split: _measured(found, _cut(found, threshold), settings) for split, found in raw.items()}
    if done.given.reviewed is not None:
        judged = _cut(raw["validation"], threshold)
        measures[REVIEW] = measure_reviewed(judged, done.given.reviewed)
    if fitted is not None and fitted.masks is not None:
        hiding = measure_hidden(
            done.task.train, fitted.masks, here=done.task.here, progress=done.task.progress
        )
        measures["train"] = tuple(measure_hiding(hiding.image, hiding.shortcut))
    return TrialArm(
        name=arm.name,
        epochs=done.start.epochs + (0 if fitted is None else fitted.epochs),
        seconds=done.start.seconds + (0.0 if fitted is None else fitted.seconds),
        stopped=arm.stopped,
        threshold=threshold,
        measures=measures,
    )


_OF_PROBABILITIES = ("brier", "calibration_error")


def _measured(raw: Predictions, decided: Predictions, settings: TrialSettings) -> tuple[Measure, ...]:
    """All numbers of a split, each once; an operating point moves answers, and leaves probabilities alone."""
    point = None if settings.operating_point is None else operating_point(settings.operating_point)
    level = point.value if point is not None and point.kind == "specificity" else None
    of_answers = measure_imbalanced(decided, specificity=level, seed=settings.seed)
    of_both = of_answers if decided is raw else measure_imbalanced(raw, seed=settings.seed)
    found = measure(decided, seed=settings.seed)
    found += [one for one in of_answers if one.metric not in _OF_PROBABILITIES]
    found += [one for one in of_both if one.metric in _OF_PROBABILITIES]
    return tuple({(one.metric, one.group): one for one in found}.values())


def _counts(done: _Done) -> dict[str, Mapping[str, int]]:
    """Images by role and class, with what is held back of the training images."""
    others = {role: of for role, of in done.given.counts.items() if role != "train"}
    return {"train": _by_class(done.task.train), "held back": _by_class(done.held), **others}


def _by_class(data: Dataset) -> dict[str, int]:
    counts = np.bincount(data.labels, minlength=len(data.classes))
    return dict(zip(data.classes, counts.tolist(), strict=True))


def _about(done: _Done) -> dict[str, str]:
    manifest = done.arms.by_name["untouched"].areas.maps.manifest
    return {
        "maps": f"{manifest.method} at {manifest.layer}",
        "salient area": repr(done.settings.masktune.threshold),
        "device": str(done.task.here.device),
    }

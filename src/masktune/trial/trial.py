"""The trial: choose a rate, run all arms, judge."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from masktune.data.base import Subset
from masktune.evaluation import (
    Measure,
    Predictions,
    decided,
    measure,
    measure_hiding,
    measure_imbalanced,
    operating_point,
)
from masktune.methods import ERM, Task
from masktune.methods.masks import measure_hidden
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.devices import ALONE, Processes
from masktune.training.together import predict_all
from masktune.trial.arms import Arm, Arms, Judged, run_arms
from masktune.trial.changes import changes
from masktune.trial.given import Given
from masktune.trial.hiding import Donors
from masktune.trial.hold_out import held_out
from masktune.trial.looking import pictures_of, places_of
from masktune.trial.power import SmallestEffect, smallest_effects
from masktune.trial.rates import RateChoice, kept_choice
from masktune.trial.said import Said
from masktune.trial.settings import ArmName, TrialSettings
from masktune.trial.trialled import TrialArm, Trialled
from masktune.trial.verdict import Verdict, verdict_of
from masktune.types import Progress, silent

CONTROLS = ("continue_erm", "random_mask", "least_salient_mask")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A finished trial and its classifiers."""

    trialled: Trialled
    classifiers: Mapping[ArmName, Classifier]
    """Of each arm; those whose tuning was given up are left out."""


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
        TrainingDiverged: the control at every rate, or the training before the trial.
        InputError: too few images.
    """
    train, held = held_out(given.train, settings)
    start = _start(given, settings, train, held, folder, here, progress)

    def build() -> Classifier:
        return deepcopy(start)

    at = None if folder is None else folder / "tuning"
    task = Task(train, held, build, settings.tuning(), settings.seed, at, here, progress)
    choice = kept_choice(task, settings, held)
    arms = run_arms(task, settings, Judged(given.validation, held), choice)
    return _told(_Done(given, settings, task, held, start, choice, arms))


def _start(
    given: Given,
    settings: TrialSettings,
    train: Subset,
    held: Subset,
    folder: Path | None,
    here: Processes,
    progress: Progress,
) -> Classifier:
    """The classifier that all arms start from: as it was given, or trained by ERM first."""
    if settings.epochs == 0:
        return given.classifier.eval()
    at = None if folder is None else folder / "first"
    task = Task(
        train,
        held,
        lambda: deepcopy(given.classifier),
        settings.first_training(),
        settings.seed,
        at,
        here,
        progress,
    )
    return ERM().fit(task).classifier.eval()


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """All that was computed."""

    given: Given
    settings: TrialSettings
    task: Task
    held: Subset
    start: Classifier
    choice: RateChoice
    arms: Arms

    def classifier(self, arm: Arm) -> Classifier:
        return self.start if arm.fitted is None else arm.fitted.classifier

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
    given, settings = done.given, done.settings
    arms = done.arms.by_name
    cut = {name: done.threshold(arm) for name, arm in arms.items()}
    raw = {name: done.predictions(arm) for name, arm in arms.items()}
    predictions = {
        name: {split: _cut(one, cut[name]) for split, one in found.items()} for name, found in raw.items()
    }
    before = predictions["untouched"]["validation"]
    verdict, changed = _unjudged(given), ()
    if "masktune" in arms:
        verdict = _verdict(done)
        parts = {
            **_parts(given, before),
            ("area", "looks at the "): places_of(arms["untouched"], given.validation),
        }
        changed = changes(before, predictions["masktune"]["validation"], parts, seed=settings.seed)
    trialled = Trialled(
        name=given.name,
        sha256=given.sha256,
        weights_sha256=weights_sha256(given.classifier),
        classes=given.train.classes,
        about={**given.about, **_about(done)},
        settings=settings.to_record(),
        seen=given.seen,
        notes=given.notes,
        counts=_counts(given, done.held),
        subjects=None if before.subjects is None else len(np.unique(before.subjects)),
        rate=done.choice,
        effects=effects_of(given),
        verdict=verdict,
        arms=tuple(_arm(done, arm, raw[name], cut[name]) for name, arm in arms.items()),
        changes=changed,
        predictions=predictions,
        threshold=settings.masktune.threshold,
        shown=pictures_of(arms, given.validation, seed=settings.seed) if "masktune" in arms else (),
        licences=given.licences,
    )
    kept = {name: done.classifier(arm) for name, arm in arms.items() if arm.stopped is None}
    return Outcome(trialled, kept)


def _unjudged(given: Given) -> Verdict:
    return Verdict(
        "no_evidence", "cannot_be_known", "MaskTune was not among the arms, so nothing is said of it"
    )


def _verdict(done: _Done) -> Verdict:
    """By the rule; whether it would be another one at the next lower rate stands beside it."""
    arms = dict(done.arms.by_name)
    cap = done.given.cap or _without_controls(done.settings)
    said = _said(done, arms)
    seed = done.settings.seed
    found = verdict_of(said, cap=cap, stopped=arms["masktune"].stopped, seed=seed)
    notes = [f"{name}: tuning was given up, since {arm.stopped}" for name, arm in arms.items() if arm.stopped]
    if done.arms.lower is not None and done.choice.lower is not None:
        lower = done.arms.lower
        other = verdict_of(
            _said(done, {**arms, "masktune": lower}), cap=cap, stopped=lower.stopped, seed=seed
        )
        notes.append(_at_lower(found, other, done.choice.lower))
    return replace(found, notes=tuple(notes))


def _at_lower(found: Verdict, other: Verdict, rate: float) -> str:
    if found.word == other.word:
        return f"it would be the same with MaskTune at the lower rate {rate:g}"
    return f"it depends on the rate: with MaskTune at {rate:g} it would be {other.word} ({other.reason})"


def _without_controls(settings: TrialSettings) -> str | None:
    missing = [name for name in CONTROLS if name not in settings.arms]
    if not missing:
        return None
    return (
        f"without {' and '.join(missing)} a gain cannot be told from one that any further epoch, or any "
        "mask, would bring; leave --arms out for a verdict"
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


def _parts(given: Given, before: Predictions) -> dict[tuple, np.ndarray]:
    """What parts the judged images, beside the class."""
    parts: dict[tuple, np.ndarray] = {
        ("column", f"{name} = "): np.asarray(values, dtype=str) for name, values in given.columns.items()
    }
    return parts if before.groups is None else {("group", ""): before.groups, **parts}


def _arm(done: _Done, arm: Arm, raw: Mapping[str, Predictions], threshold: float | None) -> TrialArm:
    settings, fitted = done.settings, arm.fitted
    measures = {split: _measured(found, _cut(found, threshold), settings) for split, found in raw.items()}
    if fitted is not None and fitted.masks is not None:
        hiding = measure_hidden(
            done.task.train, fitted.masks, here=done.task.here, progress=done.task.progress
        )
        measures["train"] = tuple(measure_hiding(hiding.image, hiding.shortcut))
    return TrialArm(
        name=arm.name,
        epochs=settings.epochs + (0 if fitted is None else fitted.epochs),
        seconds=0.0 if fitted is None else fitted.seconds,
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


def _counts(given: Given, held: Subset) -> dict[str, dict[str, int]]:
    """With what is held back of the training images."""
    back = dict(
        zip(held.classes, np.bincount(held.labels, minlength=len(held.classes)).tolist(), strict=True)
    )
    counts = {role: dict(of) for role, of in given.counts.items()}
    counts["train"] = {name: n - back[name] for name, n in counts["train"].items()}
    return {"train": counts.pop("train"), "held back": back, **counts}


def _about(done: _Done) -> dict[str, str]:
    manifest = done.arms.by_name["untouched"].areas.maps.manifest
    return {
        "maps": f"{manifest.method} at {manifest.layer}",
        "salient area": repr(done.settings.masktune.threshold),
        "device": str(done.task.here.device),
    }

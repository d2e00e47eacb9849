"""The verdict of a finished trial, and what a person should know beside it."""

from collections.abc import Mapping
from dataclasses import replace

from masktune.trial.arms import Arm
from masktune.trial.calibration import measured_in_words
from masktune.trial.done import Done, decided_at
from masktune.trial.reviewed import REVIEW, reviewed_in_words
from masktune.trial.said import Said
from masktune.trial.settings import CONTROLS, ArmName
from masktune.trial.trialled import TrialArm
from masktune.trial.verdict import Verdict, verdict_of

FEW_HELD = 50
"""Held-back images below which a chosen rate is told to be uncertain."""

MOST_EMPTY = 0.5
"""Share of the training images in which nothing is hidden, or of the judged ones in which the tuned net has
no place of its own, beyond which a trial says nothing."""


def conclude(done: Done, numbers: Mapping[ArmName, TrialArm]) -> Verdict:
    """The verdict, and what a person's labels say beside it."""
    found = _verdict(done, numbers)
    if done.given.reviewed is None:
        return found
    old, new = (numbers[name].measures[REVIEW] for name in ("untouched", "masktune"))
    told = (reviewed_in_words(done.given.reviewed, old, new), *done.given.reviewed.notes)
    return replace(found, notes=(*found.notes, *told))


def _verdict(done: Done, numbers: Mapping[ArmName, TrialArm]) -> Verdict:
    """By the rule; whether it would be another one at the next lower rate stands beside it."""
    arms = dict(done.arms.by_name)
    wrecked = _all_given_up(arms)
    cap = (
        wrecked
        or done.given.cap
        or _without_controls(arms, done.choice.lower)
        or _nothing_hidden(numbers["masktune"])
        or _looks_nowhere(arms["masktune"])
    )
    said = _said(done, arms)
    seed = done.settings.seed
    stopped = None if wrecked else arms["masktune"].stopped
    found = verdict_of(said, cap=cap, stopped=stopped, seed=seed)
    notes = [
        f"{name}: tuning was given up, since {arm.stopped}"
        for name, arm in arms.items()
        if arm.stopped and name != "masktune"  # Of that one it is the reason.
    ]
    if cap is not None and found.word == "harmful":  # Else it is the reason itself.
        notes.insert(0, cap)
    if len(done.held) < FEW_HELD and done.choice.tried:
        notes.append(
            f"the learning rate {done.choice.rate:g} was chosen on {len(done.held)} held-back images, which "
            "can hardly tell rates apart; --lr gives one"
        )
    if found.why == "cannot_be_known" and cap is not None:
        return replace(found, notes=tuple(notes))  # Not judged, so nothing is to be said of the verdict.
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
    notes.append(measured_in_words(len(said.classes)))
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


def _all_given_up(arms: Mapping[ArmName, Arm]) -> str | None:
    """What wrecks the controls as well is not what MaskTune hides."""
    controls = [arms[name].stopped for name in CONTROLS if name in arms]
    if not controls or not all(controls) or not arms["masktune"].stopped:
        return None
    return (
        f"every arm was given up, the controls too ({controls[0]}), so nothing can be said of MaskTune; try "
        "a smaller --lr"
    )


def _looks_nowhere(arm: Arm) -> str | None:
    """A swap of no place changes nothing, so it shows no second shortcut that it has gone over to."""
    empty = arm.areas.maps.empty.mean()
    if empty <= MOST_EMPTY:
        return None
    return (
        f"the tuned model's own maps are empty in {100 * empty:.0f} % of the judged images, so whether it "
        "has left one place for another cannot be known; try another --layer or --saliency"
    )


def _without_controls(arms: Mapping[ArmName, Arm], lower: float | None) -> str | None:
    """A control that was given up is none: its answers are the old model's."""
    ran = {name for name, arm in arms.items() if arm.stopped is None}
    missing = [name for name in CONTROLS if name not in ran]
    if not missing:
        return None
    smaller = f"try --lr {lower:g}" if lower is not None else "try a smaller --lr"
    remedy = smaller if set(CONTROLS) <= set(arms) else "leave --arms out"
    return (
        f"without {' and '.join(missing)} a gain cannot be told from one that any further epoch, or any "
        f"mask, would bring; {remedy} for a verdict"
    )


def _said(done: Done, arms: Mapping[ArmName, Arm]) -> Said:
    """What the arms said, at each one's operating point."""
    # A control that was given up says what the old model does, and is none.
    arms = {name: arm for name, arm in arms.items() if arm.stopped is None or name == "masktune"}
    cut = {name: done.threshold(arm) for name, arm in arms.items()}
    said = Said.of(arms, done.arms.donors)
    if done.settings.operating_point is None:
        return said
    moved = {
        name: {
            change: decided_at(said.predictions(name, change), cut[name]).logits
            for change in said.changed[name]
        }
        for name in said.arms
    }
    plain = {name: decided_at(said.predictions(name), cut[name]).logits for name in said.arms}
    return replace(said, plain=plain, changed=moved)

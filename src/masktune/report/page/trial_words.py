"""A trial in words for somebody who does not know the method: arms, verdicts, what to do, parts, scores."""

from collections.abc import Mapping
from typing import Final

from masktune.evaluation import Measure
from masktune.report.page.numbers import change_in_words, percent, rate_in_words
from masktune.trial.changes import Changed, Kind
from masktune.trial.judging import ArmScore
from masktune.trial.power import effects_in_words
from masktune.trial.scores import MEANINGS, ScoreName
from masktune.trial.settings import ArmName
from masktune.trial.trialled import TrialArm, Trialled
from masktune.trial.verdict import Why, Word

ARMS: Final[Mapping[ArmName, str]] = {
    "untouched": "old model, untouched",
    "continue_erm": "one more ordinary epoch",
    "random_mask": "random masks of equal area",
    "least_salient_mask": "the least salient area hidden",
    "masktune": "MaskTune",
}
"""What each arm is; the three in the middle are the controls."""

VERDICTS: Final[Mapping[Word, str]] = {
    "helped": "Helped",
    "no_evidence": "No evidence that it helps",
    "harmful": "Harmful: keep the old model",
}

SCORES: Final[Mapping[ScoreName, str]] = {
    "swapped": "Place swapped",
    "worst_class": "Worst class",
    "salient_hidden": "Place hidden",
    "steady": "Answer unchanged when hidden",
    "hardest_tenth": "Hardest tenth",
    "inferred_groups": "Inferred groups",
}

METRICS: Final[Mapping[str, str]] = {
    "accuracy": "all images",
    "worst_class_accuracy": "worst class",
    "worst_group_accuracy": "worst true group",
}
"""What is shown of right answers before all else, in this order."""

KINDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "class": ("class", "classes"),
    "group": ("true group", "true groups"),
    "column": ("value of a column", "values of columns"),
    "area": ("place where it looked", "places where it looked"),
}
"""What a part of the images is by, for one and for several."""

_BEFORE_NAME: Final[Mapping[Kind, str]] = {
    "class": "class",
    "group": "true group",
    "column": "column",
    "area": "old model",
}
"""What is said before a part's name: "old model looks at the centre"."""

CANNOT: Final = (
    "What a trial cannot tell: it judges on images like those at hand. A shortcut that every image of a "
    "class has, or one that the maps do not show, stays unseen, and at another place, camera or year the "
    "numbers may be others."
)

_ADVICE: Final[Mapping[Why, str]] = {
    "gain": (
        "Use the tuned model, unless what got worse (below) costs you more than the gain is worth; watch it "
        "on new images as you would any new model."
    ),
    "no_effect": (
        "Keep the old model: MaskTune brings nothing here that is worth a new one, and that one more "
        "ordinary epoch or another mask does not bring too."
    ),
    "threshold_shift": (
        "Keep the old model, and move its decision threshold if you want what looks like a gain here: that "
        "needs no new weights."
    ),
    "too_few": "Keep the old model for now, and judge on more images if you want to know.",
    "cannot_be_known": (
        "Keep the old model until it can be known: do what the reason asks for, and tune again."
    ),
    "not_confirmed": (
        "Keep the old model: on the images that would show it the tuned one is no better than a control. "
        "More images where the shortcut is wrong would tell."
    ),
    "worse": "Keep the old model. The tuned weights are not offered.",
    "collapsed": "Keep the old model. Tuning broke the classifier; a smaller --lr may not.",
}


def capital(text: str) -> str:
    """With a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = capital(text.strip())
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def arm_of(trialled: Trialled, name: ArmName) -> TrialArm | None:
    """The arm of that name; None where it was not run."""
    return next((arm for arm in trialled.arms if arm.name == name), None)


def measured(arm: TrialArm | None, metric: str, split: str = "validation") -> Measure | None:
    """A number of an arm; None where it was not measured."""
    if arm is None:
        return None
    return next((one for one in arm.measures.get(split, ()) if one.metric == metric), None)


def main_metrics(trialled: Trialled, split: str = "validation") -> dict[str, str]:
    """What a table of arms shows first, of what was measured: metric and title."""
    known = {one.metric for arm in trialled.arms for one in arm.measures.get(split, ())}
    titles = dict(METRICS)
    if any(arm.threshold is not None for arm in trialled.arms):
        rare, rest = trialled.classes[1], trialled.classes[0]
        titles |= {"sensitivity": f"sensitivity ({rare})", "specificity": f"specificity ({rest})"}
    return {metric: title for metric, title in titles.items() if metric in known}


def is_capped(trialled: Trialled) -> bool:
    """Whether nothing could have been concluded, whatever the numbers."""
    return trialled.verdict.why == "cannot_be_known"


def is_unknown(trialled: Trialled) -> bool:
    """Whether that is so because nobody knows what the weights were trained on."""
    return trialled.verdict.reason == trialled.seen


def has_controls(trialled: Trialled) -> bool:
    """Whether there is anything to hold MaskTune against beside the old model."""
    return any(arm.name not in ("untouched", "masktune") for arm in trialled.arms)


def advice(trialled: Trialled) -> str:
    """What to do, in a line."""
    told = _ADVICE[trialled.verdict.why]
    if trialled.verdict.why == "too_few" and trialled.effects:
        return f"{told} {power(trialled)}"
    return told


def power(trialled: Trialled) -> str:
    """The smallest gain that could be seen, in the class with the fewest images."""
    return sentence(effects_in_words(trialled.effects)) if trialled.effects else ""


def judged_on(trialled: Trialled) -> str:
    """What was judged, and the numbers of before and after."""
    before, after = arm_of(trialled, "untouched"), arm_of(trialled, "masktune")
    overall = measured(before, "accuracy")
    if overall is None:
        return ""
    subjects = "" if trialled.subjects is None else f" of {trialled.subjects} subjects"
    told = [f"Judged on {overall.n} images{subjects} that no arm was tuned on. Right are"]
    for metric, title in main_metrics(trialled).items():
        old, new = measured(before, metric), measured(after, metric)
        if old is not None:
            after_that = "" if new is None else f", tuned {in_words(new)}"
            told.append(f"{title} (n {old.n}): old {in_words(old)}{after_that};")
    return " ".join(told).removesuffix(";") + "."


def in_words(measure: Measure | ArmScore) -> str:
    """Its value with the interval: "80.0 % (74.1 to 85.0)"."""
    return rate_in_words(measure.value, measure.low, measure.high)


def parts_compared(changes: tuple[Changed, ...]) -> str:
    """How many parts were held against each other, by kind."""
    counts = {kind: sum(one.kind == kind for one in changes) for kind in KINDS}
    told = [f"{count} {KINDS[kind][count != 1]}" for kind, count in counts.items() if count]
    parts = (
        "1 part of the judged images was"
        if len(changes) == 1
        else f"{len(changes)} parts of the judged images were"
    )
    return f"{parts} compared ({', '.join(told)})"


def change_of(changed: Changed) -> str:
    """One part in a line."""
    change = change_in_words(changed.difference, changed.low, changed.high)
    rates = f"{percent(changed.before.value, 1)}, then {percent(changed.after.value, 1)}"
    return f"{kind_of(changed)} {changed.name}: {change}, {rates}, n {changed.before.n}"


def kind_of(changed: Changed) -> str:
    """What is said before its name."""
    return _BEFORE_NAME[changed.kind]


def meaning(name: ScoreName) -> str:
    """What a score is, as a sentence."""
    return sentence(MEANINGS[name])

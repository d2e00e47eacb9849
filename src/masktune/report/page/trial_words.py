"""A trial in words for somebody who does not know the method: arms, verdicts, what to do, parts, scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from masktune.evaluation import Measure, worst_class_accuracy
from masktune.report.page.numbers import DASH, change_in_words, percent, rate_in_words
from masktune.trial.changes import LOOKS_AT, Changed, Kind
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

SPLITS_IN_WORDS: Final[Mapping[str, str]] = {"validation": "the judged images", "test": "the test images"}
"""What is told of in tables, in this order."""

NOT_JUDGED: Final = "Not judged"
"""Stands in the verdict's place where none could be reached, whatever the numbers."""

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


def title_of_verdict(trialled: Trialled) -> str:
    """What stands above the reason."""
    return NOT_JUDGED if is_capped(trialled) else VERDICTS[trialled.verdict.word]


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
    if has_thresholds(trialled):
        titles |= {name: metric_in_words(name, trialled.classes) for name in ("sensitivity", "specificity")}
    return {metric: title for metric, title in titles.items() if metric in known}


def metric_in_words(metric: str, classes: tuple[str, ...]) -> str:
    """A metric's name in words, and the class of two that it is about."""
    words, place = metric.replace("_", " "), _OF_CLASS.get(metric)
    return words if place is None else f"{words} ({classes[place]})"


_OF_CLASS: Final[Mapping[str, int]] = {
    "auprc": 1,
    "sensitivity": 1,
    "sensitivity_at_specificity": 1,
    "specificity": 0,
}


def worst_of(trialled: Trialled, arm: TrialArm, metric: str, split: str = "validation") -> str:
    """Name of the class or group that a worst number of an arm is of; "" of any other number."""
    if metric == "worst_class_accuracy":
        # The name alone: without subjects no interval is drawn.
        return worst_class_accuracy(replace(trialled.predictions[arm.name][split], subjects=None))[0]
    found = measured(arm, metric, split)
    return "" if found is None else found.group or ""


def has_thresholds(trialled: Trialled) -> bool:
    """Whether each arm has an operating point."""
    return any(arm.threshold is not None for arm in trialled.arms)


def operating_point(trialled: Trialled) -> str:
    """From which probability on each arm gives which class; "" where the larger one is given."""
    if not has_thresholds(trialled):
        return ""
    rest, rare = trialled.classes
    told = [f"{arm.threshold:.3g} ({ARMS[arm.name]})" for arm in trialled.arms]
    return (
        f"Operating point {trialled.settings.get('operating_point', '')}: {rare} is said where its "
        f"probability is at least {', '.join(told)}, else {rest}; fixed for each arm on the judged images."
    )


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
    told = []
    for metric, title in main_metrics(trialled).items():
        arms = [("old", before), ("tuned", after)]
        said = [f"{word} {number_of(trialled, arm, metric)}" for word, arm in arms if measured(arm, metric)]
        told.append(f"{title}: {', '.join(said)}")
    return f"Judged on {overall.n} images{subjects} that no arm was tuned on. Right are {'; '.join(told)}."


def number_of(trialled: Trialled, arm: TrialArm | None, metric: str, split: str = "validation") -> str:
    """A share of an arm as `counted` says it; a dash where there is none."""
    found = measured(arm, metric, split)
    return DASH if arm is None or found is None else counted(found, worst_of(trialled, arm, metric, split))


def counted(share: Measure, where: str = "") -> str:
    """With interval, images, and their class or group: "80.0 % (58.4 to 91.9) of 20 (cat on water)"."""
    return f"{in_words(share)} of {share.n}{f' ({where})' if where else ''}"


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


def looks(trialled: Trialled) -> str:
    """Where the old model looks in the judged images; "" where no place was found for enough of them."""
    areas = [one for one in trialled.changes if one.kind == "area"]
    judged = measured(arm_of(trialled, "untouched"), "accuracy")
    if not areas or judged is None:
        return ""
    areas.sort(key=lambda one: -one.before.n)
    *most, last = (f"the {one.name.removeprefix(LOOKS_AT)} of {one.before.n}" for one in areas)
    places = f"{', '.join(most)} and {last}" if most else last
    return f"The old model looks at {places} of the {judged.n} judged images."


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

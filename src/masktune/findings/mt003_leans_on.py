"""MT003: how much hangs on the area that it looks at?"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from masktune.evaluation import Predictions, Rate, bootstrap_interval, compare, wilson
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import AREAS, Area, Observed

SMALL = 0.05
"""Share of the picture that is called a small area: a third of what an object usually takes."""
MORE = 0.3
"""So many more flips than with a random area, at the lower end of the interval, are remarkable."""

NAMES: Mapping[Area, str] = {"salient": "salient", "random": "random", "least_salient": "least salient"}


def ask(observed: Observed) -> list[Finding]:
    """Flip rate and accuracy with each area hidden, and the differences on the same images."""
    hidden = observed.hidden > 0
    if not hidden.any():
        return [
            QUESTION.finding("not_applicable", "no image has an area that is looked at: all maps are empty")
        ]
    flips = {area: flipped(observed, area) for area in AREAS}
    more = flips["salient"].astype(float) - flips["random"]
    low, high = bootstrap_interval(more, observed.predictions.subjects)
    value, area = float(more.mean()), float(observed.hidden.mean())
    evidence = (
        *(
            Evidence.of(f"flip rate, {NAMES[name]} area hidden", rate_of(observed, flips[name]))
            for name in AREAS
        ),
        Evidence("flip rate, salient minus random", value, len(more), low, high),
        *_accuracies(observed),
        Evidence("share of the picture that is hidden, mean", area, len(more)),
    )
    small = area <= SMALL and low >= MORE
    reason = (
        f"{_percent(flips['salient'])} of its answers change when the area it looks at is hidden "
        f"({100 * area:.1f} % of the picture), {_percent(flips['random'])} with as much hidden elsewhere"
    )
    advice = (
        "A small area decides. Look in the gallery whether it is the object or its mark; MT002 and MT005 to "
        "MT011 ask for marks."
    )
    changed = observed.ids[flips["salient"] & ~flips["random"]]
    return [
        QUESTION.finding(
            "hint" if small else "passed",
            reason,
            evidence=evidence,
            advice=advice if small else "",
            samples=tuple(changed[:12].tolist()),
        )
    ]


def flipped(observed: Observed, area: Area) -> Bool[np.ndarray, " n"]:
    """Which images get another class when that area is hidden."""
    return np.asarray(observed.hidden_logits[area].argmax(1) != observed.predictions.predicted)


def rate_of(observed: Observed, values: Bool[np.ndarray, " n"]) -> Rate:
    """A rate over images, its interval over subjects where these are known."""
    rate = wilson(int(values.sum()), len(values))
    subjects = observed.predictions.subjects
    if subjects is None or not 0 < values.sum() < len(values):
        return rate
    return Rate(rate.value, rate.n, *bootstrap_interval(values.astype(float), subjects))


def hidden_predictions(observed: Observed, area: Area) -> Predictions:
    """What it says of the same images with that area hidden."""
    before = observed.predictions
    return Predictions(
        observed.hidden_logits[area],
        before.labels,
        before.ids,
        before.classes,
        before.groups,
        before.subjects,
    )


def _accuracies(observed: Observed) -> list[Evidence]:
    if not observed.same_classes:
        return []
    plain = Predictions(
        observed.predictions.logits, observed.labels, observed.ids, subjects=observed.predictions.subjects
    )
    found = [Evidence.of("accuracy", rate_of(observed, plain.correct))]
    found += [
        Evidence.of(
            f"accuracy, {NAMES[area]} area hidden",
            rate_of(observed, hidden_predictions(observed, area).correct),
        )
        for area in AREAS
    ]
    for area in AREAS[1:]:
        change = compare(hidden_predictions(observed, area), hidden_predictions(observed, "salient"))
        name = f"accuracy, salient minus {NAMES[area]} area hidden"
        found.append(Evidence(name, change.difference, change.n, change.low, change.high, change.p_value))
    return found


def _percent(values: Bool[np.ndarray, " n"] | Float64[np.ndarray, " n"]) -> str:
    return f"{100 * float(values.mean()):.0f} %"


QUESTION = Question("MT003", "How much hangs on the area that it looks at?", ask)

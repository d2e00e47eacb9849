"""MT003: how much hangs on the area that it looks at?"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from masktune.evaluation import compare, holm
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import AREAS, SAMPLES, Area, Observed
from masktune.findings.probing import rate

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
    flips = {area: observed.flipped(area) for area in AREAS}
    subjects = observed.predictions.subjects
    more = flips["salient"].astype(float) - flips["random"]
    over = Evidence.mean("flip rate, salient minus random", more, subjects)
    share = Evidence.mean("share of the picture that is hidden, mean", observed.hidden, subjects)
    area = share.value or 0.0
    evidence = (
        *(
            Evidence.of(f"flip rate, {NAMES[name]} area hidden", rate(flips[name], observed.units))
            for name in AREAS
        ),
        over,
        *_accuracies(observed),
        share,
    )
    small = area <= SMALL and (over.low or 0) >= MORE
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
            samples=tuple(changed[:SAMPLES].tolist()),
        )
    ]


def _accuracies(observed: Observed) -> list[Evidence]:
    if not observed.same_classes:
        return []
    said = {area: observed.predictions_without(area) for area in AREAS}
    found = [Evidence.of("accuracy", rate(observed.predictions.correct, observed.units))]
    found += [
        Evidence.of(f"accuracy, {name} area hidden", rate(said[area].correct, observed.units))
        for area, name in NAMES.items()
    ]
    changes = {area: compare(said[area], said["salient"]) for area in AREAS[1:]}
    p_values = holm([change.p_value for change in changes.values()])
    for (area, change), p_value in zip(changes.items(), p_values, strict=True):
        name = f"accuracy, salient minus {NAMES[area]} area hidden"
        found.append(Evidence(name, change.difference, change.n, change.low, change.high, p_value))
    return found


def _percent(values: Bool[np.ndarray, " n"] | Float64[np.ndarray, " n"]) -> str:
    return f"{100 * float(values.mean()):.0f} %"


QUESTION = Question("MT003", "How much hangs on the area that it looks at?", ask)

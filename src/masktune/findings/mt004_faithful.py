"""MT004: does the map show what the classifier uses? The deletion test."""

import numpy as np
from jaxtyping import Float64

from masktune.evaluation.predictions import softmax
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import AREAS, SAMPLES, Area, Observed
from masktune.findings.probing import rate

MANY = 0.2
"""From this share of empty maps on, what is said of attention is said of too few images."""

_FEW = (
    "The heat maps show what it uses, where there are any; of the other images nothing is said about places. "
    "Try another layer (--layer) or formula (--saliency layercam)."
)

_ADVICE = (
    "Do not trust the heat maps of this classifier: what is said of places (MT001, MT003) may be the map's "
    "fault. Try another layer (--layer) or formula (--saliency layercam)."
)


def ask(observed: Observed) -> list[Finding]:
    """The score of the explained class must fall more when the salient area is hidden than a random one."""
    shown = observed.hidden > 0
    empty = float(1 - shown.mean())
    if not shown.any():
        reason = "all maps are empty: nothing speaks for the class that is given"
        return [QUESTION.finding("not_applicable", reason)]
    falls = {area: fall(observed, area)[shown] for area in AREAS}
    subjects = observed.subjects_of(shown)
    evidence = [
        Evidence.mean(f"fall of its probability, {area.replace('_', ' ')} area hidden", falls[area], subjects)
        for area in AREAS
    ]
    over = Evidence.mean("fall, salient minus random", falls["salient"] - falls["random"], subjects)
    empties = Evidence.of("share of images with nothing hidden", rate(~shown, observed.units))
    better = over.low is not None and over.low > 0
    reason = (
        "the probability of the class falls by "
        f"{100 * (evidence[0].value or 0):.0f} points when the area it looks at is hidden, by "
        f"{100 * (evidence[1].value or 0):.0f} when as much is hidden elsewhere"
    )
    if better and empty > MANY:
        reason += f"; but {100 * empty:.0f} % of the images have no map"
    good = better and empty <= MANY
    return [
        QUESTION.finding(
            "passed" if good else "hint",
            reason,
            evidence=(*evidence, over, empties),
            advice="" if good else _FEW if better else _ADVICE,
            samples=() if good else tuple(observed.ids[~shown][:SAMPLES].tolist()),
        )
    ]


def fall(observed: Observed, area: Area) -> Float64[np.ndarray, " n"]:
    """How far the probability of the explained class falls with that area hidden, -1 to 1."""
    rows, said = np.arange(len(observed)), observed.predictions.predicted
    before = observed.predictions.probabilities[rows, said]
    return np.asarray(before - softmax(observed.hidden_logits[area])[rows, said])


QUESTION = Question("MT004", "Does the map show what the classifier uses?", ask)

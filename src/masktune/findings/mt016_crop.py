"""Whether the net's crop leaves out what tells the class."""

import numpy as np

from masktune.evaluation import Rate, difference
from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import SAMPLES, Observed
from masktune.findings.probing import rates_within

LITTLE = 0.75
"""Mean share of the picture in the net's input below which a look is due."""

UNEVEN = 0.1
"""Difference of two classes' mean shares: the crop then treats them differently."""

HALF_BLIND = 0.6
"""Share seen of an image below which it counts as cut away in good part."""

LOSS = 0.1
"""Accuracy that such images must lose for a problem."""

LEAST = 10
"""Images of a class, or on each side, below which they are not compared."""


def ask(observed: Observed) -> list[Finding]:
    """How much of the picture lies in the net's input, by class, and whether accuracy suffers."""
    if len(observed) < LEAST:
        return [QUESTION.finding("not_applicable", f"there are fewer than {LEAST} images")]
    mean = float(observed.seen.mean())
    evidence = [Evidence("share of the picture in the net's input", mean, len(observed))]
    most, least, classes = _by_class(observed)
    evidence += classes
    gap = _loss(observed)
    if gap.value is not None:
        evidence.append(Evidence.of(f"accuracy where less than {HALF_BLIND} is seen minus elsewhere", gap))
    if gap.value is not None and gap.high is not None and gap.value <= -LOSS and gap.high < 0:
        points = f"{-100 * gap.value:.0f} points of accuracy"
        reason = f"images of which less than {HALF_BLIND:.0%} is seen lose {points}"
        return [_finding("problem", reason, evidence, observed)]
    if most[0] - least[0] > UNEVEN:
        reason = f"of {most[1]} {most[0]:.0%} of the picture is seen, of {least[1]} {least[0]:.0%}"
        return [_finding("hint", reason, evidence, observed, about={"class": least[1]})]
    if mean < LITTLE:
        return [_finding("hint", f"the net sees {mean:.0%} of the picture", evidence, observed)]
    reason = f"the net sees {mean:.0%} of the picture, of no class much less"
    return [QUESTION.finding("passed", reason, evidence=tuple(evidence))]


def _by_class(observed: Observed) -> tuple[tuple[float, str], tuple[float, str], list[Evidence]]:
    """The class of which most is seen and the one of which least is, and both as evidence."""
    means = []
    for label, name in enumerate(observed.data_classes):
        own = observed.seen[observed.labels == label]
        if len(own) >= LEAST:
            means.append((float(own.mean()), name, len(own)))
    if not means:
        return (0.0, ""), (0.0, ""), []
    ends = [max(means), min(means)]
    evidence = [Evidence(f"share of the picture seen of {name}", mean, n) for mean, name, n in ends]
    return ends[0][:2], ends[1][:2], evidence if len(means) > 1 else []


def _loss(observed: Observed) -> Rate:
    """Accuracy of the images that are cut away in good part minus that of the others; None: not asked.

    Within classes: of wide pictures more may show the class that is harder anyway.
    """
    cut = observed.seen < HALF_BLIND
    if not observed.same_classes or min(cut.sum(), (~cut).sum()) < LEAST:
        return Rate(None, 0)
    right, units = observed.predictions.correct, observed.units
    return difference(*rates_within(right, observed.labels, units, ~cut, cut))


def _finding(
    verdict: Verdict,
    reason: str,
    evidence: list[Evidence],
    observed: Observed,
    about: dict[str, str] | None = None,
) -> Finding:
    return QUESTION.finding(
        verdict,
        reason,
        evidence=tuple(evidence),
        advice="Look whether the object is cut off. Squash or pad instead of cropping, or crop less; train "
        "and scan in the same way.",
        about=about or {},
        samples=tuple(observed.ids[np.argsort(observed.seen, kind="stable")[:SAMPLES]].tolist()),
    )


QUESTION = Question(code="MT016", title="Does the crop leave out what tells the class?", ask=ask)

"""Whether the net's crop leaves out what tells the class."""

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import difference
from masktune.evaluation.association import range_of_means
from masktune.evaluation.within import within_classes
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

ALPHA = 0.05
"""Of p-values: a loss, and classes of which unlike shares are seen, must be more than chance."""


def ask(observed: Observed) -> list[Finding]:
    """How much of the picture lies in the net's input, by class, and whether accuracy suffers."""
    if len(observed) < LEAST:
        return [QUESTION.finding("not_applicable", f"there are fewer than {LEAST} images")]
    subjects = observed.predictions.subjects
    whole = Evidence.mean("share of the picture in the net's input", observed.seen, subjects)
    most, least, classes = _by_class(observed)
    loss = _loss(observed)
    evidence, mean = [whole, *classes, *([] if loss is None else [loss])], whole.value or 0.0
    if loss is not None and _is_problem(loss):
        points = f"{-100 * (loss.value or 0.0):.0f} points of accuracy"
        reason = f"images of which less than {HALF_BLIND:.0%} is seen lose {points}"
        return [_finding("problem", reason, evidence, observed)]
    if _are_unlike(classes):
        reason = f"of {most[1]} {most[0]:.0%} of the picture is seen, of {least[1]} {least[0]:.0%}"
        return [_finding("hint", reason, evidence, observed, about={"class": least[1]})]
    if mean < LITTLE:
        return [_finding("hint", f"the net sees {mean:.0%} of the picture", evidence, observed)]
    reason = f"the net sees {mean:.0%} of the picture, of no class much less"
    return [QUESTION.finding("passed", reason, evidence=tuple(evidence))]


def _by_class(observed: Observed) -> tuple[tuple[float, str], tuple[float, str], list[Evidence]]:
    """The class of which most is seen, the one of which least is, both as evidence; how far they lie apart
    where that is more than `UNEVEN`.
    """
    counts = np.bincount(observed.labels, minlength=len(observed.data_classes))
    enough = np.flatnonzero(counts >= LEAST).tolist()
    if not enough:
        return (0.0, ""), (0.0, ""), []
    means = {label: float(observed.seen[observed.labels == label].mean()) for label in enough}
    ends = [
        pick(enough, key=lambda label: (means[label], observed.data_classes[label])) for pick in (max, min)
    ]
    most, least = ((means[label], observed.data_classes[label]) for label in ends)
    if len(enough) < 2:
        return most, least, []
    evidence = [_seen_of(observed, label) for label in ends]
    if most[0] - least[0] > UNEVEN:
        evidence.append(_apart(observed, np.isin(observed.labels, enough)))
    return most, least, evidence


def _seen_of(observed: Observed, label: int) -> Evidence:
    own = observed.labels == label
    subjects = observed.predictions.subjects
    name = f"share of the picture seen of {observed.data_classes[label]}"
    return Evidence.mean(name, observed.seen[own], None if subjects is None else subjects[own])


def _apart(observed: Observed, chosen: Bool[np.ndarray, " n"]) -> Evidence:
    """How far classes' means lie apart, and how often they do where shares are dealt out anew."""
    apart, p_value = range_of_means(observed.seen[chosen], observed.labels[chosen], observed.units[chosen])
    name = "largest less smallest share seen of a class"
    return Evidence(name, apart, int(chosen.sum()), p_value=p_value)


def _are_unlike(classes: list[Evidence]) -> bool:
    """Whether the third number of `_by_class` is there, so means lie apart, and is more than chance."""
    return len(classes) > 2 and (classes[2].p_value or 0.0) < ALPHA


def _loss(observed: Observed) -> Evidence | None:
    """Accuracy of the images that are cut away in good part minus that of the others; None: not asked.

    Within classes: of wide pictures more may show the class that is harder anyway.
    """
    cut = observed.seen < HALF_BLIND
    if not observed.same_classes or min(cut.sum(), (~cut).sum()) < LEAST:
        return None
    right, units = observed.predictions.correct, observed.units
    gap = difference(*rates_within(right, observed.labels, units, ~cut, cut))
    if gap.value is None:
        return None
    codes = cut.astype(np.int64)
    (depends,) = within_classes(right[:, None].astype(np.float64), [codes], observed.labels, units)
    name = f"accuracy where less than {HALF_BLIND} is seen minus elsewhere"
    return Evidence(name, gap.value, gap.n, gap.low, gap.high, depends.p_value)


def _is_problem(loss: Evidence) -> bool:
    """Ten points or more, the whole interval below 0, and not a matter of chance."""
    sure = loss.high is not None and loss.high < 0 and (loss.p_value or 0.0) < ALPHA
    return loss.value is not None and loss.value <= -LOSS and sure


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

"""Which classes and images are most at risk: often wrong, or right only as long as one area is there."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import Rate
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import SAMPLES, Observed
from masktune.findings.probing import rate

WORSE = 0.1
"""How far a class must clearly lie behind the mean of the others."""

LEAST = 10
"""Images of a class below which it is not compared."""

SHOWN = 3
"""Classes that are listed, the worst first."""


def ask(observed: Observed) -> list[Finding]:
    """Accuracy and flip rate by class; the images with the least margin."""
    labels = [
        label for label in range(len(observed.data_classes)) if (observed.labels == label).sum() >= LEAST
    ]
    if len(labels) < 2:
        return [QUESTION.finding("not_applicable", f"fewer than two classes have {LEAST} images or more")]
    evidence: list[Evidence] = []
    behind: list[tuple[str, str]] = []
    for what, which, sign in _measures(observed):
        own = {label: observed.labels == label for label in labels}
        rates = {label: rate(which[own[label]], observed.units[own[label]]) for label in labels}
        worst = sorted(rates, key=lambda label: -sign * (rates[label].value or 0.0))
        names = {label: observed.data_classes[label] for label in worst}
        evidence += [Evidence.of(f"{what}, {names[label]}", rates[label]) for label in worst[:SHOWN]]
        behind += [(what, names[label]) for label in worst if _behind(rates, label, sign)]
    if not evidence:
        reason = "neither the true classes nor hidden areas are known to the classifier"
        return [QUESTION.finding("not_applicable", reason)]
    return [_judge(observed, behind, tuple(evidence))]


def _measures(observed: Observed) -> Iterator[tuple[str, Bool[np.ndarray, " n"], int]]:
    """What can be asked of each image, yes or no, and whether yes is worse (1) or better (-1)."""
    flips = _flips(observed)
    if observed.same_classes:
        yield "accuracy", observed.predictions.correct, -1
    if flips is not None:
        yield "flip rate with the salient area hidden", flips, 1


def _flips(observed: Observed) -> Bool[np.ndarray, " n"] | None:
    """Where the predicted class changes with the salient area hidden; None where that was not tried."""
    return observed.flipped("salient") if "salient" in observed.hidden_logits else None


def _behind(rates: dict[int, Rate], label: int, sign: int) -> bool:
    """Whether the whole interval of a class lies `WORSE` beyond the mean of the others, towards the worse."""
    others = float(np.mean([each.value or 0.0 for key, each in rates.items() if key != label]))
    own = rates[label]
    if own.low is None or own.high is None:
        return False
    return own.low > others + WORSE if sign > 0 else own.high < others - WORSE


def _judge(observed: Observed, behind: list[tuple[str, str]], evidence: tuple[Evidence, ...]) -> Finding:
    samples = _samples(observed)
    if not behind:
        reason = "no class is clearly worse off than the others by 10 points"
        return QUESTION.finding("passed", reason, evidence=evidence, samples=samples)
    said = "; ".join(
        f"{', '.join(name for what, name in behind if what == each)} ({each})"
        for each in dict.fromkeys(what for what, _ in behind)
    )
    return QUESTION.finding(
        "hint",
        f"worse off than the other classes by 10 points or more: {said}",
        evidence=evidence,
        advice="Look at the samples. Low accuracy wants more or better images of the class; many flips mean "
        "that it hangs on one area: see what lies there, then mask it and tune.",
        about={"class": behind[0][1]},
        samples=samples,
    )


def _samples(observed: Observed) -> tuple[str, ...]:
    """12 images: up to 6 that are right but flip, then others; of both the lowest margin first."""
    flips = _flips(observed)
    if not observed.same_classes:
        return () if flips is None else tuple(observed.ids[flips][:SAMPLES].tolist())
    order = np.argsort(observed.margin, kind="stable")
    fragile = order[(observed.predictions.correct & flips)[order]][:6] if flips is not None else order[:0]
    rows = np.concatenate([fragile, order[~np.isin(order, fragile)]])
    return tuple(observed.ids[rows[:SAMPLES]].tolist())


QUESTION = Question(code="MT017", title="Which classes and images are most at risk?", ask=ask)

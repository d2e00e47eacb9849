"""Which classes and images are most at risk: often wrong, or right only as long as one area is there."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import Rate, holm
from masktune.evaluation.association import contingency, independence
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import SAMPLES, Observed
from masktune.findings.probing import Whole, rate

WORSE = 0.1
"""How far a class must clearly lie behind the mean of the others."""

LEAST = 10
"""Images of a class below which it is not compared."""

ALPHA = 0.05
"""Of p-values after Holm's correction over the classes."""

SHOWN = 3
"""Classes that are listed, the worst first."""


def ask(observed: Observed) -> list[Finding]:
    """Accuracy and flip rate by class; the images with the least margin.

    Only accuracy is judged. Whatever is hidden, some class is what a picture with little in it looks like to
    the classifier; its images hardly flip and the others' do, with or without a shortcut.
    """
    labels = [
        label for label in range(len(observed.data_classes)) if (observed.labels == label).sum() >= LEAST
    ]
    if len(labels) < 2:
        return [QUESTION.finding("not_applicable", f"fewer than two classes have {LEAST} images or more")]
    right = observed.predictions.correct if observed.same_classes else None
    flips = _flips(observed)
    if right is None and flips is None:
        reason = "neither the true classes nor hidden areas are known to the classifier"
        return [QUESTION.finding("not_applicable", reason)]
    evidence, behind = [], []
    if right is not None:
        rates = _rates(observed, labels, right)
        worst = sorted(rates, key=lambda label: rates[label].value or 0.0)
        p_values = _by_chance(observed, rates, right)
        evidence += _evidence(observed, "accuracy", rates, worst, p_values)
        behind = [observed.data_classes[label] for label in worst if p_values.get(label, 1.0) < ALPHA]
    if flips is not None:
        rates = _rates(observed, labels, flips)
        most = sorted(rates, key=lambda label: -(rates[label].value or 0.0))
        evidence += _evidence(observed, "flip rate with the salient area hidden", rates, most, {})
    return [_judge(observed, behind, tuple(evidence))]


def _flips(observed: Observed) -> Bool[np.ndarray, " n"] | None:
    """Where the predicted class changes with the salient area hidden; None where that was not tried."""
    return observed.flipped("salient") if "salient" in observed.hidden_logits else None


def _rates(observed: Observed, labels: list[int], which: Bool[np.ndarray, " n"]) -> dict[int, Rate]:
    own = {label: observed.labels == label for label in labels}
    return {label: rate(which[own[label]], observed.units[own[label]]) for label in labels}


def _evidence(
    observed: Observed, what: str, rates: dict[int, Rate], worst: list[int], p_values: dict[int, float]
) -> list[Evidence]:
    shown = {
        label: Evidence.of(f"{what}, {observed.data_classes[label]}", rates[label]) for label in worst[:SHOWN]
    }
    return [replace(one, p_value=p_values.get(label)) for label, one in shown.items()]


def _behind(accuracies: dict[int, Rate], label: int) -> bool:
    """Whether the whole interval of a class lies `WORSE` below the mean of the others."""
    others = float(np.mean([each.value or 0.0 for key, each in accuracies.items() if key != label]))
    high = accuracies[label].high
    return high is not None and high < others - WORSE


def _by_chance(
    observed: Observed, accuracies: dict[int, Rate], right: Bool[np.ndarray, " n"]
) -> dict[int, float]:
    """P-values of the classes that lie behind, corrected as if those of all others were 1."""
    behind = [label for label in accuracies if _behind(accuracies, label)]
    chosen = np.isin(observed.labels, list(accuracies))
    said, units = right[chosen].astype(np.int64), observed.units[chosen]
    p_values = [_p_value(said, observed.labels[chosen] == label, units) for label in behind]
    rest = [1.0] * (len(accuracies) - len(behind))
    return dict(zip(behind, holm([*p_values, *rest]), strict=False))


def _p_value(right: Whole, own: Bool[np.ndarray, " n"], units: Whole) -> float:
    """Whether right goes with the class: Fisher's exact test, or permutation of subjects."""
    from scipy.stats import fisher_exact

    if len(np.unique(units)) < len(units):
        return independence(right, own.astype(np.int64), units)
    table = contingency(right, own.astype(np.int64), 2, 2)
    return float(fisher_exact(table).pvalue)


def _judge(observed: Observed, behind: list[str], evidence: tuple[Evidence, ...]) -> Finding:
    samples = _samples(observed)
    if not behind:
        reason = (
            "no class's accuracy clearly lies 10 points behind the others"
            if observed.same_classes
            else "accuracy cannot be told, since the classifier has its own classes"
        )
        return QUESTION.finding("passed", reason, evidence=evidence, samples=samples)
    return QUESTION.finding(
        "hint",
        f"accuracy lies 10 points or more behind the other classes': {', '.join(behind)}",
        evidence=evidence,
        advice="Look at the samples. Low accuracy wants more or better images of the class. Flip rates stand "
        "beside it and are not judged: where samples are right but flip, see what lies in the area that it "
        "looks at, and mask it if it is not the object.",
        about={"class": behind[0]},
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

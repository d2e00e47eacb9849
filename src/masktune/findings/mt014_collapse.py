"""Whether the classifier says the same whatever it is shown."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import SAMPLES, Observed

LEAST = 20
"""Images, of a class or in all, from which sameness is a problem and no accident."""

SAME = 1e-5
"""Range of a logit over all images, beside its size, that is rounding."""

SATURATED = 0.9999
"""Probability of the predicted class that leaves confidence nothing to say."""

_LOOK = (
    "Check that the weights were loaded into all layers, that images are normalised as in training, "
    "and that the head has the classes in this order."
)


def ask(observed: Observed) -> list[Finding]:
    """One finding for the worst sameness, one for saturated probabilities."""
    if len(observed) < 2:
        return [QUESTION.finding("not_applicable", "there are fewer than two images to compare")]
    found = [*_constant(observed), *_saturated(observed)]
    if found:
        return found
    count = len(np.unique(observed.predictions.predicted))
    evidence = (Evidence("classes that are predicted", float(count), len(observed)),)
    return [QUESTION.finding("passed", "predictions and logits vary with the image", evidence=evidence)]


def _constant(observed: Observed) -> Iterator[Finding]:
    """At most one: identical logits, else one class for all, else classes that are never predicted."""
    n, logits, predicted = len(observed), observed.predictions.logits, observed.predictions.predicted
    verdict: Verdict = "problem" if n >= LEAST else "hint"
    if (np.ptp(logits, axis=0) <= SAME * (1 + np.abs(logits).max(axis=0))).all():
        evidence = (Evidence("greatest range of a logit", float(np.ptp(logits, axis=0).max()), n),)
        reason = "the logits are the same for all images: the net does not see them"
        yield QUESTION.finding(verdict, reason, evidence=evidence, advice=_LOOK)
        return
    present = np.unique(observed.labels)
    if len(np.unique(predicted)) == 1:
        name = observed.net_classes[predicted[0]]
        if len(present) == 1 and observed.same_classes and predicted[0] == present[0]:
            return  # One class in the data, and it is found.
        evidence = (Evidence("classes that are predicted", 1.0, n),)
        reason = f"all {n} images are called {name}"
        yield QUESTION.finding(verdict, reason, evidence=evidence, advice=_LOOK, about={"class": name})
    elif observed.same_classes:
        yield from _never(observed, np.setdiff1d(present, predicted))


def _never(observed: Observed, missing: Int64[np.ndarray, " m"]) -> Iterator[Finding]:
    if not len(missing):
        return
    counts = np.bincount(observed.labels)[missing]
    order = np.argsort(-counts, kind="stable")
    names = [observed.data_classes[label] for label in missing[order].tolist()]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    (rows,) = np.nonzero(observed.labels == missing[order[0]])
    yield QUESTION.finding(
        "problem" if counts.max() >= LEAST else "hint",
        f"no image is called {', '.join(names[:5])}{more}, though the data have such images",
        evidence=tuple(
            Evidence(f"images of {name}", float(count), len(observed))
            for name, count in zip(names[:5], counts[order].tolist(), strict=False)
        ),
        advice=f"{_LOOK} If all that is so, the class was too rare in training: weigh it up or collect more.",
        about={"class": names[0]},
        samples=tuple(observed.ids[rows[:SAMPLES]].tolist()),
    )


def _saturated(observed: Observed) -> Iterator[Finding]:
    highest = observed.predictions.probabilities.max(axis=1)
    if highest.min() > SATURATED:
        yield QUESTION.finding(
            "hint",
            f"every image has a probability above {SATURATED} for its predicted class",
            evidence=(
                Evidence("least probability of a predicted class", float(highest.min()), len(observed)),
            ),
            advice="On images that were trained on this is common. On others it means that probabilities say "
            "nothing about certainty, or that logits were scaled: calibrate before you set a threshold.",
        )


QUESTION = Question(code="MT014", title="Does the classifier say the same whatever it sees?", ask=ask)

"""Whether the weights belong to this task: better than chance, with the classes in this order?"""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from masktune.evaluation import Predictions, Rate, balanced_accuracy, wilson
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import Observed

MOST_CLASSES = 10
"""Classes up to which another order is looked for."""

NEAR = 0.3
"""Part of the way from chance to perfect that a classifier of this task must have gone."""

_ADVICE = (
    "Are these weights of this task, is the list of classes right, are images normalised as in training?"
)


def ask(observed: Observed) -> list[Finding]:
    """Hold the balanced accuracy against chance, and against another order of the classes."""
    present = np.unique(observed.labels)
    if not observed.same_classes:
        reason = "the net has classes of its own, so right and wrong cannot be told"
        return [QUESTION.finding("not_applicable", reason)]
    if len(present) < 2:
        return [QUESTION.finding("not_applicable", "there are images of only one class")]
    found, chance = balanced_accuracy(observed.predictions), 1 / len(present)
    evidence = (
        Evidence.of("balanced accuracy", found),
        Evidence("balanced accuracy by chance", chance, len(observed)),
    )
    order = other_order(observed.predictions)
    if order is not None:
        return [_reordered(observed, order, evidence)]
    return [_beside_chance(found, chance, evidence)]


def _beside_chance(found: Rate, chance: float, evidence: tuple[Evidence, ...]) -> Finding:
    low, high = found.low or 0.0, 1.0 if found.high is None else found.high
    beside = f"{100 * (found.value or 0.0):.0f} % (classes alike), {100 * chance:.0f} % by chance"
    enough = chance + NEAR * (1 - chance)
    if low > chance and (found.value or 0.0) >= enough:
        return QUESTION.finding("passed", f"accuracy is above chance: {beside}", evidence=evidence)
    if low > chance:
        reason = f"accuracy is hardly above chance: {beside}"
        return QUESTION.finding("hint", reason, evidence=evidence, advice=_ADVICE)
    if high < enough:
        reason = f"accuracy is at chance or below: {beside}; are these weights of this task?"
        return QUESTION.finding("problem", reason, evidence=evidence, advice=_ADVICE)
    reason = f"{found.n} images are too few to tell this accuracy from chance: {beside}"
    return QUESTION.finding("hint", reason, evidence=evidence, advice=f"Scan more images. {_ADVICE}")


def other_order(predictions: Predictions) -> Int64[np.ndarray, " k"] | None:
    """The class that each column of logits stands for, where that is clearly another than its own.

    Of all orders the one with the largest balanced accuracy (linear assignment). It must put right more than
    half of each class that it moves, and beat the given order beyond both intervals: a classifier that merely
    confuses two classes does not take each of them for the other most of the time.
    """
    from scipy.optimize import linear_sum_assignment

    count = predictions.logits.shape[1]
    if count > MOST_CLASSES:
        return None
    called = np.zeros((count, count))
    np.add.at(called, (predictions.labels, predictions.predicted), 1)
    images = called.sum(axis=1)
    column = linear_sum_assignment(-called / np.maximum(images, 1)[:, None])[1]
    moved = [label for label in range(count) if column[label] != label and images[label]]
    rates = [wilson(called[label, column[label]], int(images[label])) for label in moved]
    if not moved or any(rate.low is None or rate.low <= 0.5 for rate in rates):
        return None
    better = balanced_accuracy(replace(predictions, logits=predictions.logits[:, column]))
    given = balanced_accuracy(predictions)
    if better.low is None or given.high is None or better.low <= given.high:
        return None
    return np.asarray(np.argsort(column))


def _reordered(observed: Observed, order: Int64[np.ndarray, " k"], evidence: tuple[Evidence, ...]) -> Finding:
    names = ", ".join(observed.data_classes[label] for label in order.tolist())
    right = order[observed.predictions.predicted] == observed.labels
    (wrong,) = np.nonzero(~observed.predictions.correct)
    return QUESTION.finding(
        "problem",
        f"the classes seem to be in another order: the logits fit {names}",
        evidence=(*evidence, Evidence.of("accuracy in that order", wilson(int(right.sum()), len(right)))),
        advice="Pass the classes in the order of training. If it is right as it is, the classifier goes by "
        "something that here points to the wrong class, as on images that contradict a shortcut.",
        samples=tuple(observed.ids[wrong[:12]].tolist()),
    )


QUESTION = Question(code="MT015", title="Do the weights belong to this task and its classes?", ask=ask)

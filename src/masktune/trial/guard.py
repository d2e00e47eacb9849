"""The guard: a tuning epoch that breaks the classifier is noticed, and the old model is kept.

It is needed: on textured made images black patches on all tuning images wreck small nets, since training sees
a patch in every image and the test none. What is worse but no wreck is left to the controls and the verdict.
"""

import numpy as np
from jaxtyping import Bool

from masktune.evaluation import Predictions
from masktune.evaluation.predictions import softmax

LOST = 0.2
"""Accuracy on held-back training images that may be lost; what is beyond is no longer the same classifier."""

LOST_FOR_NOTHING = 0.05
"""The same, where nothing was learnt from the masked images."""

RARE = 0.2
"""Of a class's share among the answers, what must remain."""

SURE = 0.01
"""P-value below which right answers are lost for certain. Weights know by heart what is held back of the
images that they were trained on, so one more epoch loses some of it anyway."""

ENOUGH = 20
"""Held-back images from which on their mean loss says something; of five one sure error would decide."""

WORSE = 2.0
"""Held-back loss that is allowed, in the loss of always giving the classes' shares."""


def collapsed(before: Predictions, after: Predictions, masked: Predictions | None = None) -> str | None:
    """Why a tuned classifier is no longer one, in words; None where it is.

    Args:
        before: of the untouched classifier, on training images that were not tuned on.
        after: of the tuned one, on the same images.
        masked: of the tuned one, on images that it was tuned on, hidden as they were; None where none were.
    """
    return (
        _vanished(before, after)
        or _less_accurate(before, after)
        or _surer_than_right(before, after)
        or (None if masked is None else _found_nothing(before, after, masked))
    )


def _found_nothing(before: Predictions, after: Predictions, masked: Predictions) -> str | None:
    """Under the masks no better than one answer to all, and worse without them."""
    lost = _lost(before, after)
    counts = np.bincount(masked.labels)
    right, one_answer = float(masked.correct.mean()), float(counts.max() / len(masked))
    if right > one_answer or lost <= LOST_FOR_NOTHING or _chance(before.correct, after.correct) >= SURE:
        return None
    names = masked.classes or tuple(map(str, range(len(counts))))
    return (
        f"it is right on {100 * right:.0f} % of the masked images that it was tuned on, no more than always "
        f"saying {names[int(counts.argmax())]!r} would be, and lost {100 * lost:.0f} points without masks"
    )


def _vanished(before: Predictions, after: Predictions) -> str | None:
    """A class that is hardly given any more, and was given rightly."""
    names = after.classes or tuple(map(str, range(after.logits.shape[1])))
    shares = [
        np.bincount(one.predicted, minlength=len(names)) / len(one.predicted) for one in (before, after)
    ]
    for label, (name, old, new) in enumerate(zip(names, *shares, strict=True)):
        own = before.labels == label
        if new < RARE * old and _chance(before.correct[own], after.correct[own]) < SURE / len(names):
            return f"{name!r} was {100 * old:.0f} % of its answers and is {100 * new:.0f} % now"
    return None


def _less_accurate(before: Predictions, after: Predictions) -> str | None:
    lost = _lost(before, after)
    if lost <= LOST or _chance(before.correct, after.correct) >= SURE:
        return None
    return f"it lost {100 * lost:.0f} points of accuracy on training images that were held back"


def _chance(before: Bool[np.ndarray, " n"], after: Bool[np.ndarray, " n"]) -> float:
    """That as many right answers are lost, of those that changed, where none is: a one-sided sign test."""
    from scipy.stats import binom

    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return float(binom.cdf(gained, gained + lost, 0.5))


def _lost(before: Predictions, after: Predictions) -> float:
    """Accuracy that was lost on the same images; counted first, so that a fifth lost is 0.2 to the bit."""
    return (int(before.correct.sum()) - int(after.correct.sum())) / len(before)


def _surer_than_right(before: Predictions, after: Predictions) -> str | None:
    """A loss beyond that of guessing: wrong, and sure of it."""
    if len(after) < ENOUGH:
        return None
    loss, guessing = _loss(after), _loss_of_guessing(after)
    if guessing == 0 or loss <= max(WORSE * guessing, 2 * _loss(before)):  # Of one class nothing is guessed.
        return None
    return (
        f"its loss on training images that were held back is {loss:.2f}; guessing by the classes' shares has "
        f"{guessing:.2f}"
    )


def _loss(predictions: Predictions) -> float:
    """Mean cross-entropy, in nats."""
    rows = np.arange(len(predictions))
    return float(-np.log(np.maximum(softmax(predictions.logits)[rows, predictions.labels], 1e-12)).mean())


def _loss_of_guessing(predictions: Predictions) -> float:
    """The loss of giving each class its share."""
    shares = np.bincount(predictions.labels) / len(predictions)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())

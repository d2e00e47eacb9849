"""What a person's labels of some images say of the arms: groups that neither arms nor verdict have seen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from masktune.evaluation import Measure, Predictions
from masktune.evaluation.weighted import labelled_group_accuracy
from masktune.findings.review_answers import Groups

REVIEW = "review"
"""Under which these numbers stand among the splits of an arm: judged images that a person labelled."""

_ELSEWHERE = ""
"""The group of labelled images that are not judged on; no class and pattern has that name."""


def measure_reviewed(predictions: Predictions, groups: Groups) -> tuple[Measure, ...]:
    """Accuracy by group of the judged images, estimated from those of them that were labelled.

    The review was drawn from all images; those that are not judged on stay in the sample, in no group, so
    that the weights of the others remain right. Nothing where no judged image was labelled.
    """
    sample = groups.sample
    places = {name: at for at, name in enumerate(predictions.ids.tolist())}
    at = np.array([places.get(name, -1) for name in sample.ids.tolist()], dtype=np.int64)
    if (at < 0).all():
        return ()
    right = np.where(at >= 0, predictions.correct[at], False)
    here = replace(sample, groups=np.where(at >= 0, sample.groups, _ELSEWHERE))
    rates = labelled_group_accuracy(right, here)
    rates.pop(_ELSEWHERE, None)
    worst = min(rates, key=lambda name: (rates[name].value, name))
    return (
        Measure.of("worst_group_accuracy", rates[worst], worst),
        *(Measure.of("group_accuracy", rate, name) for name, rate in rates.items()),
    )


def reviewed_in_words(groups: Groups, before: Sequence[Measure], after: Sequence[Measure]) -> str:
    """One sentence on the worst group of the old and of the tuned classifier."""
    if not before or not after:
        return f"none of the judged images was labelled for {groups.pattern}, so its groups say nothing here"
    old, new = before[0], after[0]
    return (
        f"by a person's labels of {groups.pattern} the old model's worst group is {old.group!r}, right on "
        f"{_percent(old)}, and the tuned one's {new.group!r}, right on {_percent(new)}"
    )


def _percent(number: Measure) -> str:
    value, low, high = (100 * (one or 0.0) for one in (number.value, number.low, number.high))
    return f"{value:.1f} % ({low:.1f} to {high:.1f}, {number.n} labelled)"

"""All numbers of one split at once, under the names of the results file."""

from collections.abc import Mapping
from dataclasses import dataclass

from masktune.evaluation.auroc import auroc
from masktune.evaluation.groups import (
    accuracy,
    accuracy_group_mean,
    accuracy_train_weighted,
    balanced_accuracy,
    group_accuracy,
    worst_class_accuracy,
    worst_group_accuracy,
)
from masktune.evaluation.intervals import Rate
from masktune.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Measure:
    """One number under its name."""

    metric: str
    """Its name in the results file, such as "worst_group_accuracy"."""
    value: float | None
    """A fraction; None where it is undefined (an empty group, say)."""
    n: int
    """Images it was counted on."""
    low: float | None
    """Lower end of the 95 % interval, None where undefined."""
    high: float | None
    """Upper end of the 95 % interval, None where undefined."""
    group: str | None = None
    """Name of the group that it is about."""

    @classmethod
    def of(cls, metric: str, rate: Rate, group: str | None = None) -> "Measure":
        """A rate under a name."""
        return cls(metric, rate.value, rate.n, rate.low, rate.high, group)


def measure(
    predictions: Predictions, *, train_groups: Mapping[str, int] | None = None, seed: int = 0
) -> list[Measure]:
    """Measure one split in all ways that apply to it.

    Without groups there are no metrics by group, and no AUROC unless there are two classes. `train_groups`,
    the images of each group in the training split, adds `accuracy_train_weighted`; a group that has images
    there but none here is listed with n 0 and value None, and leaves the train-weighted accuracy undefined.
    `seed` is that of the bootstrap, used only where subjects are known.

    Raises:
        InputError: there is no image.
    """
    measures = [Measure.of("accuracy", accuracy(predictions, seed=seed))]
    if predictions.groups is not None:
        measures += _by_group(predictions, train_groups, seed)
    measures += [
        Measure.of("worst_class_accuracy", worst_class_accuracy(predictions, seed=seed)[1]),
        Measure.of("balanced_accuracy", balanced_accuracy(predictions, seed=seed)),
    ]
    if predictions.logits.shape[1] == 2:
        measures.append(Measure.of("auroc", auroc(predictions, seed=seed)))
    return measures


def _by_group(predictions: Predictions, train_groups: Mapping[str, int] | None, seed: int) -> list[Measure]:
    measures = [Measure.of("accuracy_group_mean", accuracy_group_mean(predictions, seed=seed))]
    if train_groups is not None:
        weighted = accuracy_train_weighted(predictions, train_groups, seed=seed)
        measures.append(Measure.of("accuracy_train_weighted", weighted))
    worst, rate = worst_group_accuracy(predictions, seed=seed)
    measures.append(Measure.of("worst_group_accuracy", rate, worst))
    known = [name for name, count in (train_groups or {}).items() if count]
    groups = group_accuracy(predictions, known=known, seed=seed)
    return measures + [Measure.of("group_accuracy", rate, name) for name, rate in groups.items()]

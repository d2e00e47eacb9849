"""What is measured where each group is a class with an attribute (a place, say), as well as by group."""

from collections.abc import Mapping

import numpy as np

from masktune.errors import InputError
from masktune.evaluation.auroc import auroc
from masktune.evaluation.class_shares import at_class_shares, true_shares
from masktune.evaluation.groups import worst_group_accuracy
from masktune.evaluation.metrics import Measure
from masktune.evaluation.predictions import Predictions


def measure_attributes(
    predictions: Predictions, attributes: Mapping[str, str], *, seed: int = 0
) -> list[Measure]:
    """The AUROC within each attribute, and the worst group when the classes have their true shares.

    Within an attribute the shortcut says the same of all images, so the AUROC there tells what a classifier
    sees beside it; no threshold plays a part. The worst group rises as well when a classifier just gives a
    class more often: `worst_group_accuracy_equal_shares` is that of answers moved by one constant a class, so
    that each class is given as often as it is true.

    Args:
        predictions: of two classes or more; with more there is no AUROC.
        attributes: of each group by its name, such as {"waterbird on land": "land"}.
        seed: of the bootstrap, where subjects are known.

    Raises:
        InputError: no groups, or a group without an attribute.
    """
    if predictions.groups is None:
        raise InputError("expected predictions with groups, got none; give each image the name of its group")
    unknown = sorted({*predictions.groups.tolist()} - {*attributes})
    if unknown:
        raise InputError(f"expected an attribute of each group, got none of {unknown[0]!r}")
    moved = at_class_shares(predictions, true_shares(predictions))
    worst, rate = worst_group_accuracy(moved, seed=seed)
    found = [Measure.of("worst_group_accuracy_equal_shares", rate, worst)]
    if predictions.logits.shape[1] != 2:
        return found
    own = np.array([attributes[name] for name in predictions.groups.tolist()])
    for attribute in dict.fromkeys(attributes.values()):
        here = predictions.select(own == attribute)
        if len(here):
            found.append(Measure.of("auroc_within", auroc(here, seed=seed), attribute))
    return found

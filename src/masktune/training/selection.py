"""How good a checkpoint is, by a rule with a name."""

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.evaluation.groups import accuracy, worst_class_accuracy, worst_group_accuracy
from masktune.types import Selection


def score_by(rule: Selection, predictions: Predictions) -> float:
    """The score of validation predictions, 0 to 1; higher is better.

    Raises:
        InputError: the rule needs group labels that these predictions do not carry, or is `last`, which
            scores nothing.
    """
    if rule == "validation_accuracy":
        return accuracy(predictions).value or 0.0
    if rule == "worst_class":
        return worst_class_accuracy(predictions)[1].value or 0.0
    if rule == "worst_group" and predictions.groups is not None:
        return worst_group_accuracy(predictions)[1].value or 0.0
    if rule == "worst_group":
        raise InputError(
            "selection by worst_group needs group labels in the validation data; "
            "use validation_accuracy, or a method that declares validation_groups"
        )
    raise InputError(f"the rule {rule} scores nothing; it takes the last checkpoint")

"""What the numbers are: accuracies by group, intervals, paired tests, scores of masks. Plain arrays only."""

from masktune.evaluation.attributes import measure_attributes
from masktune.evaluation.auroc import auroc
from masktune.evaluation.class_shares import at_class_shares, true_shares
from masktune.evaluation.groups import (
    accuracy,
    accuracy_group_mean,
    accuracy_train_weighted,
    balanced_accuracy,
    group_accuracy,
    worst_class_accuracy,
    worst_group_accuracy,
)
from masktune.evaluation.hiding import hidden_share, measure_hiding, measure_objects
from masktune.evaluation.imbalanced import (
    auprc,
    brier,
    calibration_error,
    measure_imbalanced,
    sensitivity,
    sensitivity_at,
    specificity,
)
from masktune.evaluation.intervals import (
    Rate,
    clopper_pearson,
    difference,
    t_interval,
    weighted_mean,
    wilson,
)
from masktune.evaluation.metrics import Measure, measure
from masktune.evaluation.operating_point import OperatingPoint, decided, operating_point
from masktune.evaluation.paired import Comparison, compare, holm, mcnemar, sign_flip
from masktune.evaluation.paired_worst import (
    compare_worst_groups,
    compare_worst_groups_of_seeds,
    worst_group_of_seeds,
)
from masktune.evaluation.predictions import Predictions, concatenate, match
from masktune.evaluation.resampling import bootstrap_interval

__all__ = [
    "Comparison",
    "Measure",
    "OperatingPoint",
    "Predictions",
    "Rate",
    "accuracy",
    "accuracy_group_mean",
    "accuracy_train_weighted",
    "at_class_shares",
    "auprc",
    "auroc",
    "balanced_accuracy",
    "bootstrap_interval",
    "brier",
    "calibration_error",
    "clopper_pearson",
    "compare",
    "compare_worst_groups",
    "compare_worst_groups_of_seeds",
    "concatenate",
    "decided",
    "difference",
    "group_accuracy",
    "hidden_share",
    "holm",
    "match",
    "mcnemar",
    "measure",
    "measure_attributes",
    "measure_hiding",
    "measure_imbalanced",
    "measure_objects",
    "operating_point",
    "sensitivity",
    "sensitivity_at",
    "sign_flip",
    "specificity",
    "t_interval",
    "true_shares",
    "weighted_mean",
    "wilson",
    "worst_class_accuracy",
    "worst_group_accuracy",
    "worst_group_of_seeds",
]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from masktune.errors import InputError
from masktune.evaluation import (
    Rate,
    accuracy,
    accuracy_group_mean,
    accuracy_train_weighted,
    balanced_accuracy,
    group_accuracy,
    wilson,
    worst_class_accuracy,
    worst_group_accuracy,
)

from .fakes import predictions

# Three groups: 4 of 5, 1 of 4 and 1 of 1 right.
CORRECT = [1, 1, 1, 1, 0, 1, 0, 0, 0, 1]
GROUPS = ["waterbird on water"] * 5 + ["waterbird on land"] * 4 + ["landbird on land"]
TRAIN = {"waterbird on water": 60, "waterbird on land": 10, "landbird on land": 30}


def example():
    return predictions(CORRECT, groups=GROUPS, labels=[1] * 9 + [0])


def test_the_three_accuracies_by_hand():
    made = example()
    assert accuracy(made).value == pytest.approx(6 / 10)
    assert accuracy_group_mean(made).value == pytest.approx((4 / 5 + 1 / 4 + 1) / 3)
    assert accuracy_train_weighted(made, TRAIN).value == pytest.approx(0.6 * 0.8 + 0.1 * 0.25 + 0.3 * 1)


def test_each_group_has_its_name_count_and_wilson_interval():
    made = group_accuracy(example())
    assert list(made) == ["landbird on land", "waterbird on land", "waterbird on water"]
    rate, plain = made["waterbird on water"], wilson(4, 5)
    assert (rate.value, rate.n, rate.low, rate.high) == pytest.approx((0.8, 5, plain.low, plain.high))


def test_the_worst_group_is_the_one_with_the_lowest_accuracy_not_the_rarest():
    name, rate = worst_group_accuracy(example())
    assert (name, rate.value, rate.n) == ("waterbird on land", 0.25, 4)


def test_the_worst_class_and_the_balanced_accuracy_skip_classes_without_images():
    made = predictions([1, 0, 1, 1], labels=[2, 2, 0, 0], classes=4, names=("a", "b", "c", "d"))
    name, rate = worst_class_accuracy(made)
    assert (name, rate.value, rate.n) == ("c", 0.5, 2)
    assert balanced_accuracy(made).value == pytest.approx(0.75)
    assert balanced_accuracy(made).n == 4
    assert worst_class_accuracy(predictions([0]))[0] == "0"


def test_a_group_of_training_without_images_here_is_listed_and_undoes_the_weighted_accuracy():
    known = TRAIN | {"landbird on water": 5}
    assert group_accuracy(example(), known=known)["landbird on water"] == Rate(None, 0)
    assert accuracy_train_weighted(example(), known) == Rate(None, 10)
    assert worst_group_accuracy(example())[0] == "waterbird on land"
    assert accuracy_train_weighted(example(), TRAIN | {"landbird on water": 0}).value is not None


def test_a_group_that_training_lacks_has_no_weight():
    made = accuracy_train_weighted(example(), {"waterbird on water": 7})
    assert (made.value, made.n) == (pytest.approx(0.8), 5)
    assert accuracy_train_weighted(example(), {}) == Rate(None, 0)


cases = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=60)


@given(cases)
def test_agreement_with_scikit_learn_and_bounds(case):
    correct, groups, labels = zip(*case, strict=True)
    made = predictions(correct, groups=groups, labels=labels, classes=3)
    assert accuracy(made).value == pytest.approx(metrics.accuracy_score(made.labels, made.predicted))
    recalls = metrics.recall_score(
        made.labels, made.predicted, average=None, labels=np.unique(made.labels), zero_division=0
    )
    assert balanced_accuracy(made).value == pytest.approx(recalls.mean())
    assert worst_class_accuracy(made)[1].value == pytest.approx(recalls.min())
    for rate in [accuracy(made), accuracy_group_mean(made), *group_accuracy(made).values()]:
        assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert worst_group_accuracy(made)[1].value <= accuracy_group_mean(made).value + 1e-12


@given(cases)
def test_weights_of_the_split_itself_give_the_plain_accuracy(case):
    correct, groups, _ = zip(*case, strict=True)
    made = predictions(correct, groups=groups)
    here = {name: groups.count(name) for name in set(groups)}
    assert accuracy_train_weighted(made, here).value == pytest.approx(accuracy(made).value)


def test_intervals_resample_subjects_where_they_are_known():
    right = np.random.default_rng(0).integers(0, 2, size=40)
    alone = predictions(right, subjects=[f"p{i}" for i in range(40)])
    tenfold = predictions(np.repeat(right, 10), subjects=np.repeat([f"p{i}" for i in range(40)], 10))
    blind = predictions(np.repeat(right, 10))
    assert accuracy(tenfold).value == accuracy(blind).value
    widths = [rate.high - rate.low for rate in map(accuracy, (alone, tenfold, blind))]
    assert widths[1] == pytest.approx(widths[0], abs=1e-9)
    assert widths[1] > 2 * widths[2]
    assert accuracy(tenfold, seed=1) == accuracy(tenfold, seed=1)


def test_a_bootstrap_over_groups_of_subjects_is_as_wide_as_the_formula_says():
    # Group a: 40 subjects with 3 images, 30 of them all right; group b: 60 with 2, 15 all right.
    right = [1] * 90 + [0] * 30 + [1] * 30 + [0] * 90
    subjects = np.concatenate([np.repeat(np.arange(40), 3), 40 + np.repeat(np.arange(60), 2)])
    made = accuracy_group_mean(predictions(right, groups="a" * 120 + "b" * 120, subjects=subjects))
    error = np.sqrt(0.75 * 0.25 / 40 + 0.25 * 0.75 / 60) / 2
    assert made.value == 0.5
    assert (made.low, made.high) == pytest.approx((0.5 - 1.96 * error, 0.5 + 1.96 * error), abs=0.008)


def test_ten_subjects_all_right_are_not_certainty():
    made = predictions([1] * 50, subjects=[f"p{i // 5}" for i in range(50)])
    rate = accuracy(made)
    assert (rate.value, rate.n, rate.high) == (1, 50, 1)
    assert rate.low == pytest.approx(wilson(10, 10).low)


def test_without_groups_or_images_the_question_is_refused():
    with pytest.raises(InputError, match="expected predictions with groups, got none"):
        worst_group_accuracy(predictions([1]))
    with pytest.raises(InputError, match="expected predictions on at least one image, got none"):
        accuracy(predictions([]))

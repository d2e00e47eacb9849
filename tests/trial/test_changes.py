import numpy as np
import pytest
from tests.evaluation.fakes import predictions

from masktune.evaluation import wilson
from masktune.trial.changes import changes


def both(before, after, **columns):
    return predictions(before, **columns), predictions(after, **columns)


def by_name(found):
    return {one.name: one for one in found}


def test_gains_and_losses_of_each_class_by_hand():
    # Class a: of 30 images 20 right before, 8 gained. Class b: of 20 images 20 right, 3 lost.
    labels = [0] * 30 + [1] * 20
    before = [1] * 20 + [0] * 10 + [1] * 20
    after = [1] * 28 + [0] * 2 + [1] * 17 + [0] * 3
    found = changes(*both(before, after, labels=labels, names=("cat", "dog")), {})
    assert [(one.kind, one.name) for one in found] == [("class", "dog"), ("class", "cat")]  # Losses first.
    cat, dog = by_name(found)["cat"], by_name(found)["dog"]
    assert (cat.difference, dog.difference) == (pytest.approx(8 / 30), pytest.approx(-3 / 20))
    assert (cat.before, cat.after) == (wilson(20, 30), wilson(28, 30))
    assert (dog.before.value, dog.after.value, dog.after.n) == (1, 17 / 20, 20)
    # McNemar: 2 / 2**8 and 2 / 2**3; Holm doubles the smaller one.
    assert (cat.p_value, dog.p_value) == (pytest.approx(4 / 256), pytest.approx(1 / 4))
    assert (cat.sure, dog.sure) == (True, False)
    # Of 30 images a share of 8 / 30 gained: a binomial's standard error is 0.081.
    assert (cat.low, cat.high) == pytest.approx((8 / 30 - 0.158, 8 / 30 + 0.158), abs=0.03)
    assert dog.low < dog.difference < dog.high <= 0


def test_p_values_are_corrected_for_the_parts_of_a_kind():
    # Columns of 20 images: 7, 6 and 0 gained, p = 2 / 2**7, 2 / 2**6 and 1; the class has 13 of 60.
    after = [1] * 7 + [0] * 13 + [1] * 6 + [0] * 14 + [0] * 20
    sites = np.repeat(["x", "y", "z"], 20)
    found = by_name(changes(*both([0] * 60, after, names=("cat", "dog")), {("column", "site = "): sites}))
    assert set(found) == {"cat", "site = x", "site = y", "site = z"}
    assert found["cat"].p_value == pytest.approx(2 / 2**13)
    assert found["site = x"].p_value == pytest.approx(3 * 2 / 2**7)
    assert found["site = y"].p_value == pytest.approx(2 * 2 / 2**6)
    assert found["site = z"].p_value == 1


def test_a_part_of_fewer_than_twenty_images_is_left_out():
    sites = np.array(["x"] * 20 + ["y"] * 19)
    found = changes(*both([1] * 39, [1] * 39), {("column", "site = "): sites})
    assert {one.name for one in found} == {"0", "site = x"}


def test_images_without_a_value_are_in_no_part():
    sites = np.array(["x"] * 20 + [""] * 40)
    found = by_name(changes(*both([1] * 60, [0] * 60), {("column", "site = "): sites}))
    assert set(found) == {"0", "site = x"}
    assert found["site = x"].before.n == 20


@pytest.mark.parametrize(("values", "told"), [(12, 12), (13, 0)])
def test_a_column_of_thirteen_values_is_left_out(values, told):
    column = np.repeat([f"{at:02}" for at in range(values)], 20)
    right = [1] * len(column)
    found = changes(*both(right, right), {("column", "age = "): column})
    assert sum(one.kind == "column" for one in found) == told


@pytest.mark.parametrize("kind", ["group", "area"])
def test_thirteen_classes_groups_or_areas_are_all_told(kind):
    labels = np.repeat(np.arange(13), 20)
    right = [1] * len(labels)
    parts = {(kind, ""): np.array([f"part {label}" for label in labels])}
    found = changes(*both(right, right, labels=labels, classes=13), parts)
    assert sum(one.kind == "class" for one in found) == 13
    assert sum(one.kind == kind for one in found) == 13


def test_images_of_one_subject_count_once():
    # Twenty images gained: of twenty subjects, or of two with ten each.
    before, after = [0] * 20, [1] * 20
    alone = changes(*both(before, after), {})[0]
    two = changes(*both(before, after, subjects=["p"] * 10 + ["q"] * 10), {})[0]
    assert alone.p_value == pytest.approx(2 / 2**20)
    assert two.p_value == pytest.approx(2 / 2**2)
    assert (alone.sure, two.sure) == (True, False)


def test_without_a_part_that_is_large_enough_nothing_is_told():
    assert changes(*both([1] * 19, [0] * 19), {}) == ()

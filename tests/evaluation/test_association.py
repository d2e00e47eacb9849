import itertools
import time

import numpy as np
import pytest
from scipy import stats

from masktune.evaluation.association import contingency, independence, range_of_means, shares, vote


def balanced(votes, labels):
    return np.mean([(votes[labels == label] == label).mean() for label in np.unique(labels)])


def chi_square(codes, labels):
    return stats.chi2_contingency(contingency(codes, labels, 2, 2), correction=False).statistic


def test_shares_by_hand():
    # Of 4 images of class 0 all are in bin 0; of 2 of class 1 one is: 1 : 0.5 in bin 0, 0 : 0.5 in bin 1.
    found = shares(np.array([0, 0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1, 1]), 3, 2)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [0, 1], [0, 0]])


def test_an_image_is_voted_on_by_other_folds():
    codes = np.array([0, 0, 1, 1, 2])
    labels = np.array([0, 0, 1, 1, 1])
    found = vote(codes, labels, np.array([0, 1, 0, 1, 0]))
    assert found.votes.tolist() == [0, 0, 1, 1, 0]
    assert found.speaks.tolist() == [1, 1, 1, 1, 0]  # Nobody in the other fold has bin 2.


def test_a_value_that_names_another_class_speaks_against_it():
    labels = np.tile([0, 1], 50)
    codes = labels.copy()
    codes[:4] = 1 - codes[:4]
    found = vote(codes, labels, np.arange(100) % 5)
    assert np.flatnonzero(found.speaks < 0).tolist() == [0, 1, 2, 3]
    assert balanced(found.votes, labels) == pytest.approx(0.96)


def test_a_random_column_is_at_chance_however_unequal_the_classes():
    # 90 / 10, where the share of the commonest class would be 0.9, and cleanlab's baseline near 0.
    labels = (np.arange(1000) % 10 == 0).astype(int)
    scores = []
    for seed in range(30):
        codes = np.random.default_rng(seed).integers(0, 8, 1000)
        scores.append(balanced(vote(codes, labels, np.arange(1000) // 10 % 5).votes, labels))
    assert abs(np.mean(scores) - 0.5) < 0.02


def test_the_p_value_is_that_of_all_orders():
    codes, labels = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1, 1, 0])
    reached = chi_square(codes, labels) - 1e-9
    orders = [np.isin(np.arange(8), chosen).astype(int) for chosen in itertools.combinations(range(8), 4)]
    exact = np.mean([chi_square(codes, order) >= reached for order in orders])  # 34 of 70.
    assert independence(codes, labels, np.arange(8)) == pytest.approx(exact, abs=0.04)


def test_the_p_value_of_many_images_is_that_of_the_chi_square_distribution():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    codes = np.where(random.random(600) < 0.06, labels, random.integers(0, 3, 600))
    theirs = stats.chi2_contingency(contingency(codes, labels, 3, 3)).pvalue
    assert independence(codes, labels, np.arange(600)) == pytest.approx(theirs, abs=0.02)


def test_a_column_that_copies_the_label_reaches_what_60_columns_need():
    labels = np.tile([0, 1], 50)
    found = independence(labels, labels, np.arange(100))
    assert found == 1 / 10_000
    assert 60 * found < 0.05


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_images_change_nothing(copies):
    random = np.random.default_rng(1)
    codes, labels = random.integers(0, 3, 60), random.integers(0, 2, 60)
    alone = independence(codes, labels, np.arange(60))
    assert independence(*(np.repeat(a, copies) for a in (codes, labels, np.arange(60)))) == alone


def test_units_with_several_bins_are_held_as_whole():
    # Ten subjects of 20 images; each subject has one class and a taste for one bin of its own.
    random = np.random.default_rng(2)
    found = []
    for _ in range(60):
        taste, subjects = random.integers(0, 2, 10), np.repeat(np.arange(10), 20)
        codes = np.where(random.random(200) < 0.9, taste[subjects], 1 - taste[subjects])
        labels = np.tile([0, 1], 5)[subjects]
        found.append(independence(codes, labels, subjects))
    assert np.mean(np.array(found) < 0.1) < 0.25  # About a tenth; image by image it is more than half.


def test_classes_that_vary_within_units_move_between_units_of_one_size():
    subjects = np.repeat(np.arange(40), 2)
    labels = np.tile([0, 1], 40)
    assert independence(labels, labels, subjects) == 1.0  # All subjects are the same: nothing to learn.
    swapped = labels.copy()
    swapped[40:] = 1 - swapped[40:]
    assert independence(swapped, swapped, subjects) == 1 / 10_000
    sizes = np.repeat(np.arange(5), [2, 3, 4, 5, 6])
    mixed = np.arange(20) % 2
    assert independence(mixed, mixed, sizes) == 1.0  # No two subjects of one size.


def test_by_chance_one_p_value_in_twenty_is_below_a_twentieth():
    random = np.random.default_rng(3)
    labels = np.arange(100) % 2
    found = [independence(random.integers(0, 4, 100), labels, np.arange(100), seed=i) for i in range(200)]
    assert 2 <= np.sum(np.array(found) < 0.05) <= 20


def test_twenty_thousand_images_take_below_two_seconds():
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 20_000)
    codes = np.where(random.random(20_000) < 0.5, labels, random.integers(0, 30, 20_000))
    started = time.perf_counter()
    assert independence(codes, labels, np.arange(20_000)) == 1 / 10_000
    assert time.perf_counter() - started < 2


def test_the_range_of_two_means_by_hand():
    apart, p_value = range_of_means(np.array([0.0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.arange(4))
    assert apart == 1
    assert p_value == pytest.approx(2 / 6, abs=0.05)  # Two of the six ways to deal them out.


def test_of_many_small_groups_two_lie_apart_by_chance():
    p_values = []
    for seed in range(40):
        values = np.random.default_rng(seed).normal(0.85, 0.12, 1000)
        apart, p_value = range_of_means(values, np.arange(1000) % 100, np.arange(1000))
        assert apart > 0.1
        p_values.append(p_value)
    assert sum(p_value < 0.05 for p_value in p_values) <= 5
    assert range_of_means(
        values + 0.3 * (np.arange(1000) % 100 == 7), np.arange(1000) % 100, np.arange(1000)
    )[1] == pytest.approx(0.001)


def test_a_unit_counts_once_in_the_range():
    groups, units = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 2, 3])
    apart, p_value = range_of_means(np.array([3.0, 3, 3, 1, 0, 0]), groups, units)
    assert apart == 2  # Means 3 and 1 of the first group's units, not 10 / 4.
    assert p_value == pytest.approx(2 / 6, abs=0.05)

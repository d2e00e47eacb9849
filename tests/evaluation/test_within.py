import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from masktune.evaluation.within import class_ranks, easier, interactions, within_classes


def one(values, codes, labels, units=None, **more):
    values, codes, labels = np.asarray(values, float), np.asarray(codes), np.asarray(labels)
    units = np.arange(len(codes)) if units is None else np.asarray(units)
    return within_classes(values.reshape(len(codes), -1), [codes], labels, units, **more)[0]


def test_ranks_by_hand():
    # Class 0: ranks 1, 2.5, 2.5, 4 of 4, mean 2.5. Class 1: ranks 1, 2, mean 1.5.
    ranks = class_ranks(np.array([1.0, 7, 7, 9, -3, 5]), np.array([0, 0, 0, 0, 1, 1]))
    np.testing.assert_allclose(ranks, [-0.375, 0, 0, 0.375, -0.25, 0.25])


def test_eta_squared_by_hand():
    # Class 0: values 0, 2, 4, 6 less 3; bins' means -2 and 2: 16 of 20. Class 1: bins alike: 0 of 2.
    found = one([0, 2, 4, 6, 1, 3, 3, 1], [0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1])
    assert found.explained == pytest.approx(16 / 24)


def test_r_squared_of_several_responses_by_hand():
    # Permutational anova: 1 - (squared distances within bins / their size) / (all of them / all).
    values = np.array([[0.0, 0], [0, 2], [4, 0], [4, 2]])
    found = one(values, [0, 0, 1, 1], [0, 0, 0, 0])
    within = 2**2 / 2 + 2**2 / 2
    total = (4 + 16 + 20 + 20 + 16 + 4) / 4
    assert found.explained == pytest.approx(1 - within / total)


def test_in_one_class_it_is_the_kruskal_wallis_test():
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, 90)
    values = random.normal(size=90) + 0.25 * codes
    theirs = stats.kruskal(*(values[codes == code] for code in range(3)))
    labels = np.zeros(90, np.int64)
    found = one(class_ranks(values, labels), codes, labels)
    assert found.explained == pytest.approx(theirs.statistic / 89)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.02)


def test_a_column_that_goes_with_the_class_alone_is_not_found():
    random = np.random.default_rng(1)
    labels = np.arange(400) % 2
    codes = np.where(random.random(400) < 0.9, labels, 1 - labels)
    margin = random.normal(size=400) + 5 * labels  # One class is far easier.
    assert one(class_ranks(margin, labels), codes, labels).p_value > 0.1
    assert one(margin, codes, np.zeros(400, np.int64)).p_value == 1e-4  # Not kept apart, it is.


def test_a_bin_that_is_easy_in_one_class_and_hard_in_the_other_is_found():
    random = np.random.default_rng(2)
    labels, codes = np.arange(200) % 2, np.arange(200) // 2 % 2
    margin = random.normal(size=200) + (labels == codes)
    found = one(class_ranks(margin, labels), codes, labels)
    assert found.p_value == 1e-4
    assert found.explained > 0.1


def test_columns_together_and_alone_are_the_same():
    random = np.random.default_rng(3)
    labels, margin = np.arange(60) % 3, random.normal(size=(60, 2))
    columns = [random.integers(0, count, 60) for count in (2, 5, 3)]
    together = within_classes(margin, columns, labels, np.arange(60))
    alone = [within_classes(margin, [column], labels, np.arange(60))[0] for column in columns]
    assert together == alone
    assert within_classes(margin, columns * 40, labels, np.arange(60)) == alone * 40  # More than at once.
    assert within_classes(margin, [], labels, np.arange(60)) == []


def test_copies_of_images_change_nothing():
    random = np.random.default_rng(4)
    labels, codes, margin = np.arange(40) % 2, random.integers(0, 3, 40), random.normal(size=40)
    copied = one(*(np.repeat(a, 3) for a in (margin, codes, labels, np.arange(40))))
    alone = one(margin, codes, labels)
    assert copied.explained == pytest.approx(alone.explained)
    assert copied.p_value == alone.p_value


def test_by_chance_one_p_value_in_twenty_is_below_a_twentieth():
    random = np.random.default_rng(5)
    labels = np.arange(80) % 2
    columns = [random.integers(0, 4, 80) for _ in range(200)]
    found = within_classes(random.normal(size=(80, 1)), columns, labels, np.arange(80))
    assert 2 <= sum(each.p_value < 0.05 for each in found) <= 20


def test_responses_that_never_vary_depend_on_nothing():
    found = one(np.full(30, 0.1), np.arange(30) % 3, np.arange(30) % 2)
    assert (found.explained, found.p_value) == (0, 1)


def test_which_is_easier_by_hand():
    # Class 0: right 3, 1 against wrong 2: one pair of two. Class 1: right 5 against wrong 4, 5: 1 and a half.
    right = np.array([True, True, False, True, False, False])
    found = easier(right, np.array([3.0, 1, 2, 5, 4, 5]), np.array([0, 0, 0, 1, 1, 1]), np.arange(6))
    assert found.value == pytest.approx((1 + 1.5) / 4)
    nobody = easier(np.ones(4, bool), np.arange(4.0), np.array([0, 0, 1, 1]), np.arange(4))
    assert nobody.value is None


def made(n, seed, effect=1.0):
    random = np.random.default_rng(seed)
    labels, right = np.arange(n) % 2, random.random(n) < 0.7
    return right, random.normal(size=n) + effect * right, labels


def test_it_is_scikit_learns_area_weighted_by_pairs():
    right, margin, labels = made(200, 0)
    parts = [(right[labels == label], margin[labels == label]) for label in (0, 1)]
    pairs = [own.sum() * (~own).sum() for own, _ in parts]
    expected = np.average([roc_auc_score(own, values) for own, values in parts], weights=pairs)
    found = easier(right, margin, labels, np.arange(200))
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high


def test_copies_of_images_do_not_narrow_the_interval():
    right, margin, labels = made(120, 1)
    alone = easier(right, margin, labels, np.arange(120))
    copied = easier(*(np.repeat(a, 4) for a in (right, margin, labels, np.arange(120))))
    assert copied.value == pytest.approx(alone.value)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.2)


def test_equal_margins_count_as_half_in_the_interval_too():
    right, margin, labels = made(200, 3, effect=0)
    found = easier(right, np.sign(margin), labels, np.arange(200) // 2)
    assert found.low < found.value < found.high
    assert (found.low + found.high) / 2 == pytest.approx(found.value, abs=0.02)


def test_a_perfect_order_keeps_an_interval():
    right, _, labels = made(40, 2)
    found = easier(*(np.repeat(a, 3) for a in (right, right.astype(float), labels, np.arange(40))))
    assert found.value == 1
    assert 0.5 < found.low < 0.95
    assert found.high == 1


def interaction(values, codes, labels, units=None):
    values, codes, labels = np.asarray(values, float), np.asarray(codes), np.asarray(labels)
    units = np.arange(len(codes)) if units is None else np.asarray(units)
    return interactions(values, [codes], labels, units)[0]


def test_a_bin_that_is_lower_in_both_classes_is_no_interaction():
    found = interaction([1, 3, 5, 7, 2, 4, 6, 8], [0, 0, 1, 1] * 2, [0] * 4 + [1] * 4)
    assert (found.explained, found.p_value) == (0, 1)


def test_an_interaction_by_hand():
    # Class 0 less its mean: -2, -2, 2, 2; class 1: 2, 2, -2, -2. In common 0, so all of it turns around.
    found = interaction([1, 1, 5, 5, 9, 9, 5, 5], [0, 0, 1, 1] * 2, [0] * 4 + [1] * 4)
    assert found.explained == pytest.approx(1)
    # A class keeps one of its 6 orders, or the reverse: both alike or both turned, 2 of 36 reach it.
    assert found.p_value == pytest.approx(2 / 36, abs=0.02)


def test_an_interaction_is_what_two_way_least_squares_leave():
    random = np.random.default_rng(0)
    labels, codes = random.integers(0, 3, 120), random.integers(0, 4, 120)
    values = random.normal(size=120) + 0.5 * codes + (labels == codes)
    classes, bins, cells = np.eye(3)[labels], np.eye(4)[codes], np.eye(12)[labels * 4 + codes]

    def rest(design):
        return ((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2).sum()

    expected = (rest(np.hstack([classes, bins])) - rest(cells)) / rest(classes)
    assert interaction(values, codes, labels).explained == pytest.approx(expected)


def test_interactions_by_chance_are_as_rare_as_promised():
    p_values = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        labels, codes = random.integers(0, 4, 160), random.integers(0, 3, 160)
        margin = random.normal(size=160) - 2.0 * (codes == 0)  # One bin is harder, for all classes alike.
        p_values.append([interaction(margin, codes, labels).p_value])
        p_values[-1].append(interaction(class_ranks(margin, labels), codes, labels).p_value)
    assert (np.mean(np.array(p_values) < 0.05, axis=0) <= 0.1).all()
    assert np.median(p_values, axis=0)[0] == pytest.approx(0.5, abs=0.15)  # Ranks are on the safe side.


def test_copies_of_units_are_no_more_interaction():
    random = np.random.default_rng(3)
    labels, codes = np.arange(24) % 2, np.arange(24) // 2 % 2
    values = random.normal(size=24) + (labels == codes)
    once = interaction(values, codes, labels)
    often = interaction(*(np.repeat(one, 20) for one in (values, codes, labels, np.arange(24))))
    assert (often.explained, often.p_value) == pytest.approx((once.explained, once.p_value))

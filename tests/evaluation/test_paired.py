from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from masktune.errors import InputError
from masktune.evaluation import compare, holm, mcnemar, sign_flip

from .fakes import predictions


def test_mcnemar_by_hand():
    # 1 image only the first has right, 5 only the second: 2 * (1 + 6) / 2**6.
    first = np.array([1] + [0] * 5 + [1] * 4, dtype=bool)
    second = np.array([0] + [1] * 5 + [1] * 4, dtype=bool)
    assert mcnemar(first, second) == pytest.approx(14 / 64)
    assert mcnemar(first, first) == 1


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_image_a_subject_makes_the_sign_flip_test_exact_mcnemar(lost, gained):
    p_value = sign_flip(np.array([-1] * lost + [0] * 3 + [1] * gained))
    oracle = binomtest(lost, lost + gained).pvalue if lost + gained else 1
    assert p_value == pytest.approx(oracle)


@given(st.lists(st.integers(-4, 4), max_size=8))
def test_the_sign_flip_test_counts_all_signs(differences):
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=len(differences))]
    oracle = np.mean([total >= abs(sum(differences)) for total in sums])
    assert sign_flip(np.array(differences, dtype=np.int64)) == pytest.approx(oracle)


def test_comparing_by_hand():
    first = predictions([1, 0, 0, 0, 1, 1, 0, 0, 1, 1])
    second = predictions([1, 1, 1, 1, 1, 1, 0, 0, 1, 0])
    made = compare(first, second)
    assert made.difference == pytest.approx(0.2)
    assert (made.n, made.gained, made.lost) == (10, 3, 1)
    assert made.p_value == pytest.approx(10 / 16)  # 2 * (1 + 4) / 2**4.
    # Ten draws of +1, 0, -1 with chances 0.3, 0.6, 0.1: the quantiles of their sum are -2 and 6.
    assert (made.low, made.high) == pytest.approx((-0.2, 0.6))
    back = compare(second, first)
    assert (back.difference, back.p_value) == (-made.difference, made.p_value)


def test_images_are_matched_by_id_not_by_place():
    first = predictions([1, 1, 0], ids="abc")
    made = compare(first, predictions([0, 1, 1], ids="cba"))
    assert (made.difference, made.gained, made.lost, made.p_value) == (0, 0, 0, 1)
    assert (made.low, made.high) == (0, 0)


def test_the_interval_is_paired():
    # The two differ on 12 of 400 images; unpaired, the interval would be +- 0.07.
    first = np.tile([1, 0], 200)
    second = first.copy()
    second[1:24:2] = 1
    made = compare(predictions(first), predictions(second))
    assert made.difference == pytest.approx(0.03)
    # Twelve gained of 400: a binomial of mean 0.03, standard error 0.0085.
    assert (made.low, made.high) == pytest.approx((0.03 - 0.0163, 0.03 + 0.018), abs=0.003)


def test_subjects_count_once():
    # Twenty images gained, all of two patients: two coins, not twenty.
    first = predictions([0] * 20 + [1] * 20, subjects=[f"p{i // 10}" for i in range(40)])
    second = predictions([1] * 40)
    made = compare(first, second)
    assert made.p_value == pytest.approx(0.5)
    assert compare(predictions([0] * 20 + [1] * 20), second).p_value < 1e-5
    assert (made.low, made.high) == (0, 1)


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError, match="at least one image to compare, got none"):
        compare(predictions([]), predictions([]))


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 and never falling: 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_values_and_bonferroni(p_values):
    for before, after in zip(p_values, holm(p_values), strict=True):
        assert before <= after <= min(1, max(p_values) * len(p_values))
    assert min(holm(p_values)) == min(1, min(p_values) * len(p_values))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masktune.errors import InputError
from masktune.evaluation import hidden_share, measure_hiding, measure_objects


def test_shares_by_hand():
    hidden, shortcut = np.zeros((2, 3, 4, 4), dtype=bool)
    hidden[0, :2] = True  # Half of the first image.
    hidden[1, 0, 0] = True  # One pixel of the second.
    shortcut[0, 1:3, 0] = True  # Two pixels, one of them hidden.
    shortcut[1, 0, :4] = True  # Four pixels, one of them hidden.
    assert hidden_share(hidden).tolist() == [0.5, 1 / 16, 0]
    shares = hidden_share(hidden, shortcut)
    assert shares[:2].tolist() == [0.5, 0.25]
    assert np.isnan(shares[2])


def test_measures_by_hand():
    made = measure_hiding(np.array([0.5, 0.1, 0.0, 0.0]), np.array([1.0, 0.5, np.nan, np.nan]))
    assert [(one.metric, one.value, one.n) for one in made] == [
        ("shortcut_hidden", 0.75, 2),
        ("image_hidden", pytest.approx(0.15), 4),
        ("empty_masks", 0.5, 4),
    ]
    assert all(0 <= one.low < one.value < one.high <= 1 for one in made)


def test_without_a_shortcut_there_is_no_number_of_it():
    assert [one.metric for one in measure_hiding(np.array([0.5]))] == ["image_hidden", "empty_masks"]
    none = measure_hiding(np.array([0.5]), np.array([np.nan]))[0]
    assert (none.metric, none.value, none.n, none.low) == ("shortcut_hidden", None, 0, None)


@given(st.integers(0, 999), st.integers(1, 12))
def test_batches_do_not_matter(seed, size):
    hidden, shortcut = np.random.default_rng(seed).random((2, 12, 3, 3)) < 0.4
    parts = [hidden_share(hidden[i : i + size], shortcut[i : i + size]) for i in range(0, 12, size)]
    assert np.array_equal(np.concatenate(parts), hidden_share(hidden, shortcut), equal_nan=True)


def test_everything_hidden_is_a_fraction_in_spite_of_rounding():
    assert measure_hiding(np.full(7, 1.0))[0].value == 1


def test_no_mask_is_refused():
    with pytest.raises(InputError, match="expected the masks of at least one image, got none"):
        measure_hiding(np.array([]))


def test_where_masks_lie_is_measured_by_group_by_hand():
    # Of three images the object is hidden by 1/2, not at all, and is cut off; the second hides nothing.
    found = measure_objects(
        np.array([0.5, 0.0, np.nan]), np.array([0.25, np.nan, 0.0]), np.array(["x", "x", "y"])
    )
    rows = {(one.metric, one.group): (one.value, one.n) for one in found}
    assert rows == {
        ("object_hidden", None): (0.25, 2),
        ("object_hidden", "x"): (0.25, 2),
        ("object_hidden", "y"): (None, 0),
        ("hidden_on_object", None): (0.125, 2),
        ("hidden_on_object", "x"): (0.25, 1),
        ("hidden_on_object", "y"): (0.0, 1),
    }

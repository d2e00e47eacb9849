import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from masktune.errors import InputError
from masktune.evaluation import Predictions, concatenate, match

from .fakes import predictions

LOGITS = np.array([[1, 3, 2], [5, 5, 0], [0, 0, 0.5]], np.float32)
LABELS = np.array([1, 1, 2])
IDS = np.array(["a", "b", "c"])


def test_the_largest_logit_wins_and_the_lowest_index_of_equal_ones():
    made = Predictions(LOGITS, LABELS, IDS)
    assert made.predicted.tolist() == [1, 0, 2]
    assert made.correct.tolist() == [True, False, True]
    assert len(made) == 3


def test_probabilities_are_the_softmax_and_stay_finite_for_huge_logits():
    assert np.allclose(Predictions(LOGITS, LABELS, IDS).probabilities, softmax(LOGITS, axis=1))
    huge = Predictions(LOGITS * np.float32(1e30), LABELS, IDS).probabilities
    assert huge.tolist() == [[0, 1, 0], [0.5, 0.5, 0], [0, 0, 1]]


def test_select_keeps_every_column_in_order():
    made = predictions([1, 0, 1], groups="xyx", subjects="pqr", splits="ttv")
    some = made.select(np.array([True, False, True]))
    assert some.ids.tolist() == ["0", "2"]
    assert some.correct.tolist() == [True, True]
    assert some.groups.tolist() == ["x", "x"]
    assert some.subjects.tolist() == ["p", "r"]
    assert some.splits.tolist() == ["t", "v"]
    assert len(made.select(np.zeros(3, dtype=bool))) == 0


def test_select_refuses_a_mask_of_another_length():
    with pytest.raises(InputError, match="expected a mask of 3 images, got one of 2"):
        predictions([1, 0, 1]).select(np.array([True, False]))


@given(st.permutations(range(6)))
def test_match_undoes_any_order(order):
    first = predictions([1, 0, 0, 1, 1, 0], labels=[0, 1, 0, 1, 0, 1])
    parts = [first.select(np.arange(6) == place) for place in order]
    matched = match(first, concatenate(parts))
    assert matched.ids.tolist() == first.ids.tolist()
    assert matched.logits.tolist() == first.logits.tolist()


def test_one_id_may_occur_once_in_each_split():
    made = predictions([1, 0], ids="aa", splits="xy")
    other = predictions([1, 1], ids="aa", splits="yx")
    assert match(made, other).splits.tolist() == ["x", "y"]


def test_match_refuses_other_images_and_other_labels():
    first = predictions([1, 1, 1])
    with pytest.raises(InputError, match="on the same images, got 3 and 2 images, 2 of them in both"):
        match(first, predictions([1, 1]))
    with pytest.raises(InputError, match="got 3 and 3 images, 1 of them in both"):
        match(first, predictions([1, 1, 1], ids="0xy"))
    with pytest.raises(InputError, match="one label an image; the two predictions disagree on '2'"):
        match(first, predictions([1, 1, 1], labels=[0, 0, 1]))


def test_concatenate_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="at least one Predictions to concatenate, got none"):
        concatenate([])
    with pytest.raises(InputError, match="expected parts with the same classes"):
        concatenate([predictions([1]), predictions([1], classes=3, ids="b")])
    with pytest.raises(InputError, match="expected groups in all parts or in none, got them in 1 of 2"):
        concatenate([predictions([1], groups="x"), predictions([1], ids="b")])
    with pytest.raises(InputError, match="expected each id once, got '0' 2 times"):
        concatenate([predictions([1]), predictions([1])])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"logits": LOGITS.astype(float)}, "expected logits as float32 (n, classes), got float64 (3, 3)"),
        ({"logits": LOGITS[:, 0]}, "expected logits as float32 (n, classes), got float32 (3,)"),
        ({"logits": LOGITS[:, :1]}, "at least 2 classes, got 1; widen a one-logit net's z to [0, z]"),
        (
            {"logits": np.where(LOGITS == 3, np.float32(np.nan), LOGITS)},
            "expected finite logits, got NaN or infinity for 1 of 3 images",
        ),
        (
            {"logits": np.where(LOGITS == 0, np.float32(-np.inf), LOGITS)},
            "expected finite logits, got NaN or infinity for 2 of 3 images",
        ),
        ({"labels": LABELS[:2]}, "expected labels as int64 (3,), got int64 (2,)"),
        ({"labels": LABELS.astype(np.int32)}, "expected labels as int64 (3,), got int32 (3,)"),
        ({"labels": np.array([0, 1, 3])}, "expected labels from 0 to 2, got 3"),
        ({"labels": np.array([0, -1, 2])}, "expected labels from 0 to 2, got -1"),
        ({"ids": np.arange(3)}, "expected ids as strings (3,), got int64 (3,)"),
        ({"ids": np.array(["a", "b", "a"])}, "expected each id once, got 'a' 2 times"),
        ({"groups": np.array(["x"])}, "expected groups as strings (3,), got <U1 (1,)"),
        ({"classes": ("cat", "dog")}, "expected 3 class names, one a column of logits, got 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changed, message):
    with pytest.raises(InputError) as caught:
        Predictions(**{"logits": LOGITS, "labels": LABELS, "ids": IDS} | changed)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_room_does_not_load_scipy():
    code = "import sys, masktune.evaluation; print({'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

import numpy as np
import pytest

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.training.checkpoints import TrainState
from masktune.training.selection import score_by
from masktune.training.settings import Training

from .tiny import classifier


def predictions(groups=None):
    """Class 0: 3 of 4 right. Class 1: 1 of 2 right. Group x: 1 of 3, group y: 3 of 3."""
    predicted = np.array([0, 0, 0, 1, 1, 0])
    return Predictions(
        logits=np.eye(2, dtype=np.float32)[predicted],
        labels=np.array([0, 0, 0, 0, 1, 1]),
        ids=np.array(list("abcdef")),
        groups=groups,
    )


def test_the_rules_by_hand():
    groups = np.array(["y", "y", "x", "x", "y", "x"])
    assert score_by("validation_accuracy", predictions(groups)) == pytest.approx(4 / 6)
    assert score_by("worst_class", predictions(groups)) == pytest.approx(1 / 2)
    assert score_by("worst_group", predictions(groups)) == pytest.approx(1 / 3)


def test_without_groups_there_is_no_worst_one():
    sentence = (
        "^selection by worst_group needs group labels in the validation data; use validation_accuracy, "
        "or a method that declares validation_groups$"
    )
    with pytest.raises(InputError, match=sentence):
        score_by("worst_group", predictions())


def test_last_scores_nothing():
    with pytest.raises(InputError, match=r"^the rule last scores nothing; it takes the last checkpoint$"):
        score_by("last", predictions())


def test_the_earlier_of_two_equal_checkpoints_stays():
    made = classifier()
    state = TrainState(made, Training().make_optimizer(made.parameters()))
    for epoch, score in enumerate([0.5, 0.7, 0.7, 0.6], start=1):
        state.epoch = epoch
        state.keep_if_better(score)
    assert (state.best.epoch, state.best.score) == (2, 0.7)


def test_a_score_of_zero_is_a_score():
    made = classifier()
    state = TrainState(made, Training().make_optimizer(made.parameters()))
    state.keep_if_better(0.0)
    first = state.best
    state.keep_if_better(0.0)
    assert state.best is first

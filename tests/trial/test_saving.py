"""What a trial leaves of each arm and image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from masktune.models.weights import weights_of
from masktune.runs import load_predictions
from masktune.trial.given import given_parts
from masktune.trial.saving import save_arms, save_splits
from masktune.trial.trial import run_trial

from .tiny import SETTINGS, images, trained


def outcome_given():
    """Noise to judge on, to test on, and reserved."""
    parts = (images(64), images(40, seed=1, name="judged"), images(20, seed=2, name="tested"))
    return replace(given_parts("noise", trained()(), *parts), calibration=images(30, seed=3, name="reserved"))


@pytest.fixture(scope="module")
def outcome():
    """A trial on these."""
    return run_trial(outcome_given(), SETTINGS)


def test_weights_and_predictions_of_each_arm_come_back(outcome, tmp_path):
    save_arms(tmp_path, outcome)
    models = tmp_path / "models" / "noise" / "seed-0"
    assert {path.name for path in models.iterdir()} == set(outcome.predictions)
    for arm, by_split in outcome.predictions.items():
        state = weights_of(outcome.classifiers[arm].net)
        weights = load_file(models / arm / "weights.safetensors")
        assert weights.keys() == state.keys()
        assert all(torch.equal(weights[name], state[name]) for name in state)
        for split, n in (("validation", 40), ("test", 20), ("calibration", 30)):
            said = load_predictions(models / arm / "predictions" / f"{split}.npz")
            assert len(said) == n
            assert np.array_equal(said.logits, by_split[split].logits)
            assert said.ids.tolist() == by_split[split].ids.tolist()


def test_what_an_earlier_trial_left_and_this_one_has_not_is_taken_away(outcome, tmp_path):
    models = tmp_path / "models" / "noise" / "seed-0"
    save_arms(tmp_path, outcome)
    (models / "masktune" / "mine.txt").touch()
    only = {arm: {"validation": found["validation"]} for arm, found in outcome.predictions.items()}
    kept = {arm: net for arm, net in outcome.classifiers.items() if arm != "masktune"}
    del only["random_mask"]
    save_arms(tmp_path, type(outcome)(outcome.trialled, kept, only))
    left = {str(path.relative_to(models)) for path in models.rglob("*") if path.is_file()}
    assert left == {
        "masktune/mine.txt",
        *(f"{arm}/weights.safetensors" for arm in kept),
        *(f"{arm}/predictions/validation.npz" for arm in only),
    }


def test_reserved_images_change_nothing_of_the_trial(outcome):
    bare = run_trial(replace(outcome_given(), calibration=None), SETTINGS)
    assert bare.trialled.verdict == outcome.trialled.verdict
    for arm, found in bare.predictions.items():
        assert set(found) == {"validation", "test"}
        assert np.array_equal(found["test"].logits, outcome.predictions[arm]["test"].logits)
    assert all(set(found) == {"validation", "test"} for found in outcome.trialled.predictions.values())


def test_a_table_of_roles(tmp_path):
    save_splits(tmp_path, [("cat/1.png", "train"), ('a "b", c.png', "held back")])
    assert (tmp_path / "splits.csv").read_text() == ('id,role\ncat/1.png,train\n"a ""b"", c.png",held back\n')

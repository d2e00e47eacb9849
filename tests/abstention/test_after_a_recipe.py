"""A recipe's run, and then who abstains on it: nothing is made by hand in between."""

import pytest
from tests.bench.small_image_sets import cats_vs_dogs

from masktune.abstention import SelectSettings, select
from masktune.bench import Choices, FromNothing, run_recipe, selective
from masktune.errors import InputError
from masktune.runs import load_predictions

# A net of one epoch looks nowhere in particular.
pytestmark = pytest.mark.filterwarnings("ignore:.*masks hide nothing:masktune.errors.MasktuneWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = cats_vs_dogs(tmp_path_factory.mktemp("cats"))
    choices = Choices(seeds=(0, 1), methods=("erm", "masktune", "sat"), epochs=1, batch_size=16)
    out = tmp_path_factory.mktemp("run") / "out"
    run_recipe(selective("selective-cats-dogs", FromNothing(data, cpu=True), choices), out)
    return out


SETTINGS = SelectSettings(calibrate="calibration", test="test", coverage=(1.0, 0.5), draws=100)


def test_votes_ensembles_and_heads_are_held_side_by_side(run):
    selected = select(run, None, SETTINGS)
    keys = {one.line.key for one in selected.lines}
    assert keys >= {
        ("erm", "sr"),
        ("masktune", "product"),
        ("two_seed_ensemble", "mean"),
        ("sat", "sr"),
        ("sat", "head"),
    }
    vote = next(one for one in selected.lines if one.line.key == ("masktune", "product"))
    assert vote.at("coverage", 0.5).predictor.weights.related is True
    seed = next((run / "models").glob("*/seed-0"))
    assert load_predictions(seed / "sat/predictions/calibration.npz").head is not None


def test_the_split_that_chose_the_checkpoint_guarantees_nothing(run):
    with pytest.raises(InputError, match="chose the checkpoint"):
        select(run, None, SelectSettings(calibrate="validation", test="test", risk=(0.5,), draws=100))

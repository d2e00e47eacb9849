"""The recipes whose models `select` reads: splits, schedules, nets, and a run of one epoch."""

import json

import numpy as np
import pytest
from tests.data.official.layouts import cats_vs_dogs

from masktune.abstention import SelectSettings, select
from masktune.bench import Choices, run_recipe, selective
from masktune.bench.selective import SelectiveOptions, _divided
from masktune.data import Samples
from masktune.data.contents import FilesOnDisk
from masktune.errors import InputError
from masktune.runs import load_predictions
from shared_data import SHARED_DATA, needs_shared_data


def listed(n=400, classes=2, test=100, seed=0):
    ids = [f"train/{at:04d}" for at in range(n)] + [f"test/{at:04d}" for at in range(test)]
    splits = np.array(["train"] * n + ["test"] * test)
    labels = np.random.default_rng(seed).integers(classes, size=n + test)
    names = tuple(f"class-{label}" for label in range(classes))
    return Samples(np.array(ids), labels, names, FilesOnDisk(tuple(ids)), splits=splits).in_order()


def by_id(samples):
    return dict(zip(samples.ids.tolist(), samples.splits.tolist(), strict=True))


def test_eighty_train_ten_choose_ten_are_reserved():
    divided = _divided(listed(), code=False)
    counts = {name: int((divided.splits == name).sum()) for name in divided.split_names}
    assert counts["test"] == 100
    assert counts["train"] == pytest.approx(320, abs=2)
    assert counts["validation"] == pytest.approx(40, abs=2)
    assert counts["calibration"] == pytest.approx(40, abs=2)
    assert sum(counts.values()) == 500


def test_the_official_code_reserves_nothing():
    """Bug 7: a fifth chooses the epoch and calibrates."""
    divided = _divided(listed(), code=True)
    assert set(divided.split_names) == {"train", "validation", "test"}
    assert (divided.splits == "validation").sum() == pytest.approx(80, abs=2)


@pytest.mark.parametrize("code", [True, False])
def test_the_order_of_the_listing_changes_no_split(code):
    """Bug 8: positions in an unsorted listing move training images into the calibration split."""
    samples = listed()
    order = np.random.default_rng(1).permutation(len(samples))
    assert by_id(_divided(samples.select(order), code=code)) == by_id(_divided(samples, code=code))


def recipe_of(folder, preset="default", name="selective-cats-dogs", **more):
    return selective(name, SelectiveOptions(folder, **more), Choices(seeds=(0,), preset=preset))


@pytest.fixture(scope="module")
def cats(tmp_path_factory):
    return cats_vs_dogs(tmp_path_factory.mktemp("cats"), each=30)


def test_the_schedule_is_really_applied(cats):
    """Bug 56: in the official code every run keeps its first rate."""
    training = recipe_of(cats).training
    assert training.learning_rate_at(51) == pytest.approx(0.1 * training.learning_rate_at(0))
    code = recipe_of(cats, "official_code").training
    assert code.learning_rate_at(199) == code.learning_rate_at(0) == 1e-3


@needs_shared_data
@pytest.mark.real_data
def test_cifar_10_halves_every_25_epochs():
    ours, code = (
        recipe_of(SHARED_DATA / "cifar10", preset, "selective-cifar10").training
        for preset in ("default", "official_code")
    )
    assert (ours.epochs, ours.learning_rate, ours.momentum, ours.weight_decay) == (300, 0.1, 0.9, 1e-4)
    assert ours.learning_rate_at(25) == pytest.approx(0.05)
    assert ours.learning_rate_at(299) == pytest.approx(0.1 / 2**11)
    assert {code.learning_rate_at(epoch) for epoch in range(300)} == {0.1}
    splits = recipe_of(SHARED_DATA / "cifar10", name="selective-cifar10").splits(0)
    assert (len(splits.train), len(splits.validation)) == (9600, 1197)
    assert {name: len(part) for name, part in splits.tests.items()} == {"test": 3000, "calibration": 1203}
    ids = [name for part in (splits.train, splits.validation, *splits.tests.values()) for name in part.ids]
    assert len(ids) == len({*ids}) == 15_000


def test_nets_by_name(cats):
    for net, last in (("resnet32", "head"), ("vgg16_bn", "head.7")):
        recipe = recipe_of(cats, net=net)
        assert recipe.settings()["net"] == net
        assert recipe.build(0).net.get_submodule(last).out_features == 2
        assert recipe.build(0).spec.size == (64, 64)


def test_one_epoch_and_then_select(cats, tmp_path):
    options = SelectiveOptions(cats, cpu=True)
    choices = Choices(seeds=(0, 1), methods=("erm", "masktune", "sat"), epochs=1, batch_size=16)
    recipe = selective("selective-cats-dogs", options, choices)
    run_recipe(recipe, tmp_path / "run")
    at = tmp_path / "run/models/cats-vs-dogs/seed-1"
    assert {path.stem for path in (at / "masktune/predictions").iterdir()} == {
        "validation",
        "calibration",
        "test",
    }
    assert load_predictions(at / "sat/predictions/calibration.npz").head is not None
    assert json.loads((tmp_path / "run/run.json").read_text())["settings"]["net"] == "resnet32"
    settings = SelectSettings(calibrate="calibration", test="test", coverage=(1.0, 0.5), draws=100)
    keys = {one.line.key for one in select(tmp_path / "run", None, settings).lines}
    assert keys >= {("erm", "sr"), ("masktune", "product"), ("two_seed_ensemble", "mean"), ("sat", "head")}


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises((InputError, FileNotFoundError)):
        recipe_of(tmp_path)

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.bench import METHODS, Choices, biased_digits, biased_mnist, run_recipe
from masktune.bench.recipe import COMPETITORS
from masktune.data import BiasedMNIST
from masktune.data.base import WithoutGroups
from masktune.errors import DataDamaged, InputError, LayerNotFound, MasktuneWarning, RunFolderError
from masktune.methods import ERM
from masktune.models import SmallCNN, load_weights, read_weights
from masktune.runs import Examples, load_predictions

# A net of two epochs finds no evidence in some images, and the run says so; see the test of that warning.
pytestmark = pytest.mark.filterwarnings("ignore:.*masks hide nothing")

KEYS = [
    *("dataset", "variant", "method", "config", "seed", "split", "group", "metric", "score", "target"),
    *("value", "n", "low", "high", "supervision", "selection", "epochs", "seconds"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_mnist):
    """A finished run of all five methods."""
    out = tmp_path_factory.mktemp("run") / "out"
    recipe = biased_mnist(small_mnist, choices=Choices(seeds=(0,), epochs=2, batch_size=32))
    with pytest.warns(MasktuneWarning, match="of 256 masks hide nothing"):
        return out, run_recipe(recipe, out, argv=["reproduce", "biased-mnist"])


def find(rows, **wanted):
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def test_files_and_rows_are_as_promised(finished):
    out, _ = finished
    results = json.loads((out / "results.json").read_text())
    assert (results["schema"], results["command"]) == ("masktune.results/1", "reproduce")
    assert [list(row) for row in results["rows"]] == [KEYS] * len(results["rows"])
    assert results["data"][0]["name"] == "biased-mnist"
    assert results["data"][0]["variant"] == "sorted"
    methods = {"erm", "continue_erm", "random_mask", "least_salient_mask", "masktune"}
    assert {row["method"] for row in results["rows"]} == methods
    for method in methods:
        model = out / "models" / "biased-mnist" / "seed-0" / method
        load_weights(SmallCNN(), read_weights(model / "weights.safetensors"))
        splits = {path.stem for path in (model / "predictions").iterdir()}
        assert splits == {"validation", "raw", "aligned", "conflicting"}


def test_accuracy_of_a_row_is_that_of_the_predictions_beside_it(finished):
    out, results = finished
    for split in ("raw", "aligned", "conflicting"):
        stored = np.load(out / f"models/biased-mnist/seed-0/masktune/predictions/{split}.npz")
        (row,) = find(results.rows, method="masktune", split=split, metric="accuracy")
        assert row.value == pytest.approx((stored["logits"].argmax(1) == stored["labels"]).mean(), abs=1e-12)
        assert row.n == len(stored["ids"]) == 120
        assert row.low < row.value < row.high or row.value in (0, 1)


def test_groups_are_named_and_the_worst_is_the_smallest(finished):
    _, results = finished
    rows = find(results.rows, method="erm", split="conflicting")
    groups = {row.group: row.value for row in rows if row.metric == "group_accuracy" and row.n}
    assert set(groups) == {"0-4 without square", "5-9 with square"}
    (worst,) = [row for row in rows if row.metric == "worst_group_accuracy"]
    assert (worst.group, worst.value) == min(groups.items(), key=lambda item: item[1])


def test_hidden_shares_are_those_of_the_training_images_and_equal_for_the_controls(finished, small_mnist):
    _, results = finished
    shares = {row.method: row.value for row in find(results.rows, split="train", metric="image_hidden")}
    assert set(shares) == {"masktune", "random_mask", "least_salient_mask"}
    assert len({round(share, 12) for share in shares.values()}) == 1
    (shortcut,) = find(results.rows, method="masktune", split="train", metric="shortcut_hidden")
    train = BiasedMNIST(small_mnist, "train")
    assert shortcut.n == train.carries.sum()


def test_epochs_and_seconds_count_the_shared_first_stage(finished):
    _, results = finished
    assert {row.method: row.epochs for row in results.rows} == {
        "erm": 2,
        "continue_erm": 3,
        "random_mask": 3,
        "least_salient_mask": 3,
        "masktune": 3,
    }
    seconds = {row.method: row.seconds for row in results.rows}
    assert seconds["masktune"] >= seconds["erm"] > 0


def test_the_same_command_again_trains_nothing(finished, recipe):
    out, results = finished
    steps = []
    again = run_recipe(recipe(methods=("masktune",)), out, progress=steps.append)
    assert again.rows == results.rows
    assert not steps


def test_seeds_and_methods_may_grow(recipe, tmp_path):
    out = tmp_path / "out"
    first = run_recipe(recipe(methods=("erm",)), out)
    steps = []
    grown = run_recipe(recipe(methods=("erm", "masktune"), seeds=(0, 1)), out, progress=steps.append)
    assert {(row.seed, row.method) for row in grown.rows} == {
        (seed, method) for seed in (0, 1) for method in ("erm", "masktune")
    }
    assert find(grown.rows, seed=0, method="erm") == first.rows
    # ERM of seed 0 was the first stage of MaskTune and is not trained again.
    assert not [step for step in steps if step.what.startswith("seed 0") and "erm, epoch" in step.what]


def test_two_runs_give_the_same_bits(recipe, tmp_path):
    weights = []
    for name in ("one", "two"):
        run_recipe(recipe(), tmp_path / name)
        model = tmp_path / name / "models/biased-mnist/seed-0/masktune"
        weights.append((model / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_another_setting_is_another_run(finished, recipe):
    out, _ = finished
    with pytest.raises(RunFolderError, match=r"training.epochs was 2, is 3.*choose another folder"):
        run_recipe(recipe(epochs=3), out)


def test_what_auto_and_found_mean_is_recorded(finished):
    out, _ = finished
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["training.precision"] in ("float32", "bfloat16")
    assert settings["masktune.layer"] == "features.12"


def test_results_come_last_and_only_when_all_is_done(recipe, tmp_path):
    out = tmp_path / "out"
    seen = []

    def finish(results):
        seen.append((out / "results.json").exists())
        raise KeyboardInterrupt  # As if the picture could not be drawn.

    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe(methods=("erm",)), out, finish=finish)
    assert seen == [False]
    assert not (out / "results.json").exists()
    run_recipe(recipe(methods=("erm",)), out)
    assert (out / "results.json").exists()


def test_a_method_gets_no_groups_that_it_does_not_declare(recipe, tmp_path, monkeypatch):
    seen = []

    class Curious:
        name = "curious"
        supervision = "none"

        def fit(self, task):
            seen.append((task.train.groups, task.validation.groups, task.train.__getitems__([0]).groups))
            return ERM().fit(task)

    monkeypatch.setitem(METHODS, "curious", lambda masktune: Curious())
    run_recipe(recipe(methods=("curious",)), tmp_path / "out")
    assert seen == [(None, None, None)]


def test_the_number_of_threads_is_put_back(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_recipe(biased_digits(Choices(seeds=(0,), methods=("erm",), epochs=1)), tmp_path / "out")
        assert json.loads((tmp_path / "out/run.json").read_text())["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_damaged_job_is_named(recipe, tmp_path):
    out = tmp_path / "out"
    run_recipe(recipe(methods=("erm",)), out)
    rows = out / "models/biased-mnist/seed-0/erm/rows.json"
    rows.write_text("{}")
    with pytest.raises(DataDamaged, match=r"rows\.json is damaged.*delete it, and the job runs again"):
        run_recipe(recipe(methods=("erm",)), out)


def test_a_mistyped_layer_is_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(LayerNotFound, match=r"did you mean 'features\.3'"):
        run_recipe(recipe(layer="fetures.3"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_examples_show_each_group_twice_and_what_was_hidden(finished):
    out, _ = finished
    examples = Examples.load(out / "models/biased-mnist/seed-0/masktune" / Examples.file_name)
    assert examples.images.shape == examples.masked.shape
    assert set(examples.titles) >= {"0-4 with square", "5-9 without square"}
    hidden = np.broadcast_to(examples.hidden[:, None], examples.images.shape)
    assert (examples.masked[hidden] == 0).all()
    assert (examples.masked[~hidden] == examples.images[~hidden]).all()
    assert all(re.fullmatch(r"p [01]\.\d\d → [01]\.\d\d", caption) for caption in examples.captions)


def test_predictions_read_back_with_ids_of_the_official_file(finished):
    out, _ = finished
    predictions = load_predictions(out / "models/biased-mnist/seed-0/erm/predictions/conflicting.npz")
    assert predictions.ids.tolist() == [f"test/{position:05d}" for position in range(120)]


@pytest.mark.filterwarnings("ignore:jtt's first training")
def test_every_competitor_is_a_row_beside_the_arms(tmp_path, recipe):
    asked = recipe(methods=("erm", *COMPETITORS), epochs=1)
    rows = run_recipe(asked, tmp_path).rows
    known = {row.method: (row.supervision, row.selection) for row in rows}
    assert known == {
        "erm": ("none", "validation_accuracy"),
        "group_dro": ("train_groups", "worst_group"),
        "cvar_dro": ("validation_groups", "worst_group"),
        "jtt": ("validation_groups", "worst_group"),
        "lff": ("none", "last"),
        "xrm": ("none", "worst_inferred_group"),
        "dfr": ("validation_groups", "worst_group"),
        "dfr_train": ("train_groups", "worst_group"),
        "afr": ("validation_groups", "worst_group"),
        "last_layer_balanced": ("none", "worst_class"),
        "rwg": ("train_groups", "worst_group"),
        "rwy": ("validation_groups", "worst_group"),
        "subg": ("train_groups", "worst_group"),
        "suby": ("validation_groups", "worst_group"),
        "selectivenet": ("none", "last"),
        "deep_gamblers": ("none", "last"),
        "sat": ("none", "last"),
        "osp": ("none", "last"),
    }
    (row,) = find(rows, method="jtt", split="conflicting", metric="accuracy")
    assert row.epochs == 2


def test_a_method_that_wants_groups_where_there_are_none_is_refused_before_anything_is_trained(
    tmp_path, recipe
):
    asked = recipe(methods=("erm", "jtt"))
    splits = asked.splits(0)
    without = replace(splits, train=WithoutGroups(splits.train), validation=WithoutGroups(splits.validation))
    with pytest.raises(InputError, match="jtt reads group labels of the validation images, and biased-"):
        run_recipe(replace(asked, splits=lambda seed: without), tmp_path / "out")
    assert not (tmp_path / "out").exists()

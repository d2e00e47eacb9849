"""What a run leaves: rows, tuned weights, when it is finished. `tests/cli/test_tune.py` has whole runs."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.report.trials import trial_of

from masktune.evaluation import Measure
from masktune.models import LoadedModel, WeightFile
from masktune.runs.results import read_results, write_results
from masktune.trial.run import is_finished, rows_of, title_of, tuned_path, write_tuned
from masktune.trial.settings import ARMS
from masktune.trial.store import save_trialled

from .tiny import brightness


def settings_of(**more):
    return {"seed": 0, "epochs": 0, **more}


def test_each_measure_of_each_arm_is_a_row():
    trialled = trial_of(settings=settings_of(seed=7))
    rows = [row for row in rows_of(trialled) if not row.metric.startswith("verdict_")]
    assert len(rows) == sum(len(found) for arm in trialled.arms for found in arm.measures.values())
    for arm in trialled.arms:
        for split, measures in arm.measures.items():
            mine = [row for row in rows if (row.method, row.split) == (arm.name, split)]
            told = [(row.metric, row.group, row.value, row.n, row.low, row.high) for row in mine]
            assert told == [(one.metric, one.group, one.value, one.n, one.low, one.high) for one in measures]
    assert {(row.dataset, row.variant, row.config, row.seed) for row in rows} == {("pets", None, None, 7)}
    assert {(row.supervision, row.selection) for row in rows} == {("none", "last")}
    epochs = {row.method: (row.epochs, row.seconds) for row in rows}
    assert epochs == {arm: (0, 0.0) if arm == "untouched" else (1, 30.0) for arm in ARMS}


def test_what_the_verdict_goes_by_comes_back_from_the_results_file_arm_by_arm(tmp_path):
    """Six scores, two of them once more at equal class shares; `judged_of` has their numbers."""
    trialled = trial_of(settings=settings_of(seed=7))
    write_results(tmp_path / "results.json", command="tune", data=[], rows=rows_of(trialled))
    rows = [row for row in read_results(tmp_path / "results.json").rows if row.metric.startswith("verdict_")]
    found = {(row.method, row.metric): row for row in rows}
    assert len(found) == len(rows) == 8 * len(ARMS)
    names = {"swapped", "worst_class", "salient_hidden", "steady", "hardest_tenth", "inferred_groups"}
    names |= {"swapped_equal_shares", "worst_class_equal_shares"}
    for at, arm in enumerate(ARMS):
        value = 0.8 if arm == "masktune" else 0.5 + 0.05 * at
        for name in names:
            row = found[arm, f"verdict_{name}"]
            assert (row.value, row.low, row.high) == pytest.approx((value, value - 0.06, value + 0.05))
            assert (row.split, row.group, row.n, row.config, row.seed) == ("validation", "dog", 20, None, 7)
            assert (row.supervision, row.selection, row.epochs) == ("none", "last", int(arm != "untouched"))


def test_a_score_whose_interval_is_no_number_has_none(tmp_path):
    trialled = trial_of(settings=settings_of())
    first = trialled.verdict.scores[0]
    arms = {**first.arms, "masktune": replace(first.arms["masktune"], low=math.nan, high=math.nan)}
    verdict = replace(trialled.verdict, scores=(replace(first, arms=arms),))
    rows = rows_of(replace(trialled, verdict=verdict))
    write_results(tmp_path / "results.json", command="tune", data=[], rows=rows)
    *_, last = read_results(tmp_path / "results.json").rows
    assert (last.method, last.metric, last.low, last.high) == ("masktune", "verdict_swapped", None, None)


def test_without_masktune_there_is_no_score_to_tell():
    rows = rows_of(trial_of("cannot_be_known", arms=("untouched", "continue_erm"), settings=settings_of()))
    assert [row for row in rows if row.metric.startswith("verdict_")] == []


def test_data_are_called_by_their_folder_or_by_file_and_folder(tmp_path, monkeypatch):
    folder = tmp_path / "birds"
    folder.mkdir()
    (folder / "manifest.csv").touch()
    assert title_of(str(folder / "manifest.csv")) == "birds/manifest.csv"
    assert title_of(f"{folder}/") == "birds"
    monkeypatch.chdir(folder)
    assert [title_of(one) for one in (".", "manifest.csv")] == ["birds", "birds/manifest.csv"]
    assert title_of("hub:user/name") == "user/name"


def test_after_training_first_the_start_was_chosen_by_validation_accuracy():
    rows = rows_of(trial_of(settings=settings_of(epochs=5)))
    assert {row.selection for row in rows} == {"validation_accuracy"}


def test_numbers_of_a_review_are_rows_of_validation():
    trialled = trial_of(settings=settings_of())
    worst = Measure("worst_group_accuracy", 0.25, 40, 0.1, 0.5, group="cat, no mark")
    arms = [replace(arm, measures={**arm.measures, "review": (worst,)}) for arm in trialled.arms]
    found = [row for row in rows_of(replace(trialled, arms=tuple(arms))) if row.config is not None]
    assert [(row.method, row.config, row.split, row.metric) for row in found] == [
        (arm, "review", "validation", "worst_group_accuracy") for arm in ARMS
    ]
    assert {(row.group, row.value, row.n) for row in found} == {("cat, no mark", 0.25, 40)}


def loaded(path):
    """A classifier whose weights lay in a checkpoint, under a prefix."""
    classifier = brightness()
    state = {f"net.{name}": value for name, value in classifier.net.state_dict().items()}
    file = WeightFile(path, "torch", ("model",), "net.", state, content={"model": state, "epoch": 4})
    return LoadedModel(classifier, file, classifier.spec, ())


def moved():
    """The same classifier after tuning."""
    classifier = brightness()
    with torch.no_grad():
        classifier.net.head.bias += 1
    return classifier


def test_tuned_weights_lie_in_the_file_as_those_that_came(tmp_path):
    write_tuned(tmp_path, loaded(tmp_path / "best.ckpt"), trial_of("gain"), moved())
    content = torch.load(tmp_path / "tuned.ckpt", weights_only=True)
    assert content["epoch"] == 4
    assert list(content["model"]) == ["net.see.weight", "net.see.bias", "net.head.weight", "net.head.bias"]
    assert content["model"]["net.head.bias"].tolist() == [26.0, -24.0]


def test_weights_that_came_in_code_are_written_as_safetensors(tmp_path):
    write_tuned(tmp_path, None, trial_of("no_effect"), moved())
    assert load_file(tmp_path / "tuned.safetensors")["head.bias"].tolist() == [26.0, -24.0]
    assert tuned_path(tmp_path, None) == tmp_path / "tuned.safetensors"


@pytest.mark.parametrize(("why", "classifier"), [("worse", moved()), ("no_effect", None)])
def test_harmful_weights_are_not_written_and_none_are_left(tmp_path, why, classifier):
    save_file({"head.bias": torch.zeros(2)}, tmp_path / "tuned.safetensors")
    write_tuned(tmp_path, None, trial_of(why), classifier)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_finished_when_its_results_and_its_trial_are_there(tmp_path):
    assert not is_finished(tmp_path)
    (tmp_path / "results.json").touch()
    assert not is_finished(tmp_path)  # Results of a version that kept no trial cannot be drawn again.
    save_trialled(trial_of(settings=settings_of()), tmp_path)
    assert is_finished(tmp_path)
    (tmp_path / "results.json").unlink()
    assert not is_finished(tmp_path)

"""From run folders and files to lines, rows and predictors."""

import json
from dataclasses import replace

import numpy as np
import pytest

from made_runs import SIZES, predictions, write_model, write_run
from masktune.abstention import ENSEMBLE, Answers, SelectSettings, bring, lines_of, run_select, select
from masktune.errors import CannotCertify, DataNotFound, InputError
from masktune.runs import read_results, save_predictions
from masktune.selective import Score, SelectivePredictor, aurc, curve

QUICK = SelectSettings(
    calibrate="calibration", test="test", coverage=(1.0, 0.8), scores=("product",), draws=100
)


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def test_the_lines_of_a_run(run):
    found = [
        (line.seed, line.method, line.score.name, line.title) for line in lines_of(Answers(bring(run), QUICK))
    ]
    assert [one for one in found if one[0] == 0] == [
        (0, "erm", "sr", "erm"),
        (0, "masktune", "sr", "masktune"),
        (0, "continue_erm", "sr", "continue_erm"),
        (0, "masktune", "product", "erm + masktune"),
        (0, "continue_erm", "product", "erm + continue_erm"),
        (0, ENSEMBLE, "product", "erm + erm of another seed"),
    ]
    assert len(found) == 12


def test_of_many_methods_only_those_asked_for_have_a_line(tmp_path):
    brought = bring(write_run(tmp_path / "run", methods=("erm", "masktune", "jtt", "dfr"), seeds=(0,)))
    alone = lambda asked: {one.method for one in lines_of(Answers(brought, asked)) if one.second is None}  # noqa: E731
    assert alone(QUICK) == {"erm", "masktune"}
    assert alone(replace(QUICK, methods=("dfr",))) == {"erm", "masktune", "dfr"}


def test_one_seed_has_no_ensemble(tmp_path):
    lines = lines_of(Answers(bring(write_run(tmp_path / "run", seeds=(3,))), QUICK))
    assert ENSEMBLE not in {line.method for line in lines}


def test_the_numbers_are_those_of_the_scores(run):
    selected = select(run, None, QUICK)
    vote = next(one for one in selected.lines if (one.line.seed, *one.line.key) == (1, "masktune", "product"))
    pair = {split: [predictions(split, 10), predictions(split, 12)] for split in SIZES}
    test = Score("product").of(*pair["test"])
    wrong = test.labels != pair["test"][0].labels
    assert aurc(vote.curve) == pytest.approx(aurc(curve(test.scores, wrong)))
    calibration = Score("product").of(*pair["calibration"])
    threshold = np.sort(calibration.scores)[::-1][int(0.8 * 600) - 1]
    at = vote.at("coverage", 0.8)
    assert at.found[0].threshold == threshold
    taken = test.scores >= threshold
    assert (at.coverage.value, at.risk.value) == (taken.mean(), wrong[taken].mean())
    ranked = vote.at("ranked", 0.8)
    assert ranked.coverage.value == 0.8
    assert vote.agreement.value == (pair["test"][0].predicted == pair["test"][1].predicted).mean()


def test_the_rows_of_results(run, tmp_path):
    run_select(run, None, replace(QUICK, risk=(0.3,)), tmp_path / "out")
    rows = read_results(tmp_path / "out" / "results.json").rows
    one = [row for row in rows if (row.method, row.seed, row.score) == ("masktune", 0, "product")]
    whole = {(row.metric, row.config, row.target) for row in one if row.group is None}
    assert {("aurc", None, None), ("augrc", None, None), ("e_aurc", None, None)} <= whole
    for config, target in [("coverage", 0.8), ("ranked", 0.8), ("guaranteed, delta 0.05", 0.3)]:
        assert {("coverage", config, target), ("selective_risk", config, target)} <= whole
    assert {row.group for row in one} == {None, "few", "many"}
    risk = next(
        row for row in one if (row.metric, row.config, row.group) == ("selective_risk", "ranked", None)
    )
    assert risk.n in (400, 500)
    assert {row.selection for row in one} == {"validation_accuracy"}
    # Group rows add up.
    for metric, config, target in [("coverage", "coverage", 0.8), ("selective_risk", "coverage", 0.8)]:
        mine = [row for row in one if (row.metric, row.config, row.target) == (metric, config, target)]
        assert sum(row.n for row in mine if row.group) == next(row.n for row in mine if not row.group)


def test_predictors_are_saved_with_hashes_and_parents(run, tmp_path):
    run_select(run, None, QUICK, tmp_path / "out")
    path = tmp_path / "out/predictors/seed-0/masktune-product-coverage-0.8.json"
    loaded = SelectivePredictor.load(path)
    assert loaded.weights.related is True
    assert loaded.weights.first != loaded.weights.second
    ensemble = SelectivePredictor.load(path.with_name(f"{ENSEMBLE}-product-coverage-0.8.json"))
    assert ensemble.weights.related is None
    assert json.loads(path.read_text())["role"] == "calibration"


def test_a_run_that_tuned_the_last_epoch_has_no_known_parent(tmp_path):
    """Bug 6: what votes is then no model before and after."""
    brought = bring(write_run(tmp_path / "run", **{"masktune.tune_checkpoint": "last"}))
    assert brought.voter(0, "masktune").tuned_from is None
    assert brought.notes == (
        "the tuned models go on from ERM's last epoch, and ERM's answers are those of its best one",
    )


@pytest.mark.parametrize(
    ("split", "selection", "role"),
    [
        ("validation", "validation_accuracy", "model-selection"),
        ("validation", "last", "calibration"),
        ("train", "last", "training"),
        ("calibration", "validation_accuracy", "calibration"),
    ],
)
def test_what_a_split_was_used_for(tmp_path, split, selection, role):
    assert bring(write_run(tmp_path / "run", selection=selection)).role(split) == role


def test_a_guarantee_on_the_split_that_chose_the_checkpoint_is_refused(run):
    with pytest.raises(InputError, match="--calibration-share"):
        select(run, None, replace(QUICK, calibrate="validation", risk=(0.3,)))
    assert select(run, None, replace(QUICK, calibrate="validation", risk=(0.3,), empirical=True)).results.rows


def test_too_few_images_for_a_risk_say_how_many_it_takes(run):
    with pytest.raises(CannotCertify, match=r"by 600 calibration images.*takes 2995 accepted ones without"):
        select(run, None, replace(QUICK, risk=(0.001,)))


def test_two_folders_and_two_files_give_the_same(tmp_path):
    for seed, name in enumerate(("old", "new")):
        write_model(tmp_path / name, seed)
        parts = [(split, predictions(split, seed)) for split in SIZES]
        arrays = {
            key: np.concatenate([getattr(one, key) for _, one in parts])
            for key in ("logits", "labels", "ids", "groups")
        }
        splits = np.concatenate([np.full(len(one), split) for split, one in parts])
        np.savez(tmp_path / f"{name}.npz", **arrays, split=splits)
    folders = select(tmp_path / "old", tmp_path / "new", QUICK)
    files = select(tmp_path / "old.npz", tmp_path / "new.npz", QUICK)
    bare = select(tmp_path / "old/predictions", tmp_path / "new/predictions", QUICK)
    rows = [[row.value for row in one.results.rows] for one in (folders, files, bare)]
    assert rows[0] == rows[1] == rows[2]
    assert [one.line.title for one in folders.lines] == ["old", "new", "old + new"]
    assert [one.line.title for one in bare.lines] == ["first", "second", "first + second"]


def test_images_in_another_order_are_matched(tmp_path):
    for name in ("old", "new"):
        write_model(tmp_path / name, 0 if name == "old" else 1)
    before = select(tmp_path / "old", tmp_path / "new", QUICK)
    found = predictions("test", 1)
    save_predictions(
        tmp_path / "new/predictions/test.npz", found._take(np.random.default_rng(0).permutation(len(found)))
    )
    after = select(tmp_path / "old", tmp_path / "new", QUICK)
    assert [row.value for row in after.results.rows] == [row.value for row in before.results.rows]


def test_a_difference_has_the_sign_of_the_better_one(tmp_path):
    write_model(tmp_path / "erm", 0, sure=1.0)
    write_model(tmp_path / "masktune", 1, sure=8.0)
    selected = select(tmp_path / "erm", tmp_path / "masktune", QUICK)
    tuned = next(one for one in selected.areas if one.key == ("masktune", "sr"))
    rate = tuned.against["erm", "sr"]
    assert rate.high < 0
    assert rate.value == pytest.approx(tuned.mean[0].value - selected.areas[0].mean[0].value)
    assert tuned.against["masktune", "sr"].value == 0


def test_costs_move_the_label(tmp_path):
    for name, seed in (("erm", 0), ("masktune", 1)):
        write_model(tmp_path / name, seed, classes=2, sure=1.5)
    plain = select(tmp_path / "erm", tmp_path / "masktune", QUICK)
    dear = select(tmp_path / "erm", tmp_path / "masktune", replace(QUICK, cost_fp=1.0, cost_fn=10.0))
    for one, other in zip(plain.lines, dear.lines, strict=True):
        assert (other.scored.labels == 1).mean() > (one.scored.labels == 1).mean()
    alone = dear.lines[0]
    odds = np.diff(alone.test.logits.astype(float), axis=1)[:, 0]
    assert (alone.scored.labels == (odds + np.log(10) > 0)).all()
    at = alone.at("coverage", 1.0)
    mistakes = ((alone.scored.labels == 1) & (alone.test.labels == 0)).sum() + 10 * (
        (alone.scored.labels == 0) & (alone.test.labels == 1)
    ).sum()
    assert at.cost == pytest.approx(mistakes / 500)


def test_a_temperature_is_fitted_on_its_own_split(run):
    selected = select(run, None, replace(QUICK, temperature="validation"))
    from masktune.selective import fit_temperature

    saved = selected.lines[0].at("coverage", 0.8).predictor.score.temperatures
    assert saved == (fit_temperature(predictions("validation", 0)), 1.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"calibrate": "tset"}, r"no predictions on 'tset' \(did you mean 'test'"),
        ({"calibrate": "test"}, "expected two different splits"),
        ({"coverage": (0.0,)}, "coverage above 0"),
        ({"coverage": (0.8, 0.8)}, "each --coverage once"),
        ({"risk": (1.5,)}, "risk above 0"),
        ({"delta": 0.0, "risk": (0.1,)}, "delta above 0"),
        ({"scores": ("sr",)}, "each alone is scored by sr anyway"),
        ({"cost_fp": 2.0}, "both costs"),
        ({"cost_fp": 2.0, "cost_fn": 1.0}, "expected two classes for costs, got 3"),
        ({"temperature": "test"}, "a split of its own for the temperature"),
        ({"methods": ("jtx",)}, "there is no method 'jtx'; there are continue_erm, erm, masktune"),
        ({"draws": 3}, "at least 100 bootstrap draws"),
        (
            {"scores": ("agree_min",), "on_disagree": "reject"},
            "cannot be reached: the two classifiers agree on",
        ),
    ],
)
def test_what_cannot_be_done(run, change, sentence):
    with pytest.raises(InputError, match=sentence):
        select(run, None, replace(QUICK, **change))


def test_what_is_not_there(tmp_path, run):
    with pytest.raises(DataNotFound, match=r"there is no .*rnu \(did you mean 'run'"):
        bring(tmp_path / "rnu")
    with pytest.raises(InputError, match="a run folder of masktune"):
        bring(run / "models")
    with pytest.raises(InputError, match="a run folder, alone"):
        bring(run, run / "models")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match="holds no predictions such as"):
        bring(tmp_path / "empty", tmp_path / "empty")
    save_predictions(tmp_path / "one.npz", predictions("test", 0))
    with pytest.raises(InputError, match="expected an array `split`"):
        bring(tmp_path / "one.npz", tmp_path / "one.npz")
    (run / "results.json").unlink()
    with pytest.raises(DataNotFound, match="not finished"):
        bring(run)


def test_images_in_both_splits_are_refused(tmp_path):
    for seed, name in enumerate(("old", "new")):
        write_model(tmp_path / name, seed)
        save_predictions(tmp_path / name / "predictions/again.npz", predictions("test", seed))
    with pytest.raises(InputError, match="500 are in both again and test: 'test/0'"):
        select(tmp_path / "old", tmp_path / "new", replace(QUICK, calibrate="again"))


def test_another_model_of_other_images_is_refused(tmp_path):
    write_model(tmp_path / "old", 0)
    write_model(tmp_path / "new", 1, n=50)
    with pytest.raises(InputError, match="predictions on the same images"):
        select(tmp_path / "old", tmp_path / "new", QUICK)


def test_nothing_is_written_where_nothing_can_be_said(run, tmp_path):
    with pytest.raises(CannotCertify):
        run_select(run, None, replace(QUICK, risk=(0.001,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()

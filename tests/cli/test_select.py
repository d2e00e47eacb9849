"""`masktune select`, as it is typed."""

import json

import numpy as np
import pytest
from PIL import Image

from made_runs import predictions, write_model, write_run
from masktune.cli import main
from masktune.evaluation import Predictions
from masktune.runs import read_results, save_predictions
from masktune.selective import SelectivePredictor


@pytest.fixture
def run(capsys):
    """Call the command line; returns (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "run")


SPLITS = ("--calibrate", "calibration", "--test", "test", "--draws", "100")


@pytest.mark.usefixtures("unchecked")
def test_a_run_gives_tables_plots_a_page_and_predictors(run, folder, tmp_path):
    out = tmp_path / "selected"
    code, said, err = run("select", folder, *SPLITS, "--risk", "0.3", "--out", out)
    assert code == 0, err
    assert {path.name for path in out.iterdir()} >= {
        "run.json",
        "results.json",
        "summary.md",
        "report.html",
        "risk_coverage.svg",
        "risk_coverage.pdf",
        "risk_coverage_groups.svg",
        "predictors",
    }
    assert "erm + masktune, scored by product: AURC" in " ".join(said.split())
    summary = (out / "summary.md").read_text()
    assert "## Coverage at a guaranteed risk" in summary
    assert "Against erm + erm of another seed (product):" in summary
    assert read_results(out / "results.json").command == "select"
    loaded = SelectivePredictor.load(out / "predictors/seed-0/masktune-product-guaranteed-0.3.json")
    assert loaded.found[0].certified
    page = (out / "report.html").read_text()
    assert "<script" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.usefixtures("unchecked")
def test_the_same_command_again_gives_the_same(run, folder, tmp_path):
    out = tmp_path / "selected"
    typed = ("select", folder, *SPLITS, "--out", out, "--quiet")
    assert run(*typed)[0] == 0
    before = json.loads((out / "results.json").read_text())["rows"]
    assert run(*typed)[0] == 0
    assert json.loads((out / "results.json").read_text())["rows"] == before
    code, _, err = run(*typed, "--delta", "0.1")
    assert code == 2
    assert "delta was 0.05, is 0.1" in err
    # Another run on the same data is another selection.
    path = folder / "models/made/seed-0/masktune/predictions/test.npz"
    save_predictions(path, predictions("test", 77))
    code, _, err = run(*typed)
    assert code == 2
    assert "predictions.sha256 was" in err


@pytest.mark.usefixtures("unchecked")
def test_a_dry_run_says_what_is_there_and_writes_nothing(run, folder, tmp_path):
    code, said, _ = run("select", folder, *SPLITS, "--out", tmp_path / "selected", "--dry-run")
    assert code == 0
    assert "masktune, seed 1: calibration 600, test 500" in said
    assert "were used before for: calibration" not in said
    assert "the images of calibration were used for nothing before" in said
    assert not (tmp_path / "selected").exists()


@pytest.mark.usefixtures("unchecked")
def test_json_is_results_json(run, folder, tmp_path):
    code, said, _ = run("select", folder, *SPLITS, "--out", tmp_path / "selected", "--json", "--quiet")
    assert code == 0
    assert said == (tmp_path / "selected/results.json").read_text()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            ("--calibrate", "calibration", "--test", "tset"),
            "has no predictions on 'tset' (did you mean 'test'",
        ),
        (("--calibrate", "test", "--test", "test"), "expected two different splits, got 'test'"),
        (
            ("--calibrate", "validation", "--test", "test", "--risk", "0.1"),
            "a guarantee on images that chose the checkpoint is none",
        ),
        (
            ("--calibrate", "calibration", "--test", "test", "--risk", "0.001"),
            "it takes 2995 accepted ones without a wrong one",
        ),
        (("--calibrate", "calibration", "--test", "test", "--scores", "prodcut"), "prodcut"),
        (
            ("--calibrate", "calibration", "--test", "test", "--coverage", "80"),
            "coverage above 0 and up to 1, got 80",
        ),
        (("--calibrate", "calibration", "--test", "test", "--cost-fp", "2"), "expected both costs"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_one_line_and_nothing_is_written(run, folder, tmp_path, typed, sentence):
    code, _, err = run("select", folder, *typed, "--out", tmp_path / "selected")
    assert code == 2
    assert sentence in err
    assert err.count("error:") == 1
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "selected").exists()


def photos(root, images):
    for name in images.ids:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (200, 30, 30)).save(root / name)


@pytest.mark.usefixtures("unchecked")
def test_pictures_of_images_on_which_the_models_disagree(run, tmp_path):
    for seed, name in enumerate(("erm", "masktune")):
        write_model(tmp_path / name, seed, splits=("calibration",))
        found = predictions("test", seed, n=60, sure=1.0)
        ids = np.array([f"test/{'abc'[label]}/{i}.png" for i, label in enumerate(found.labels)])
        save_predictions(
            tmp_path / name / "predictions/test.npz", Predictions(found.logits, found.labels, ids)
        )
    photos(tmp_path / "photos", Predictions(found.logits, found.labels, ids))
    out = tmp_path / "selected"
    typed = ("select", tmp_path / "erm", tmp_path / "masktune", *SPLITS, "--out", out, "--quiet")
    code, _, err = run(*typed, "--images", tmp_path / "photos")
    assert code == 0, err
    page = (out / "report.html").read_text()
    assert "Where the models disagree" in page
    assert "This report contains pictures and file names" in page
    assert 0 < page.count("image/jpeg") <= 24
    (tmp_path / "other/a").mkdir(parents=True)
    (tmp_path / "other/b").mkdir()
    for name in ("a/1.png", "b/1.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / "other" / name)
    code, _, err = run(*typed[:-2], tmp_path / "again", "--quiet", "--images", tmp_path / "other")
    assert code == 2
    assert "give the images that the predictions are about" in err
    assert not (tmp_path / "again").exists()

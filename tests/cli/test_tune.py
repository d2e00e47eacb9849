"""`masktune tune` as it is typed: from images and weights to the files, mistakes, going on after kill -9."""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from cli.tune_made import FOUR, NETS, write_folders, write_table, write_weights
from cli.tune_nets import Small
from masktune.cli import bring, main
from masktune.trial import ARMS
from torchrun import launch

WRITTEN = {
    "run.json",
    "results.json",
    "summary.md",
    "masks.png",
    "report.html",
    "report.json",
    "MODEL_CARD.md",
    "images.csv",
    "splits.csv",
    "trial.json",
    "trial.npz",
    "models",
    "tuned.safetensors",
}
OF_TWO_CLASSES = {
    *("accuracy", "worst_class_accuracy", "balanced_accuracy", "auroc", "auprc", "sensitivity"),
    *("specificity", "brier", "calibration_error"),
}
IN_WORDS = {
    "helped": "Helped. ",
    "no_evidence": "No evidence that it helps. ",
    "harmful": "Harmful: keep the old model. ",
}
SMALL = ("--model", f"{NETS}:two")
FAST = ("--lr", "1e-3", "--quiet")
NONE = ("--trained-on", "none")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """120 images of 60 subjects as a table; the same as class folders; the weights of three nets."""
    root = tmp_path_factory.mktemp("made")
    table = write_table(root / "table", 120, images_per_subject=2)
    write_folders(root / "folder", table)
    for logits, classes in ((1, ("circle", "cross")), (2, ("circle", "cross")), (4, FOUR)):
        write_weights(root / f"{logits}.safetensors", logits=logits, classes=classes)
    return root


@pytest.fixture
def typed(capsys, no_network, unchecked):
    """What a person types behind `masktune`; (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture(scope="module", autouse=True)
def _undrawn():
    """Without masks.png and the plots of the page, which take longest; `done` has them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("masktune.report.trial.draw_examples", lambda *examples, **more: None)
        patched.setattr("masktune.report.page.trial_page.plots_of", lambda trialled: {})
        yield


def of_table(made, *words):
    """The table, and the net that was trained for it."""
    return "tune", made / "table" / "manifest.csv", *SMALL, "--weights", made / "2.safetensors", *words


def of_folder(made, *words):
    """The class folders, and the net that was trained for them."""
    return "tune", made / "folder", *SMALL, "--weights", made / "2.safetensors", *words


@pytest.fixture(scope="module")
def seen(made):
    """A file that names the images of every other subject, as another program writes them."""
    names = sorted(path.name for path in (made / "folder").rglob("*.png"))
    path = made / "seen.txt"
    path.write_text("".join(f"/data/images/{name}\n" for name in names if int(name[1:5]) % 2))
    return path


@pytest.fixture(scope="module")
def done(made, seen, tmp_path_factory):
    """One finished trial of the table: its folder, the words, stdout and stderr."""
    out = tmp_path_factory.mktemp("tune") / "out"
    words = of_table(made, "--out", out, "--trained-on", seen, "--calibration-share", ".2")
    before = digests(made)
    ran = subprocess.run(
        [sys.executable, "-m", "masktune", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert digests(made) == before  # Images and weights are as they were.
    return out, words, ran.stdout, ran.stderr


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(out):
    return json.loads((out / "results.json").read_text())["rows"]


def value_of(out, method, metric, split="validation"):
    (row,) = [
        row
        for row in rows_of(out)
        if (row["method"], row["metric"], row["split"]) == (method, metric, split) and row["group"] is None
    ]
    return row["value"]


def predictions_of(out, method, split="validation"):
    (path,) = out.glob(f"models/*/seed-0/{method}/predictions/{split}.npz")
    return np.load(path, allow_pickle=False)


def roles_of(out):
    with (out / "splits.csv").open() as file:
        return {row["id"]: row["role"] for row in csv.DictReader(file)}


def names_in(out):
    return {path.name for path in out.iterdir() if not path.name.startswith(".")}


def test_a_table_gives_all_files(done):
    out = done[0]
    assert names_in(out) == WRITTEN
    for arm in ARMS:
        folder = out / "models" / "manifest" / "seed-0" / arm
        names = {path.name for path in (folder / "predictions").iterdir()}
        assert names == {"validation.npz", "calibration.npz"}
        assert (folder / "weights.safetensors").exists()
    report = json.loads((out / "report.json").read_text())
    assert (report["schema"], report["findings"]) == ("masktune.report/1", [])
    assert [arm["name"] for arm in report["arms"]] == list(ARMS)


def test_the_terminal_the_page_and_the_card_have_the_verdict_of_report_json(done):
    out, _, said, _ = done
    report = json.loads((out / "report.json").read_text())
    word = IN_WORDS[report["verdict"]]
    assert said.startswith(word)
    reason = " ".join(said.split())
    assert report["reason"].lower() in reason.lower()
    assert word.removesuffix(". ") in (out / "report.html").read_text()
    assert f"**{word.strip()}**" in (out / "MODEL_CARD.md").read_text()
    assert word in (out / "summary.md").read_text()


def test_the_terminal_is_80_columns_wide_and_cuts_no_number(done):
    *told, last = done[2].splitlines()
    assert last.startswith("Written to ")
    assert max(map(len, told)) <= 80
    rows = [line for line in told if line.split()[:1] == ["masktune"]]
    assert len(rows) == 1
    assert re.fullmatch(r" masktune +[\d.]+ \([\d.]+-[\d.]+\) +[\d.]+ \([\d.]+-[\d.]+\) +.*\) *", rows[0])


def test_what_will_be_done_is_said_first_and_once(done):
    err = done[3]
    notes = [line for line in err.splitlines() if line.startswith("note: ")]
    assert len(set(notes)) == len(notes)
    for sentence in ("as seen.txt says", "images are judged on", "learning rate: the largest of", "24x24"):
        assert sum(sentence in note for note in notes) == 1, sentence
    assert re.search(r"^estimate: about \d+ (seconds|minutes)", err, re.MULTILINE)
    assert err.index("estimate: ") < err.index("trying the rate 0.003")


def test_each_arm_split_and_metric_is_a_row(done):
    rows = rows_of(done[0])
    keys = [(row["method"], row["split"], row["metric"], row["group"]) for row in rows]
    assert len(set(keys)) == len(keys)
    for arm in ARMS:
        mine = [row for row in rows if row["method"] == arm]
        assert {row["epochs"] for row in mine} == {int(arm != "untouched")}
        judged = {row["metric"] for row in mine if row["split"] == "validation"}
        judged_by = {metric for metric in judged if metric.startswith("verdict_")}
        assert len(judged_by) == 8  # `tests/trial/test_run.py` has their names and numbers.
        judged -= judged_by
        assert judged == OF_TWO_CLASSES | {"group_accuracy", "worst_group_accuracy"} | (
            {"accuracy_group_mean", "accuracy_train_weighted"} & judged
        )
        masks = {"image_hidden", "empty_masks"} if "mask" in arm else set()
        assert {row["metric"] for row in mine if row["split"] == "train"} == masks
    assert {(row["supervision"], row["selection"], row["seed"]) for row in rows} == {("none", "last", 0)}
    rates = [row for row in rows if row["metric"] in ("accuracy", "worst_class_accuracy", "sensitivity")]
    assert len(rates) == 3 * len(ARMS)
    for row in rates:
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
        assert row["n"] > 0


def test_rows_are_what_the_predictions_say(done):
    for arm in ARMS:
        said = predictions_of(done[0], arm)
        right = said["logits"].argmax(1) == said["labels"]
        assert value_of(done[0], arm, "accuracy") == pytest.approx(right.mean())
        by_class = [right[said["labels"] == label].mean() for label in (0, 1)]
        assert value_of(done[0], arm, "worst_class_accuracy") == pytest.approx(min(by_class))
        assert (said["logits"].dtype, said["labels"].dtype) == (np.float32, np.int64)
        assert len(said["subjects"]) == len(said["groups"]) == len(said["ids"]) == len(right)


def test_calibration_images_are_named_and_stay_unread(done):
    out = done[0]
    roles = roles_of(out)
    with (done[1][1]).open() as file:
        table = list(csv.DictReader(file))
    assert list(roles) == [row["path"] for row in table]
    assert set(roles.values()) == {"train", "held back", "validation", "calibration"}
    reserved = {name for name, role in roles.items() if role == "calibration"}
    assert len(reserved) == 12  # A fifth of 60.
    found = [path for path in out.rglob("*.npz") if "predictions" in path.parts]
    assert {path.stem for path in found} == {"validation", "calibration"}
    for path in found:  # The answers to reserved images are there for `select`, and in nothing else.
        ids = set(np.load(path)["ids"].tolist())
        assert ids == {name for name, role in roles.items() if role == path.stem}
    assert not reserved.intersection((out / "images.csv").read_text().replace(",", "\n").splitlines())
    counts = json.loads((out / "report.json").read_text())["counts"]
    assert sum(counts["calibration"].values()) == 12
    assert sum(counts["train"].values()) == list(roles.values()).count("train")


def test_no_subject_has_two_roles(done):
    roles = roles_of(done[0])
    with (done[1][1]).open() as file:
        subject_of = {row["path"]: row["subject"] for row in csv.DictReader(file)}
    one_role = {(subject_of[name], "train" if role == "held back" else role) for name, role in roles.items()}
    assert len(one_role) == 60
    assert {(subject_of[name], role) for name, role in roles.items()} == {
        (subject_of[name], role) for name, role in roles.items() if name.endswith("_00.png")
    }


def test_what_got_worse_is_asked_of_classes_groups_columns_and_areas(done):
    report = json.loads((done[0] / "report.json").read_text())
    assert {change["kind"] for change in report["changes"]} == {"class", "group", "column", "area"}
    told = {change["name"] for change in report["changes"] if change["kind"] == "column"}
    assert any("site" in name for name in told)


def test_the_rate_is_chosen_by_the_rule(done):
    report = json.loads((done[0] / "report.json").read_text())
    rate = report["rate"]
    assert [tried["rate"] for tried in rate["tried"]] == [3e-3, 1e-3, 3e-4, 1e-4]
    fair = [tried["rate"] for tried in rate["tried"] if tried["behind"] <= tried["allowed"]]
    assert rate["rate"] == max(fair)
    assert f"{rate['rate']:g}" in (done[0] / "MODEL_CARD.md").read_text()


def test_run_json_says_all_that_the_numbers_depend_on(done):
    run = json.loads((done[0] / "run.json").read_text())
    assert (run["schema"], run["command"]) == ("masktune.run/1", "tune")
    assert run["argv"] == [str(word) for word in done[1]]
    assert run["data"][0]["name"] == "manifest"
    assert len(run["weights_sha256"]) == len(run["data"][0]["sha256"]) == 64
    assert run["settings"]["calibration_share"] == 0.2
    for name in ("settings", "versions", "threads", "device", "started"):
        assert run[name]


def test_the_statement_of_a_trial_names_its_numbers(done, typed):
    code, out, err = typed("report", done[0], "--statement")
    assert (code, err) == (0, "")
    run = json.loads((done[0] / "run.json").read_text())
    assert run["data"][0]["sha256"][:12] in out
    hardware = json.loads((done[0] / "report.json").read_text())["about"]["hardware"]
    assert f"on the device cpu ({hardware}) with" in out


def test_a_finished_trial_typed_again_tunes_nothing_and_draws_its_report(done, typed, tmp_path):
    """As one who wants the same report without pictures; all but the report stays as it is."""
    copy = tmp_path / "copy"
    shutil.copytree(done[0], copy)
    before = digests(copy)
    words = [copy if word == done[0] else word for word in done[1]]
    code, out, err = typed(*words, "--no-images")
    assert code == 0, err
    assert "note: it was finished before, so its report was drawn again" in err
    assert "tuning" not in err
    assert "estimate" not in err
    assert out.splitlines()[0] == done[2].splitlines()[0]
    after = digests(copy)
    assert before.keys() - after.keys() == {"masks.png"}
    changed = {name for name, digest in after.items() if before[name] != digest}
    assert changed <= {"report.html", "report.json", "summary.md", "MODEL_CARD.md"}
    assert "data:image/jpeg" not in (copy / "report.html").read_text()
    assert "data:image/jpeg" in (done[0] / "report.html").read_text()


def test_licences_that_are_given_later_are_kept_with_the_run(done, typed, tmp_path):
    """The first command named none; nothing is tuned for it, and the next report has them still."""
    copy = tmp_path / "copy"
    shutil.copytree(done[0], copy)
    assert "data: not given (--data-license TEXT" in typed("report", copy, "--statement")[1]
    words = [copy if word == done[0] else word for word in done[1]]
    code, _, err = typed(*words, "--data-license", "CC BY 4.0")
    assert code == 0, err
    assert "tuning" not in err
    assert "data: CC BY 4.0; weights: not given (--weights-license" in typed("report", copy, "--statement")[1]
    (copy / "MODEL_CARD.md").unlink()
    assert typed("report", copy)[0] == 0
    assert "- data: CC BY 4.0\n- weights: not given" in (copy / "MODEL_CARD.md").read_text()


def test_the_report_is_called_by_the_manifest_and_its_folder(done):
    assert "<bdi>table/manifest.csv</bdi></h1>" in (done[0] / "report.html").read_text()
    assert (done[0] / "summary.md").read_text().startswith("# table/manifest.csv: trial of MaskTune")
    assert json.loads((done[0] / "report.json").read_text())["about"]["hardware"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--lr", "1e-3"), "learning_rate was None, is 0.001"),
        (("--seed", "1"), "seed was 0, is 1"),
        (("--freeze-bn",), "freeze_bn was False, is True"),
    ],
)
def test_another_setting_in_the_same_folder_is_refused(done, typed, more, said):
    before = digests(done[0])
    code, out, err = typed(*done[1], *more, "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {done[0]} holds another run: {said}")
    assert digests(done[0]) == before


def test_other_weights_in_the_same_folder_are_refused(done, typed, tmp_path):
    weights = load_file(done[1][done[1].index("--weights") + 1])
    weights["head.bias"] += 0.01
    save_file(weights, tmp_path / "other.safetensors")
    words = list(done[1])
    words[words.index("--weights") + 1] = tmp_path / "other.safetensors"
    code, _, err = typed(*words, "--quiet")
    assert code == 2
    assert "the start weights had the sha256" in err


def test_before_the_trial_the_classifier_is_tried_on_no_image_that_is_reserved(
    done, typed, tmp_path, monkeypatch
):
    tried = []
    plain = bring.trial_run

    def spy(prepared, **more):
        tried.extend(prepared.files.ids.tolist())
        return plain(prepared, **more)

    monkeypatch.setattr(bring, "trial_run", spy)
    words = [tmp_path / "out" if word == done[0] else word for word in done[1]]
    code, _, err = typed(*words, "--dry-run")
    assert code == 0, err
    roles = roles_of(done[0])
    assert {roles[name] for name in tried} == {"train", "held back", "validation"}
    assert len(tried) == len(roles) - 12  # A fifth of the 60 that were not trained on.


def test_a_dry_run_writes_nothing_whether_or_not_there_is_a_run(done, typed, tmp_path):
    before = {str(path): path.stat().st_mtime_ns for path in done[0].rglob("*")}
    for out in (done[0], tmp_path / "out"):
        words = [out if word == done[0] else word for word in done[1]]
        code, said, err = typed(*words, "--dry-run")
        assert code == 0, err
        assert "learning_rate: chosen among the rates\nrates: (0.003, 0.001, 0.0003, 0.0001)\n" in said
        assert "arms: untouched, continue_erm, random_mask, least_salient_mask, masktune\n" in said
        assert re.search(
            r"^images: train \d+, validation \d+, calibration 12 in 2 classes$", said, re.MULTILINE
        )
        assert re.search(r"^estimate: about \d+ seconds \(6 epochs of training", said, re.MULTILINE)
    assert not (tmp_path / "out").exists()
    assert {str(path): path.stat().st_mtime_ns for path in done[0].rglob("*")} == before


def test_json_is_the_results_file_alone(done, typed, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(done[0], copy)
    words = [copy if word == done[0] else word for word in done[1]]
    code, out, err = typed(*words, "--json", "--quiet")
    assert (code, err) == (0, "")
    assert out == (copy / "results.json").read_text()


# How the images came.


def test_a_training_image_that_is_in_validation_under_another_name_is_not_judged_on(
    made, six_hundred, typed, tmp_path
):
    folder = shutil.copytree(six_hundred, tmp_path / "images")
    copied = sorted((folder / "train" / "cross").iterdir())[:3]
    for at, path in enumerate(copied):
        shutil.copy(path, folder / "val" / "cross" / f"copy-{at}.png")
    words = (
        "tune",
        folder,
        *SMALL,
        "--weights",
        made / "2.safetensors",
        "--out",
        tmp_path / "out",
        "--dry-run",
    )
    for more in ((), ("--trained-on", "none")):
        code, said, err = typed(*words, *more)
        assert code == 0, err
        assert "images: train 360, validation 120, test 120, unused 3 in 2 classes" in said


def test_a_folder_of_60_images_of_which_nothing_is_known(made, typed, tmp_path):
    table = write_table(tmp_path / "few", 60, seed=4)
    folder = write_folders(tmp_path / "sixty", table)
    words = ("tune", folder, *SMALL, "--weights", made / "2.safetensors", "--out", tmp_path / "out", *FAST)
    code, out, err = typed(*words)
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["verdict"], report["why"]) == ("no_evidence", "cannot_be_known")
    assert report["reason"].startswith("it is not known which of these images the weights were trained on")
    top = "Not judged. It is not known which of these images the weights were trained on"
    assert " ".join(out.split()).startswith(top)
    head = (tmp_path / "out" / "summary.md").read_text().split("\n\n")
    assert head[2].startswith(top)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert card.index("It is not known which") < card.index("## Model\n")
    page = re.sub(r"<[^>]+>", " ", (tmp_path / "out" / "report.html").read_text().partition("<body")[2])
    assert "t is not known which of these images the weights were trained on" in page[:3000]
    assert (tmp_path / "out" / "tuned.safetensors").exists()
    assert not (tmp_path / "out" / "work").exists()


@pytest.fixture(scope="module")
def six_hundred(tmp_path_factory):
    """600 images in train/class, val/class and test/class."""
    root = tmp_path_factory.mktemp("six hundred")
    splits = ("train", "train", "train", "val", "test")
    return write_folders(root / "images", write_table(root / "table", 600), splits)


def test_600_images_in_train_val_and_test(made, six_hundred, typed, tmp_path):
    words = ("tune", six_hundred, *SMALL, "--weights", made / "2.safetensors", "--out", tmp_path / "out")
    code, out, err = typed(*words, "--lr", "1e-3", "--batch-size", "64")
    assert code == 0, err
    assert "assumed to have been trained on the 360 images of split train, since the data name splits" in err
    roles = list(roles_of(tmp_path / "out").values())
    assert [roles.count(name) for name in ("train", "held back", "validation", "test")] == [324, 36, 120, 120]
    assert {row["split"] for row in rows_of(tmp_path / "out")} == {"train", "validation", "test"}
    for arm in ARMS:
        said = predictions_of(tmp_path / "out", arm, "test")
        right = (said["logits"].argmax(1) == said["labels"]).mean()
        assert value_of(tmp_path / "out", arm, "accuracy", "test") == pytest.approx(right)
    assert "Right on the test images, % (95 % interval)" in out


def test_four_classes(made, typed, tmp_path):
    table = write_table(tmp_path / "four", 120, seed=5, classes=FOUR)
    words = ("tune", table, "--model", f"{NETS}:four", "--weights", made / "4.safetensors", *FAST)
    code, _, err = typed(*words, "--out", tmp_path / "out", "--trained-on", "none")
    assert (code, err) == (0, "")
    assert predictions_of(tmp_path / "out", "masktune")["logits"].shape[1] == 4
    assert "auroc" not in {row["metric"] for row in rows_of(tmp_path / "out")}
    words = (*words, "--out", tmp_path / "other", "--operating-point", "threshold=.12")
    assert "expected two classes for --operating-point" in typed(*words, "--trained-on", "none")[2]


def test_one_logit(made, typed, tmp_path):
    """Its logits are [0, z] everywhere, and the tuned weights are one row again."""
    words = ("tune", made / "folder", "--model", f"{NETS}:one", "--weights", made / "1.safetensors", *FAST)
    size = ("--input-size", "24", "24", "--channels", "1", "--crop-share", "1", "--arms", "masktune")
    code, _, err = typed(*words, *size, "--out", tmp_path / "out", "--trained-on", "none")
    assert (code, err) == (0, "")
    logits = predictions_of(tmp_path / "out", "masktune")["logits"]
    assert (logits[:, 0] == 0).all()
    assert load_file(tmp_path / "out" / "tuned.safetensors")["head.weight"].shape == (1, 288)


# What is tried, and how.


ONE_ARM = ("--arms", "masktune", "--trained-on", "none", *FAST)


def test_one_arm_gives_tuned_weights_and_no_verdict(made, typed, tmp_path):
    code, out, err = typed(*of_folder(made, "--out", tmp_path / "out", *ONE_ARM))
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [arm["name"] for arm in report["arms"]] == ["untouched", "masktune"]
    assert report["verdict"] == "no_evidence"
    top = "Not judged. Without continue_erm and random_mask and least_salient_mask"
    assert " ".join(out.split()).startswith(top)
    assert f"**{top[:11]}** {top[12:]}" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert top in (tmp_path / "out" / "summary.md").read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "</span>Not judged</p>" in page
    assert "No evidence" not in page
    old, new = load_file(made / "2.safetensors"), load_file(tmp_path / "out" / "tuned.safetensors")
    assert old.keys() == new.keys()
    assert not torch.equal(old["head.weight"], new["head.weight"])


def test_the_recipe_is_the_one_that_was_typed(made, typed, tmp_path):
    recipe = ("--freeze-bn", "--augment", "crop_flip", "--loss", "balanced", "--optimizer", "sgd")
    more = ("--batch-size", "8", "--weight-decay", "0", "--top", ".1", "--fill", "noise")
    code, _, err = typed(*of_folder(made, "--out", tmp_path / "out", *ONE_ARM, *recipe, *more))
    assert (code, err) == (0, "")
    settings = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]
    names = ("freeze_bn", "augment", "loss", "optimizer", "batch_size", "weight_decay", "learning_rate")
    wanted = [True, "crop_flip", "balanced", "sgd", 8, 0.0, 0.001]
    assert [settings[name] for name in names] == wanted
    assert value_of(tmp_path / "out", "masktune", "image_hidden", "train") == pytest.approx(0.1, abs=0.01)
    old, new = load_file(made / "2.safetensors"), load_file(tmp_path / "out" / "tuned.safetensors")
    for name in old:
        kept = "running" in name or "num_batches" in name
        assert torch.equal(old[name], new[name]) == kept, name


@pytest.mark.parametrize("point", ["threshold=.12", "specificity=.95"])
def test_an_operating_point_decides_and_leaves_logits_and_probabilities_alone(made, typed, tmp_path, point):
    words = (*ONE_ARM, "--operating-point", point, "--out", tmp_path / "out")
    code, out, err = typed(*of_folder(made, *words))
    assert (code, err) == (0, "")
    assert "sensitivity (cross)" in out
    assert "specificity (circle)" in out
    told = " ".join(out.split())
    assert f"Operating point {point}: cross is said where its probability is at least " in told
    net = Small(2)
    net.load_state_dict(load_file(tmp_path / "out" / "tuned.safetensors"))
    said = predictions_of(tmp_path / "out", "masktune")
    assert logits_of(net.eval(), made / "folder", said["ids"], 1) == pytest.approx(said["logits"], abs=1e-4)
    second = torch.from_numpy(said["logits"]).double().softmax(1)[:, 1].numpy()
    labels = said["labels"]
    if point.startswith("threshold"):
        least = 0.12
    else:  # So high that of the circles at most a twentieth is called a cross.
        circles = np.sort(second[labels == 0])
        least = np.nextafter(circles[len(circles) - 1 - int(0.05 * len(circles))], 1)
    cross = second >= least
    assert value_of(tmp_path / "out", "masktune", "sensitivity") == cross[labels == 1].mean()
    assert value_of(tmp_path / "out", "masktune", "specificity") == (~cross[labels == 0]).mean()
    assert value_of(tmp_path / "out", "masktune", "accuracy") == (cross == labels).mean()
    brier = ((second - labels) ** 2).mean()
    assert value_of(tmp_path / "out", "masktune", "brier") == pytest.approx(brier, abs=1e-6)


def test_max_images_takes_whole_subjects(made, typed, tmp_path):
    code, _, err = typed(*of_table(made, "--out", tmp_path / "out", *ONE_ARM, "--max-images", "80"))
    assert (code, err) == (0, "")
    names = list(roles_of(tmp_path / "out"))
    assert len(names) == 80
    subjects = [name.rpartition("_")[0] for name in names]
    assert all(subjects.count(one) == 2 for one in subjects)


def test_epochs_train_a_fresh_head_first(made, typed, tmp_path):
    words = ("tune", made / "folder", "--model", f"{NETS}:four", "--weights", made / "4.safetensors")
    code, _, err = typed(*words, "--epochs", "3", "--out", tmp_path / "out", *FAST, "--arms", "masktune")
    assert code == 0, err
    assert {(row["method"], row["epochs"], row["selection"]) for row in rows_of(tmp_path / "out")} == {
        ("untouched", 3, "validation_accuracy"),
        ("masktune", 4, "validation_accuracy"),
    }
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["seen"].startswith("the trial trains the weights itself")
    start = load_file(tmp_path / "out/models/folder/seed-0/untouched/weights.safetensors")
    tuned = load_file(tmp_path / "out" / "tuned.safetensors")
    assert start["head.weight"].shape == tuned["head.weight"].shape == (2, 288)
    assert not torch.equal(start["head.weight"], tuned["head.weight"])


def test_images_that_a_file_names_are_tuned_on_and_never_judged_on(made, seen, done):
    named = {name.rpartition("/")[2] for name in seen.read_text().split()}
    assert len(named) == 60
    for name, role in roles_of(done[0]).items():
        assert (name.rpartition("/")[2] in named) == (role in ("train", "held back")), name
    report = json.loads((done[0] / "report.json").read_text())
    assert report["seen"] == "the weights were trained on 60 of the 120 images, as seen.txt says"


def test_all_images_that_were_not_trained_on_are_judged_on_if_asked_for(made, seen, typed, tmp_path):
    words = ("--trained-on", seen, "--validation-share", "1", "--out", tmp_path / "out")
    code, out, err = typed(*of_table(made, *words, "--dry-run"))
    assert code == 0, err
    assert "note: 60 images were not trained on: 60 are judged on, as --validation-share 1 says\n" in err
    assert "images: train 60, validation 60 in 2 classes\n" in out
    code, out, err = typed(*of_table(made, "--trained-on", "none", "--out", tmp_path / "out", "--dry-run"))
    assert code == 0, err
    judged, tuned = re.search(
        r"note: 120 images were not trained on: (\d+) are judged on, (\d+) are tuned on, drawn by seed 0; "
        r"--validation-share judges on more\n",
        err,
    ).groups()
    assert f"images: train {tuned}, validation {judged} in 2 classes\n" in out
    assert int(judged) + int(tuned) == 120


def test_a_file_that_names_other_images_than_before_is_another_run(seen, done, typed, tmp_path):
    (tmp_path / "seen.txt").write_text(seen.read_text() + "/data/images/s0000_00.png\n")
    words = [tmp_path / "seen.txt" if word == seen else word for word in done[1]]
    code, _, err = typed(*words, "--quiet")
    assert code == 2
    assert f"error: {done[0]} holds another run: trained_on was" in err


def test_where_tuning_is_given_up_no_tuned_weights_are_left(made, typed, tmp_path, monkeypatch):
    def collapsed(before, after, masked=None):
        return None if masked is None else "it forgot all"

    monkeypatch.setattr("masktune.trial.arms.collapsed", collapsed)
    code, out, err = typed(*of_folder(made, "--trained-on", "none", "--out", tmp_path / "out", *FAST))
    assert (code, err) == (0, "")
    assert out.startswith("Harmful: keep the old model. Tuning was given up, since it forgot all.")
    assert re.search(r"^ masktune +given up *$", out, re.MULTILINE)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["verdict"] == "harmful"
    assert names_in(tmp_path / "out") == WRITTEN - {"tuned.safetensors", "masks.png"}
    assert not (tmp_path / "out/models/folder/seed-0/masktune/weights.safetensors").exists()
    assert "Keep the old model." in (tmp_path / "out" / "MODEL_CARD.md").read_text()


def test_a_person_s_labels_stand_beside_the_verdict(made, typed, tmp_path):
    """Of 60 images of a scan it is said whether the mark is there; right answers are counted by hand."""
    scanned = tmp_path / "scan"
    code, _, err = typed("scan", *of_folder(made)[1:], "--out", scanned, "--review", "60", "--quiet")
    assert (code, err) == (0, "")
    with (made / "table" / "manifest.csv").open() as file:
        marked = {
            row["path"].rpartition("/")[2]: "with marker" in row["group"] for row in csv.DictReader(file)
        }
    with (scanned / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    pattern = rows[0]["pattern"]
    labelled = [row for row in rows if row["pattern"] == pattern]
    for row in labelled:
        row["answer"] = "yes" if marked[row["id"].strip("'").rpartition("/")[2]] else "no"
    with (tmp_path / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out"
    code, said, err = typed(*of_folder(made, *ONE_ARM, "--groups", tmp_path / "answers.csv", "--out", out))
    assert (code, err) == (0, "")
    assert "by a person's labels of" in " ".join(said.split()).replace("By a", "by a")
    told = [row for row in rows_of(out) if row["config"] == "review" and row["method"] == "masktune"]
    groups = {row["group"]: row for row in told if row["metric"] == "group_accuracy"}
    judged = predictions_of(out, "masktune")
    right = dict(zip(judged["ids"].tolist(), judged["logits"].argmax(1) == judged["labels"], strict=True))
    for label in ("circle", "cross"):
        for answer, name in (("yes", f"{label}, {pattern}"), ("no", f"{label}, no {pattern}")):
            mine = [
                right[row["id"].strip("'")]
                for row in labelled
                if row["answer"] == answer and row["id"].strip("'").startswith(label)
                if row["id"].strip("'") in right
            ]
            assert (name in groups) == bool(mine), name
            if len(set(mine)) == 1:  # Weights of the draw do not matter then.
                assert groups[name]["value"] == float(mine[0])
    (worst,) = [row for row in told if row["metric"] == "worst_group_accuracy"]
    assert worst["value"] == min(row["value"] for row in groups.values())


# Weights come out as they came in.


def pixels_of(folder, names, channels):
    """The images of a data set as plain PIL and torch have them, in [0, 1]."""
    pictures = [np.array(Image.open(folder / name).convert("L")) for name in names.tolist()]
    return torch.from_numpy(np.stack(pictures)).float()[:, None].expand(-1, channels, -1, -1) / 255


def logits_of(net, folder, names, channels, mean=0.0, std=1.0):
    """What a net says of them, without masktune."""
    shape = (-1, 1, 1)
    mean, std = torch.tensor(mean).reshape(shape), torch.tensor(std).reshape(shape)
    with torch.inference_mode():
        return net((pixels_of(folder, names, channels) - mean) / std).numpy()


def trained(net, folder, mean, std):
    """A net after a few steps on all images."""
    names = np.array([str(path.relative_to(folder)) for path in sorted(folder.rglob("*.png"))])
    shape = (1, -1, 1, 1)
    pixels = (pixels_of(folder, names, 3) - torch.tensor(mean).reshape(shape)) / torch.tensor(std).reshape(
        shape
    )
    labels = torch.tensor([name.startswith("cross") for name in names]).long()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for step in range(40):
        some = slice(step % 5, None, 5)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(pixels[some]), labels[some]).backward()
        optimizer.step()
    return net.eval()


IN_FULL = ("--input-size", "24", "24", "--crop-share", "1")
GENTLY = ("--arms", "masktune", "--trained-on", "none", "--freeze-bn", "--lr", "1e-5", "--quiet")


def check_tuned(plain, weights, out, folder, mean, std):
    """The net of the library itself takes the tuned weights, and says what the trial says it does."""
    plain.load_state_dict(weights, strict=True)
    said = predictions_of(out, "masktune")
    ours = logits_of(plain.eval(), folder, said["ids"], 3, mean, std)
    assert ours == pytest.approx(said["logits"], abs=1e-4)
    assert ours != pytest.approx(predictions_of(out, "untouched")["logits"], abs=1e-4)


def test_timm_weights_in_three_formats(made, typed, tmp_path):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model("test_resnet", num_classes=2)
        mean, std = net.default_cfg["mean"], net.default_cfg["std"]
        state = trained(net, made / "folder", mean, std).state_dict()
    lightning = {"epoch": 3, "state_dict": {f"model.{name}": value for name, value in state.items()}}
    save_file(state, tmp_path / "net.safetensors")
    torch.save(state, tmp_path / "net.pth")
    torch.save(lightning, tmp_path / "net.ckpt")
    found = {}
    for kind in ("safetensors", "pth", "ckpt"):
        out = tmp_path / kind
        words = ("tune", made / "folder", "--model", "timm:test_resnet", *IN_FULL, *GENTLY)
        code, _, err = typed(*words, "--weights", tmp_path / f"net.{kind}", "--out", out)
        assert code == 0, err
        tuned = out / f"tuned.{kind}"
        content = load_file(tuned) if kind == "safetensors" else torch.load(tuned, weights_only=True)
        if kind == "ckpt":
            assert content.keys() == lightning.keys()
            assert content["epoch"] == 3
            assert list(content["state_dict"]) == list(lightning["state_dict"])
            content = {name.removeprefix("model."): value for name, value in content["state_dict"].items()}
        assert content.keys() == state.keys()
        check_tuned(timm.create_model("test_resnet", num_classes=2), content, out, made / "folder", mean, std)
        card = (out / "MODEL_CARD.md").read_text()
        assert f"weights: {net.pretrained_cfg['license']}, as timm says of its own weights test" in card
        found[kind] = content
    for name, value in found["safetensors"].items():
        assert torch.equal(value, found["pth"][name]), name
        assert torch.equal(value, found["ckpt"][name]), name


def test_torchvision_weights(made, typed, tmp_path):
    models = pytest.importorskip("torchvision.models")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = trained(models.resnet18(num_classes=2), made / "folder", mean, std)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    words = ("tune", made / "folder", "--model", "torchvision:resnet18", "--weights", tmp_path / "net.pt")
    code, _, err = typed(*words, *IN_FULL, *GENTLY, "--layer", "layer2", "--out", tmp_path / "out")
    assert code == 0, err
    tuned = torch.load(tmp_path / "out" / "tuned.pt", weights_only=True)
    check_tuned(models.resnet18(num_classes=2), tuned, tmp_path / "out", made / "folder", mean, std)


# Killed, and typed again; several processes.


KILLED = """
import os, signal, sys
from masktune.trial import arms, rates, run
from masktune.training import loop

def kill(*args, **more):
    os.kill(os.getpid(), signal.SIGKILL)

def at_call(module, name, number, then=kill):
    plain, calls = getattr(module, name), []
    def call(*args, **more):
        calls.append(args)
        return then(*args, **more) if len(calls) == number else plain(*args, **more)
    setattr(module, name, call)

def in_the_epoch(plain):
    def fit(method, task, held_out):
        at_call(loop, "_step", 2)
        return plain(method, task, held_out)
    return fit

place = sys.argv.pop(1)
if place == "in the third rate":
    at_call(rates, "fit_and_ask", 3, in_the_epoch(rates.fit_and_ask))
elif place == "in the second arm":
    at_call(arms, "fit_and_ask", 2, in_the_epoch(arms.fit_and_ask))
elif place == "before results.json":
    at_call(run, "rows_of", 1)
from masktune.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def short(made, tmp_path_factory):
    """A finished trial of two arms in one go, with all checks of types and shapes: its folder and words."""
    out = tmp_path_factory.mktemp("short") / "out"
    arms = ("--arms", "continue_erm", "masktune")
    words = [str(word) for word in of_folder(made, *NONE, *arms, "--out", out)]
    with pytest.raises(SystemExit) as left:
        main([*words, "--quiet"])
    assert left.value.code == 0
    return out, words


def check_same(out, done):
    """The same bits as the run in one go, but for durations."""
    assert names_in(out) - {"masks.png"} == names_in(done)  # The killed process may have drawn it.
    for ours, theirs in zip(rows_of(out), rows_of(done), strict=True):
        assert ours | {"seconds": None} == theirs | {"seconds": None}
    names = ["tuned.safetensors", "images.csv", "splits.csv"]
    names += [str(path.relative_to(done)) for path in (done / "models").rglob("*") if path.is_file()]
    for name in names:
        assert (out / name).read_bytes() == (done / name).read_bytes(), name
    verdicts = [json.loads((one / "report.json").read_text())["verdict"] for one in (out, done)]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(
    ("place", "again", "not_again"),
    [
        ("in the third rate", ("trying the rate 0.003", "continue_erm: tuning"), ()),
        ("in the second arm", ("masktune: tuning",), ("trying the rate", "continue_erm: tuning")),
        ("before results.json", ("asking masktune",), ("trying the rate", "tuning")),
    ],
)
def test_kill_9_and_the_same_command_again_gives_the_same_bits(
    short, typed, tmp_path, place, again, not_again
):
    out = tmp_path / "out"
    words = [str(out) if word == str(short[0]) else word for word in short[1]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, place, *words]
    ran = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert (out / "run.json").exists()
    assert not (out / "results.json").exists()
    code, _, err = typed(*words)
    assert code == 0, err
    assert all(sentence in err for sentence in again)
    assert not any(sentence in err for sentence in not_again)
    check_same(out, short[0])


def test_a_run_that_was_killed_at_its_very_end_is_finished(short, typed, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(short[0], out)
    (out / "work" / "tuning").mkdir(parents=True)  # It was to be removed after results.json was written.
    words = [str(out) if word == str(short[0]) else word for word in short[1]]
    code, _, err = typed(*words)
    assert code == 0, err
    assert "it was finished before" in err
    check_same(out, short[0])


def test_a_trial_on_two_processes_comes_to_the_same_verdict(short, tmp_path):
    out = tmp_path / "two"
    ran = launch(*(str(out) if word == str(short[0]) else word for word in short[1]))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Written to") == 1
    assert names_in(out) == WRITTEN
    reports = [json.loads((one / "report.json").read_text()) for one in (out, short[0])]
    assert reports[0]["verdict"] == reports[1]["verdict"]
    for arm in ("untouched", "continue_erm", "masktune"):
        ours, theirs = (predictions_of(one, arm) for one in (out, short[0]))
        assert ours["ids"].tolist() == theirs["ids"].tolist()
        if arm == "untouched":
            assert ours["logits"] == pytest.approx(theirs["logits"], abs=1e-5)


# Mistakes.


@pytest.fixture
def refused(typed, tmp_path):
    """What must be refused: exit code 2, one line, nothing left of a run, even if it began."""

    def call(*words, began=False):
        out = tmp_path / "out"
        code, said, err = typed(*words, "--out", out, "--quiet")
        assert (code, said) == (2, "")
        lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1, err
        assert lines[0].startswith("error: "), err
        assert out.exists() == began
        assert [path.name for path in out.glob("*") if not path.name.startswith(".")] == []
        return lines[0].removeprefix("error: ")

    return call


def test_nothing_is_left_to_judge_on(made, refused):
    line = refused(*of_folder(made, "--trained-on", "all"))
    assert line.startswith("expected images to judge on that were not trained on, got none (the weights were")


def test_one_class_in_validation(made, refused, tmp_path):
    folder = write_folders(tmp_path / "parts", made / "table" / "manifest.csv", ("train", "val"))
    shutil.rmtree(folder / "val" / "cross")
    line = refused("tune", folder, *SMALL, "--weights", made / "2.safetensors")
    assert "'cross'" in line
    assert "val" in line


def test_names_of_other_images(made, refused, tmp_path):
    (tmp_path / "other.txt").write_text("dog/1.png\ndog/2.png\n")
    line = refused(*of_folder(made, "--trained-on", tmp_path / "other.txt"))
    assert line.startswith(f"--trained-on {tmp_path}/other.txt names other images: none of its 2 names")
    known = next((made / "folder").rglob("*.png")).name
    (tmp_path / "other.txt").write_text(f"{known}\n" + "".join(f"dog/{at}.png\n" for at in range(10)))
    line = refused(*of_folder(made, "--trained-on", tmp_path / "other.txt"))
    assert "only 1 of its 11 names mean one of the 120 images here, less than 10 % of either" in line


NOT_RUN = """
raise SystemExit("it was run")

class Net:
    pass

def build():
    pass

def _helper():
    pass
"""


@pytest.mark.parametrize("model", ["nets.py", "nets.py:", "./nets.py", "nets"])
def test_a_file_of_nets_without_a_function(made, refused, tmp_path, monkeypatch, model):
    (tmp_path / "nets.py").write_text(NOT_RUN)
    monkeypatch.chdir(tmp_path)
    line = refused("tune", made / "folder", "--model", model)
    assert line == (
        "expected --model nets.py:FUNCTION, a function or class that gives the net without arguments, got "
        f"{model!r}; nets.py defines Net, build"
    )


@pytest.mark.parametrize("content", ["def broken(:", "import timm", "\0"])
def test_a_file_that_defines_nothing_or_is_no_python(made, refused, tmp_path, monkeypatch, content):
    (tmp_path / "nets.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    assert refused("tune", made / "folder", "--model", "nets.py").endswith("; nets.py defines none")


def test_a_model_that_is_neither_a_name_nor_a_file(made, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused("tune", made / "folder", "--model", "resnet50")
    assert line.startswith("expected a model as timm:NAME, torchvision:NAME, hf:DIR")


def test_a_net_that_says_the_same_of_all_images(made, refused):
    line = refused("tune", made / "folder", "--model", f"{NETS}:Same", *NONE)
    assert line == (
        "expected a classifier that tells the 18 images to judge on apart, but the given one says 'cross' of "
        "all of them; check --weights, --classes and the input, give an --operating-point, or train it first "
        "with --epochs 5"
    )


def test_a_training_that_ends_in_one_answer(made, refused):
    words = ("--epochs", "1", "--first-lr", "1e-9", "--lr", "1e-3")
    line = refused("tune", made / "folder", "--model", f"{NETS}:Same", *words, began=True)
    assert "the one that was trained first says " in line
    assert line.endswith("; give more than --epochs 1, or another --first-lr")


def test_a_rate_at_which_the_loss_is_no_number(made, refused):
    line = refused(*of_folder(made, *NONE, "--lr", "1e30"), began=True)
    assert line.startswith("every arm was given up at --lr 1e+30: the loss is no longer a finite number")


def test_weights_that_are_no_numbers(made, refused, tmp_path):
    weights = load_file(made / "2.safetensors")
    weights["head.weight"][0, 0] = torch.inf
    save_file(weights, tmp_path / "inf.safetensors")
    line = refused("tune", made / "folder", *SMALL, "--weights", tmp_path / "inf.safetensors", *NONE)
    assert "head.weight" in line or "finite" in line


def test_a_classifier_of_other_classes(made, refused):
    line = refused("tune", made / "folder", "--model", f"{NETS}:four", "--weights", made / "4.safetensors")
    assert line.startswith("expected a classifier of the data's classes")
    assert "--epochs 5" in line


def test_an_arm_that_is_mistyped(made, refused):
    line = refused(*of_folder(made, *NONE, "--arms", "masktuen"))
    assert 'Did you mean "masktune"?' in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--calibration-share", ".9"), "expected a --calibration-share from 0 to 0.5, got 0.9"),
        (("--validation-share", "0"), "expected a --validation-share above 0 and up to 1, got 0.0"),
        (("--validation-share", "1"), "expected images to tune on, got none: --validation-share 1 judges on"),
        (("--max-images", "3"), "expected at least 4 images, two a class, got 3"),
        (("--lr", "0"), "expected a positive learning rate, got 0.0"),
        (("--epochs", "-1"), "expected 0 or more epochs of ERM"),
        (("--arms", "untouched"), "expected arms, each once and one that is tuned, got untouched"),
        (("--operating-point", "sensitivity=.9"), "expected an operating point such as threshold=.12"),
        (("--operating-point", "threshold=2"), "expected a threshold above 0 and below 1, got 2.0"),
        (("--precision", "bfloat16"), "tune trains in float32; leave --precision out"),
        (("--epohcs", "2"), "Unknown option: --epohcs. Did you mean --epochs?"),
    ],
)
def test_a_setting_that_cannot_be(made, refused, words, said):
    assert refused(*of_folder(made, *NONE, *words)).startswith(said)


def test_a_folder_that_holds_other_files(made, typed, tmp_path):
    (tmp_path / "thesis.tex").touch()
    code, out, err = typed(*of_folder(made, *NONE, "--out", tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path} holds other files (thesis.tex) and no run of masktune")
    assert names_in(tmp_path) == {"thesis.tex"}

"""`masktune scan` and `masktune report` as they are typed: from images to the files, and mistakes."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from findings.scans import MARKER, SIZE
from masktune.cli import main
from masktune.cli.show import PASSES
from masktune.findings import observe
from masktune.testing import ShortcutImages

NETS = Path(__file__).parents[1] / "findings" / "corner_net.py"

WRITTEN = {
    "run.json",
    "results.json",
    "report.html",
    "report.json",
    "summary.md",
    "review.csv",
    "images.csv",
    "masks.png",
    "scan.json",
    "scan.npz",
    "models",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of 160 images, and a folder of the same."""
    root = tmp_path_factory.mktemp("made")
    data = ShortcutImages(160, seed=3, size=SIZE, marker=MARKER)
    data.save(root / "images")
    for row in csv.DictReader((root / "images" / "manifest.csv").open()):
        target = root / "folder" / row["label"] / row["path"].rpartition("/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "images" / row["path"], target)
    return root


@pytest.fixture
def typed(capsys, no_network):
    """What a person types; (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture(scope="module")
def done(made, tmp_path_factory):
    """One finished scan of the table."""
    out = tmp_path_factory.mktemp("scan") / "out"
    with pytest.raises(SystemExit) as left:
        main(
            [
                "scan",
                f"{made}/images/manifest.csv",
                "--model",
                f"{NETS}:ReadsCorner",
                "--out",
                f"{out}",
                "--quiet",
            ]
        )
    assert left.value.code == 0
    return out


def test_a_table_gives_all_files(done):
    assert {path.name for path in done.iterdir() if not path.name.startswith(".")} == WRITTEN
    report = json.loads((done / "report.json").read_text())
    assert (report["schema"], report["verdict"], report["arms"]) == ("masktune.report/1", None, [])
    problems = [(one["code"], one["about"]) for one in report["findings"] if one["verdict"] == "problem"]
    assert ("MT002", {"class": "cross", "place": "bottom right corner"}) in problems
    site = [one for one in report["findings"] if one["about"].get("column") == "site"]
    assert [(one["code"], one["verdict"]) for one in site] == [("MT011", "hint")]  # No image shows it.


def test_images_csv_is_what_the_net_says(done):
    rows = list(csv.DictReader((done / "images.csv").open()))
    assert len(rows) == 160
    results = json.loads((done / "results.json").read_text())
    accuracy = next(row for row in results["rows"] if row["metric"] == "accuracy")
    assert accuracy["value"] == pytest.approx(np.mean([row["label"] == row["predicted"] for row in rows]))
    hidden = next(row for row in results["rows"] if row["metric"] == "image_hidden")
    assert hidden["value"] == pytest.approx(np.mean([float(row["image_hidden"]) for row in rows]), abs=1e-5)


def test_a_folder(made, typed, tmp_path):
    model = ("--model", f"{NETS}:ReadsCorner")
    code, out, _ = typed(
        "scan", made / "folder", *model, "--out", tmp_path / "out", "--mute", "MT003", "mt017"
    )
    assert code == 0
    assert "MT002" in out
    assert "MT003" not in out
    assert "MT017" not in out
    assert f"Written to {tmp_path / 'out'}: report.html" in out


def check_nothing_is_told(out, made):
    assert not (out / "masks.png").exists()
    for name in ("report.html", "report.json", "summary.md"):
        text = (out / name).read_text()
        assert "data:image/jpeg" not in text
        for file in (made / "folder").rglob("*.png"):
            assert file.name not in text
        assert str(made) not in text


def test_no_pictures_and_no_names_until_the_scan_is_typed_again_without_the_flags(made, typed, tmp_path):
    out = tmp_path / "out"
    words = ("scan", made / "folder", "--model", f"{NETS}:ReadsCorner", "--out", out)
    assert typed(*words, "--quiet", "--no-images", "--pseudonymous-ids")[0] == 0
    check_nothing_is_told(out, made)
    code, said, err = typed("report", out)
    assert (code, said) == (0, f"Written: {out / 'report.html'}\n")
    assert err == "".join(
        f"note: the run was made without {what}, so this report has none either; to have them, type its scan "
        f"again without {flag}\n"
        for what, flag in (("pictures", "--no-images"), ("names", "--pseudonymous-ids"))
    )
    check_nothing_is_told(out, made)
    code, _, err = typed(*words)
    assert code == 0
    assert "its report was drawn again, with pictures and names, which it had not before; --out else" in err
    for again in (False, True):
        if again:
            assert typed("report", out)[2] == ""
        assert "data:image/jpeg" in (out / "report.html").read_text()
        assert str(made) in (out / "summary.md").read_text()
        assert (out / "masks.png").exists()
    assert typed("report", out, "--pseudonymous-ids", "--no-images")[0] == 0
    check_nothing_is_told(out, made)


KILLED = """
import os, signal, sys
from masktune.findings import observe
observe.CHUNK = 64
plain, batches = observe.Observer.part, []
def part(observer, batch, seen):
    batches.append(batch)
    if len(batches) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(observer, batch, seen)
observe.Observer.part = part
from masktune.cli import main
from masktune.cli.show import PASSES
main(sys.argv[1:])
"""


def test_kill_9_and_the_same_command_again_looks_at_the_rest_alone(done, made, typed, tmp_path, monkeypatch):
    """Chunks of 64 images, killed in the second half of the second: 64 of 160 are done."""
    out, looked_at = tmp_path / "out", []
    words = ["scan", f"{made}/images/manifest.csv", "--model", f"{NETS}:ReadsCorner", "--out", f"{out}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in (out / "chunks").iterdir()] == ["00000000.npz"]
    assert not (out / "results.json").exists()
    plain = observe.Observer.part

    def part(observer, batch, seen):
        looked_at.extend(batch.ids)
        return plain(observer, batch, seen)

    monkeypatch.setattr(observe, "CHUNK", 64)
    monkeypatch.setattr(observe.Observer, "part", part)
    code, _, err = typed(*words)
    assert code == 0, err
    assert "64 of 160 images were done already" in err
    ids = np.load(done / "scan.npz")["predictions/ids"]
    assert looked_at == ids[64:].tolist()
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == WRITTEN
    for name in ("scan.npz", "images.csv", "review.csv", "results.json", "masks.png"):
        assert (out / name).read_bytes() == (done / name).read_bytes(), name
    ours, theirs = told(out), told(done)
    assert len(ours["findings"]) >= 17
    assert ours == theirs


def test_a_finished_scan_typed_again_looks_at_no_image_and_draws_its_report(done, made, typed, tmp_path):
    """As one who wants the same report without pictures; all but the report stays as it is."""
    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    times = times_of(copy)
    words = ["scan", made / "images" / "manifest.csv", "--model", f"{NETS}:ReadsCorner", "--out", copy]
    code, _, err = typed(*words, "--no-images")
    assert code == 0, err
    assert "it was finished before, so its report was drawn again" in err
    assert "looking where it looks" not in err
    assert "data:image/jpeg" in (done / "report.html").read_text()
    assert "data:image/jpeg" not in (copy / "report.html").read_text()
    assert told(copy)["findings"] == told(done)["findings"]
    told_again = {"report.html", "report.json", "summary.md"}
    assert times.keys() - times_of(copy).keys() == {"masks.png"}
    assert {name for name, time in times_of(copy).items() if times[name] != time} == told_again


def times_of(folder):
    """When each file was written, by name."""
    return {
        f"{path.relative_to(folder)}": path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("lost", ["scan.json", "scan.npz"])
def test_a_finished_run_that_lacks_its_scan_is_made_anew(done, made, typed, tmp_path, lost):
    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    (copy / lost).unlink()
    words = ("scan", made / "images" / "manifest.csv", "--model", f"{NETS}:ReadsCorner", "--out", copy)
    code, _, err = typed(*words)
    assert code == 0, err
    assert "it was finished before" not in err
    assert "looking where it looks" in err
    for name in ("scan.npz", "scan.json", "results.json", "images.csv", "review.csv", "masks.png"):
        assert (copy / name).read_bytes() == (done / name).read_bytes(), name


def test_killed_while_its_report_is_drawn_again_a_finished_run_stays_one(
    done, made, typed, tmp_path, monkeypatch
):
    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    words = ("scan", made / "images" / "manifest.csv", "--model", f"{NETS}:ReadsCorner", "--out", copy)

    def killed(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("masktune.report.scan.render_scan", killed)
        assert typed(*words, "--quiet")[0] == 130
    code, _, err = typed("report", copy)
    assert (code, err) == (0, "")
    code, _, err = typed(*words)
    assert code == 0
    assert "it was finished before" in err


def told(folder):
    """report.json, less what names the folder: the line that was typed."""
    report = json.loads((folder / "report.json").read_text())
    return {name: value for name, value in report.items() if str(folder) not in json.dumps(value)}


def test_the_report_is_drawn_again(done, typed, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    before = (copy / "report.json").read_text()
    (copy / "report.html").unlink()
    code, out, _ = typed("report", copy)
    assert (code, out) == (0, f"Written: {copy / 'report.html'}\n")
    assert (copy / "report.html").stat().st_size > 10_000
    assert (copy / "report.json").read_text() == before


def test_two_runs_are_compared(done, made, typed, tmp_path):
    part = ("--max-images", "80", "--out", tmp_path / "new", "--quiet")
    assert typed("scan", made / "images" / "manifest.csv", "--model", f"{NETS}:ReadsCorner", *part)[0] == 0
    code, out, _ = typed("report", tmp_path / "new", done)
    assert code == 0
    assert "80 images are in both runs, paired by id." in out
    assert "max_images was None, is 80" in out
    assert "| accuracy |" in out
    assert (tmp_path / "new" / "comparison.md").read_text() in out


def test_groups_by_a_column(made, typed, tmp_path):
    words = ("--model", f"{NETS}:ReadsCorner", "--out", tmp_path / "out", "--quiet", "--json")
    code, out, _ = typed("scan", made / "images" / "manifest.csv", *words, "--group-by", "site")
    assert code == 0
    groups = {row["group"] for row in json.loads(out)["rows"] if row["metric"] == "group_accuracy"}
    assert groups == {f"{label}, site site {site}" for label in ("circle", "cross") for site in "ab"}


def test_a_dry_run_writes_nothing(made, typed, tmp_path):
    words = ("--model", f"{NETS}:ReadsCorner", "--out", tmp_path / "out", "--dry-run", "--quiet")
    code, out, _ = typed("scan", made / "folder", *words)
    assert code == 0
    assert "images: 160 in 2 classes" in out
    assert "estimate: " in out
    assert not (tmp_path / "out").exists()


def test_the_estimate_is_a_little_above_what_was_measured():
    page = (Path(__file__).parents[2] / "docs" / "results" / "scan.md").read_text()
    measured = [float(number) for number in re.findall(r"\*\*([0-9.]+) plain passes\*\*", page)]
    assert len(measured) >= 1
    assert max(measured) <= PASSES <= max(measured) + 1.5


@pytest.fixture
def refused(typed, tmp_path):
    """What must be refused: exit code 2, one line, nothing written."""

    def call(*words):
        code, out, err = typed(*words, "--out", tmp_path / "out", "--quiet")
        assert (code, out) == (2, "")
        lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1, err
        assert lines[0].startswith("error: "), err
        assert not (tmp_path / "out" / "results.json").exists()
        assert not (tmp_path / "out" / "report.html").exists()
        return lines[0].removeprefix("error: ")

    return call


def few(root, counts):
    for name, count in counts.items():
        for at in range(count):
            values = np.random.default_rng(at).integers(0, 255, (32, 32)).astype(np.uint8)
            (root / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(root / name / f"{name}{at}.png")
    return root


def test_one_class(made, refused, tmp_path):
    line = refused("scan", few(tmp_path / "one", {"cat": 20}), "--model", f"{NETS}:ReadsCorner")
    assert "at least two classes" in line


def test_three_images(made, refused, tmp_path):
    folder = few(tmp_path / "three", {"cat": 2, "dog": 1})
    line = refused("scan", folder, "--model", f"{NETS}:ReadsCorner")
    assert line == "expected at least 10 images, two a class, got 3; add images"


def test_a_class_missing_from_a_split(made, refused, tmp_path):
    few(tmp_path / "split" / "train", {"cat": 8, "dog": 8})
    few(tmp_path / "split" / "test", {"cat": 8})
    line = refused("scan", tmp_path / "split", "--model", f"{NETS}:ReadsCorner")
    assert line.startswith("class 'dog' has no images in split 'test'")


def test_labels_that_do_not_fit_the_head(made, refused):
    line = refused("scan", made / "folder", "--model", f"{NETS}:three")
    assert "3" in line


def test_a_code_that_is_mistyped(made, refused):
    line = refused("scan", made / "folder", "--model", f"{NETS}:ReadsCorner", "--mute", "MT02")
    assert line.startswith("no finding has the code 'MT02' (did you mean 'MT012'")


def test_a_column_that_is_mistyped(made, refused):
    table = made / "images" / "manifest.csv"
    line = refused("scan", table, "--model", f"{NETS}:ReadsCorner", "--group-by", "sight")
    assert line == "no further column 'sight' (did you mean 'site'?); there are site"


def test_no_finished_scan_to_draw(typed, tmp_path):
    code, out, err = typed("report", tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        f"error: expected the folder of a finished scan or trial, got {tmp_path}, which holds neither; "
        "give the --out of `masktune scan` or `masktune tune`\n"
    )


def test_a_constant_model_is_said(made, typed, tmp_path):
    words = ("--model", f"{NETS}:Same", "--out", tmp_path / "out", "--quiet")
    code, _, err = typed("scan", made / "folder", *words)
    assert code == 0, err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    verdicts = {one["code"]: one["verdict"] for one in report["findings"]}
    assert verdicts["MT014"] == "problem"
    assert verdicts["MT015"] == "problem"  # At chance.


def answered(review, target, carries):
    """The sheet as a person fills it in: yes where the image carries the mark; first pattern only."""
    with review.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    first = rows[0]["pattern"]
    for row in rows:
        if row["pattern"] == first:
            row["answer"] = "yes" if carries[row["id"].strip("'")] else "no"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return first


def test_a_review_gives_worst_group_numbers(done, made, typed, tmp_path):
    table = list(csv.DictReader((made / "images" / "manifest.csv").open()))
    carries = {row["path"]: row["group"].endswith("with marker") for row in table}
    pattern = answered(done / "review.csv", tmp_path / "answers.csv", carries)
    assert pattern == "a mark in the bottom right corner"
    words = ("--model", f"{NETS}:ReadsCorner", "--out", tmp_path / "out", "--quiet", "--json")
    answers = tmp_path / "answers.csv"
    code, out, err = typed("scan", made / "images" / "manifest.csv", *words, "--groups", answers)
    assert code == 0, err
    rows = [row for row in json.loads(out)["rows"] if row["config"] == "review"]
    worst = next(row for row in rows if row["metric"] == "worst_group_accuracy")
    # The net reads the corner: circles that carry the mark, and crosses that do not, are wrong.
    images = {row["id"]: row for row in csv.DictReader((tmp_path / "out" / "images.csv").open())}
    true = {}
    for row in table:
        key = (row["label"], carries[row["path"]])
        true.setdefault(key, []).append(images[row["path"]]["predicted"] == row["label"])
    for (label, marked), right in true.items():
        name = f"{label}, {'' if marked else 'no '}{pattern}"
        (told,) = [row for row in rows if row["metric"] == "group_accuracy" and row["group"] == name]
        assert told["low"] <= np.mean(right) <= told["high"]
    assert worst["value"] == min(row["value"] for row in rows if row["metric"] == "group_accuracy")
    told_files = {name: (tmp_path / "out" / name) for name in ("summary.md", "report.html", "report.json")}
    before = {name: path.read_text() for name, path in told_files.items()}
    for text in before.values():
        assert f"were looked at by a person for {pattern}. The worst group is " in text
    assert typed("report", tmp_path / "out")[0] == 0
    assert {name: path.read_text() for name, path in told_files.items()} == before


def test_a_review_of_other_data(done, made, refused):
    words = ("--model", f"{NETS}:ReadsCorner", "--groups", done / "review.csv")
    line = refused("scan", made / "folder", *words)
    assert line.startswith("expected a review of this data set (")

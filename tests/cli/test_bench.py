"""`masktune bench`, as it is typed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from masktune.cli import main
from masktune.runs import load_predictions, read_results, save_predictions
from small_mnist import write_small_mnist

pytestmark = pytest.mark.filterwarnings("ignore:.*masks hide nothing")

SCRIPT = Path(__file__).parents[2] / "examples/slurm_bench.sh"

NETS = """
from torch import nn

def tiny():
    body = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return nn.Sequential(*body, nn.Linear(64, 2))
"""


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    return write_small_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def words(mnist):
    """Two epochs on 256 digits."""
    return ["bench", "--datasets", f"biased-mnist={mnist}", "--epochs", 2, "--batch-size", 32, "--threads", 1]


@pytest.fixture
def bench(capsys, no_network):
    """Returns (exit code, stdout, stderr)."""

    def call(*typed):
        with pytest.raises(SystemExit) as left:
            main(list(map(str, typed)))
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


def bits(out):
    return [{**row.to_json(), "seconds": None} for row in read_results(out / "results.json").rows]


def photos(root, splits=("train", "test"), n=12, groups=False):
    """Bright and dark squares; a manifest of them."""
    from PIL import Image

    random = np.random.default_rng(0)
    rows = []
    for split in splits:
        for at in range(n):
            for label in ("bright", "dark"):
                path = root / split / f"{label}{at}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                level = 170 if label == "bright" else 60
                pixels = np.clip(random.normal(level, 30, (16, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(path)
                row = {"path": path.relative_to(root).as_posix(), "label": label, "split": split}
                rows.append(row | ({"group": f"{label} {'even' if at % 2 else 'odd'}"} if groups else {}))
    with (root / "photos.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return root / "photos.csv"


@pytest.fixture
def own(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return ["--model", f"{tmp_path}/nets.py:tiny", "--input-size", 16, 16, "--epochs", 2, "--threads", 1]


def test_a_bench_of_named_data_prints_its_table(bench, words, tmp_path):
    code, out, _ = bench(
        *words, "--methods", "masktune", "suby", "--seed", 0, "--out", tmp_path / "out", "--quiet"
    )
    assert code == 0
    assert "biased-mnist (sorted), SmallCNN: 120 images of conflicting, seed 0" in out
    for name in ("erm", "masktune", "suby"):
        assert f" {name} " in out
    assert {row["method"] for row in bits(tmp_path / "out")} == {"erm", "masktune", "suby"}


def test_anybodys_photos_with_groups_and_with_a_split_that_is_made(bench, own, tmp_path):
    table = photos(tmp_path / "photos", groups=True)
    typed = ["bench", "--datasets", table, *own, "--methods", "masktune", "group_dro", "dfr", "--seeds", 0, 1]
    code, out, err = bench(*typed, "--out", tmp_path / "out")
    assert code == 0, err
    assert "no split was given for validation: drawn from the rest, by class and subject" in err
    assert "photos" in out
    assert "worst group" in out
    rows = read_results(tmp_path / "out/results.json").rows
    assert {row.seed for row in rows} == {0, 1}
    assert all(row.value is not None for row in rows if row.metric == "worst_group_accuracy")


def test_photos_without_groups_are_judged_by_their_average(bench, own, tmp_path):
    photos(tmp_path / "photos", splits=("train", "validation", "test"))
    typed = [
        "bench",
        "--datasets",
        tmp_path / "photos/photos.csv",
        *own,
        "--methods",
        "masktune",
        "--seed",
        0,
    ]
    code, out, err = bench(*typed, "--out", tmp_path / "out", "--quiet")
    assert code == 0, err
    assert "worst group" not in out
    assert "average" in out


def test_a_method_that_needs_groups_is_refused_before_training(bench, own, tmp_path):
    table = photos(tmp_path / "photos")
    typed = [
        "bench",
        "--datasets",
        table,
        *own,
        "--methods",
        "masktune",
        "group_dro",
        "rwg",
        "dfr",
        "--out",
        tmp_path / "out",
    ]
    code, _, err = bench(*typed)
    assert code == 2
    assert "error: group_dro and rwg read group labels of the training images, and photos has none" in err
    assert "leave them out: those that read none are erm," in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("--methods", "masktun"), "unknown method 'masktun' (did you mean 'masktune'?)"),
        (("--methods", "no.py:Class"), "no file at no.py"),
        (("--engine", "rey"), "Invalid value"),
        (("--address", "auto"), "--address and --memory are for --engine ray; add it, or leave them out"),
        (("--job", "nobody"), "this bench has no job 'nobody'"),
        (("--seeds", "0", "0"), "expected each seed once, got (0, 0)"),
        (("--import", "other"), "expected --import NAME=FOLDER, got 'other'"),
        (("--import", "erm=."), "expected a name that is none of ours for what was run elsewhere, got 'erm'"),
        (("--precision", "float32"), "leave --precision out"),
        (("--model", "timm:resnet50"), "--model would change nothing here: biased-mnist has its own net"),
        (("--weights", "some.safetensors"), "--weights would change nothing here"),
        (("--lr", "0.1"), "options of ERM's training would change nothing here"),
        (("--max-images", "50"), "options of the images would change nothing here"),
        (("--input-size", "9", "9"), "options of the classifier's input would change nothing here"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_one_line_and_writes_nothing(bench, words, tmp_path, typed, sentence):
    code, _, err = bench(*words, "--out", tmp_path / "out", *typed)
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert sentence in lines[0]
    assert not (tmp_path / "out").exists()


def test_no_cluster_at_the_address(bench, words, tmp_path):
    pytest.importorskip("ray")
    typed = ["--methods", "suby", "--engine", "ray", "--address", "127.0.0.1:1", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "masktune", *map(str, [*words, *typed])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: expected a running Ray cluster at 127.0.0.1:1, found none" in done.stderr
    assert not (tmp_path / "out/results.json").exists()


def test_a_dry_run_writes_nothing(bench, words, tmp_path):
    code, out, _ = bench(*words, "--seeds", 0, 1, "--out", tmp_path / "out", "--dry-run")
    assert code == 0
    assert "estimate: 10 jobs, one after the other" in out
    assert "biased-mnist: training.epochs: 2" in out
    assert not (tmp_path / "out").exists()


def test_jobs_are_listed_with_what_they_need(bench, words, tmp_path):
    typed = [*words, "--methods", "masktune", "suby", "--seed", 0, "--out", tmp_path / "out", "--list-jobs"]
    code, out, _ = bench(*typed)
    assert code == 0
    jobs = [line.split("\t") for line in out.splitlines()]
    assert [name.split("-seed0-")[1].rsplit("-", 1)[0] for name, _ in jobs] == ["erm", "masktune", "suby"]
    assert [needs for _, needs in jobs] == ["-", jobs[0][0], "-"]
    code, out, _ = bench(*typed, "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["name"] for record in records] == [name for name, _ in jobs]
    assert records[0]["settings"]["training.epochs"] == 2
    assert not (tmp_path / "out").exists()


def started(words, folder, *more):
    """The command in a process of its own, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "masktune", *map(str, words), "--out", str(folder), *map(str, more)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def until(path, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.05)


def test_killed_and_stopped_benches_go_on_and_end_alike(bench, words, tmp_path):
    """kill -9 in the middle of a training, then SIGTERM in a later one, then to the end."""
    words = [4 if word == 2 else word for word in words]  # Epochs.
    words += ["--methods", "masktune", "group_dro", "--seed", 0]
    out = tmp_path / "out"
    model = out / "models/biased-mnist/seed-0"
    first = started(words, out)
    until(model / "erm/state.pt")
    first.kill()
    first.wait()
    second = started(words, out)
    until(model / "group_dro/state.pt")
    erm = (model / "erm/rows.json").stat().st_mtime_ns
    second.send_signal(signal.SIGTERM)
    _, err = second.communicate()
    assert second.returncode == 130, err
    assert "interrupted; the same command goes on where this one stopped" in err
    assert not (out / "results.json").exists()
    assert bench(*words, "--out", out, "--quiet")[0] == 0
    assert (model / "erm/rows.json").stat().st_mtime_ns == erm
    assert bench(*words, "--out", tmp_path / "whole", "--quiet")[0] == 0
    assert bits(out) == bits(tmp_path / "whole")


def test_a_slurm_array_does_each_job_once_and_one_process_gathers(bench, words, tmp_path, monkeypatch):
    """The script as it is, with a stand-in for sbatch that runs what it is given, task by task."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "masktune").write_text(f'#!/bin/sh\nexec {sys.executable} -m masktune "$@"\n')
    (tools / "sbatch").write_text(
        """#!/bin/bash
echo "$@" >> "$TMPDIR/asked"
while [ $# -gt 0 ]; do case "$1" in
  --parsable|--requeue) shift;;
  --dependency) shift 2;;
  --array) last=${2#0-}; shift 2;;
  --wrap) eval "$2" >> "$TMPDIR/said" 2>&1; echo 7; exit 0;;
  *) break;;
esac; done
for at in $(seq 0 "$last"); do SLURM_ARRAY_TASK_ID=$at bash "$@" >> "$TMPDIR/said" 2>&1; done
echo 7
"""
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    typed = [*words[1:], "--methods", "masktune", "suby", "--seed", 0, "--out", tmp_path / "out"]
    done = subprocess.run(
        ["bash", str(SCRIPT), *map(str, typed)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "said").read_text()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "--array 0-1 " in asked[0]  # erm and suby
    assert "--dependency afterany:7 --array 0-0 " in asked[1]  # masktune
    assert "--dependency afterany:7 --wrap " in asked[2]
    assert bench(*words, "--methods", "masktune", "suby", "--seed", 0, "--out", tmp_path / "whole")[0] == 0
    assert bits(tmp_path / "out") == bits(tmp_path / "whole")


@pytest.fixture
def elsewhere(bench, words, tmp_path):
    """A finished bench, and the predictions of its MaskTune as if somebody else had made them."""
    out = tmp_path / "out"
    assert bench(*words, "--methods", "masktune", "--seed", 0, "--out", out, "--quiet")[0] == 0
    made = tmp_path / "theirs"
    shutil.copytree(out / "models/biased-mnist/seed-0/masktune/predictions", made)
    declared = {"supervision": "none", "selection": "last", "epochs": 3, "samples": 768, "seconds": 12.5}
    (made / "method.json").write_text(json.dumps(declared))
    return out, made


def test_imported_predictions_are_a_row_like_any_other(bench, words, elsewhere):
    out, made = elsewhere
    # In another order, without groups: ids bring them together.
    said = load_predictions(made / "conflicting.npz")
    turned = said.select(np.ones(len(said), dtype=bool))._take(np.arange(len(said))[::-1])
    save_predictions(made / "conflicting.npz", turned)
    typed = [
        *words,
        "--methods",
        "masktune",
        "--seed",
        0,
        "--out",
        out,
        "--import",
        f"theirs={made}",
        "--quiet",
    ]
    code, shown, err = bench(*typed)
    assert code == 0, err
    assert " theirs " in shown
    rows = read_results(out / "results.json").rows

    def numbers(method):
        wanted = [row for row in rows if (row.method, row.split) == (method, "conflicting")]
        return {(row.metric, row.group): (row.value, row.n, row.low, row.high) for row in wanted}

    assert numbers("theirs") == numbers("masktune")
    (row,) = [row for row in rows if (row.method, row.split, row.metric) == ("theirs", "raw", "accuracy")]
    assert (row.config, row.selection, row.epochs, row.seconds) == ("imported", "last", 3, 12.5)


def test_imported_predictions_of_other_images_are_refused(bench, words, elsewhere):
    out, made = elsewhere
    typed = [*words, "--methods", "masktune", "--seed", 0, "--out", out, "--import", f"theirs={made}"]
    said = load_predictions(made / "conflicting.npz")
    save_predictions(made / "conflicting.npz", said.select(np.arange(len(said)) > 0))
    code, _, err = bench(*typed)
    assert code == 2
    assert "conflicting.npz is not about these images: expected two predictions on the same images" in err
    (made / "conflicting.npz").unlink()
    code, _, err = bench(*typed)
    assert code == 2
    assert "the predictions of theirs on conflicting of biased-mnist, seed 0" in err
    (made / "method.json").write_text('{"supervision": "some"}')
    code, _, err = bench(*typed)
    assert code == 2
    assert "expected supervision in" in err
    assert "as one of none, validation_groups, train_groups, got 'some'" in err

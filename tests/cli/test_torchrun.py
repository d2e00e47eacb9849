"""The whole command on two processes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cli.test_scan import NETS
from findings.scans import MARKER, SIZE
from masktune.runs import read_results
from masktune.testing import ShortcutImages
from small_mnist import write_small_mnist


def launch(*words):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return subprocess.run(
        [*command, "-m", "masktune", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_refusal_of_the_first_process_stops_them_all(tmp_path):
    data = write_small_mnist(tmp_path / "data")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").touch()
    done = launch("reproduce", "biased-mnist", "--data", data, "--out", tmp_path / "out", "--quiet")
    assert done.returncode != 0
    assert done.stderr.count("error: ") == 1
    assert "holds other files (thesis.tex)" in done.stderr


@pytest.mark.filterwarnings("ignore:.*masks hide nothing")
def test_a_recipe_under_torchrun_gives_each_image_one_row_and_one_process_writes(tmp_path):
    data = write_small_mnist(tmp_path / "data")
    words = ["reproduce", "biased-mnist", "--data", data, "--out", tmp_path / "out", "--epochs", 1]
    words += ["--seed", 0, "--methods", "erm", "masktune", "--batch-size", 32, "--quiet"]
    done = launch(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Accuracy and hidden shares") == 1
    rows = read_results(tmp_path / "out/results.json").rows
    assert {row.method for row in rows} == {"erm", "masktune"}
    stored = np.load(tmp_path / "out/models/biased-mnist/seed-0/masktune/predictions/raw.npz")
    assert stored["ids"].tolist() == [f"test/{position:05d}" for position in range(120)]


def test_a_scan_on_two_processes_is_the_scan_on_one(tmp_path):
    data = ShortcutImages(100, seed=3, size=SIZE, marker=MARKER).save(tmp_path / "images")
    words = ("scan", data, "--model", f"{NETS}:ReadsCorner", "--quiet")
    done = launch(*words, "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written to") == 1
    alone = [sys.executable, "-m", "masktune", *map(str, words), "--out", str(tmp_path / "one")]
    assert subprocess.run(alone, check=False, capture_output=True, timeout=120).returncode == 0
    assert (tmp_path / "two/images.csv").read_text() == (tmp_path / "one/images.csv").read_text()
    assert (
        read_results(tmp_path / "two/results.json").rows == read_results(tmp_path / "one/results.json").rows
    )

"""The whole command on two processes."""

import subprocess
import sys

import numpy as np
import pytest

from cli.test_scan import NETS
from findings.scans import MARKER, SIZE
from masktune.cli import main
from masktune.findings import observe
from masktune.runs import read_results
from masktune.testing import ShortcutImages
from small_mnist import write_small_mnist
from torchrun import launch


@pytest.fixture
def typed_until(monkeypatch):
    """Types a scan in chunks of 32 images, and interrupts it when it comes to the image of that number."""

    def call(number, *words):
        seen = []
        plain = observe.Observer.part

        def part(observer, batch, shares):
            seen.extend(batch.ids)
            if len(seen) >= number:
                raise KeyboardInterrupt
            return plain(observer, batch, shares)

        with monkeypatch.context() as patched:
            patched.setattr(observe, "CHUNK", 32)
            patched.setattr(observe.Observer, "part", part)
            with pytest.raises(SystemExit) as left:
                main([*map(str, words), "--quiet"])
        assert left.value.code == 130

    return call


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


SMALL_CHUNKS = """
import sys
from masktune.findings import observe
observe.CHUNK = 32
from masktune.cli import main
main(sys.argv[1:])
"""


def test_a_scan_that_goes_on_on_two_processes_is_the_scan_on_one(tmp_path, typed_until):
    data = ShortcutImages(160, seed=3, size=SIZE, marker=MARKER).save(tmp_path / "images")
    words = ("scan", data, "--model", f"{NETS}:ReadsCorner")
    typed_until(65, *words, "--out", tmp_path / "two")
    records = sorted((tmp_path / "two/chunks").iterdir())
    assert [path.name for path in records] == ["00000000.npz", "00000032.npz"]
    (tmp_path / "small_chunks.py").write_text(SMALL_CHUNKS)
    done = launch(*words, "--out", tmp_path / "two", script=[tmp_path / "small_chunks.py"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written to") == 1
    assert done.stderr.count("64 of 160 images were done already") == 1
    assert not (tmp_path / "two/chunks").exists()
    alone = [sys.executable, "-m", "masktune", *map(str, words), "--out", str(tmp_path / "one")]
    assert subprocess.run(alone, check=False, capture_output=True, timeout=120).returncode == 0
    for name in ("images.csv", "results.json", "scan.npz"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name

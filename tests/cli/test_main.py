import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from masktune import files
from masktune.cli import main
from masktune.runs import read_results
from small_mnist import write_small_mnist


@pytest.fixture(scope="module")
def small_mnist(tmp_path_factory):
    return write_small_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def run(capsys):
    """Call the command line; returns (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


MISTAKES = {
    "reproduc biased-mnist": (
        'Unknown command "reproduc". Did you mean "reproduce"? Available commands: bench, data, mask, '
        "reproduce, demo, report, scan, select, ... See `masktune --help`."
    ),
    "reproduce biased-mnst": (
        'Unknown command "biased-mnst". Did you mean "biased-mnist"? '
        "Available commands: list, biased-mnist, waterbirds, celeba, in9, selective-cifar10, selective-svhn, "
        "selective-cats-dogs. See `masktune reproduce --help`."
    ),
    "reproduce biased-mnist --data d --out o --epohcs 3": (
        "Unknown option: --epohcs. Did you mean --epochs? See `masktune reproduce biased-mnist --help`."
    ),
    "reproduce biased-mnist --data d --out o --epochs ten": (
        'Invalid value for --epochs: unable to convert "ten" into int. '
        "See `masktune reproduce biased-mnist --help`."
    ),
    "reproduce biased-mnist --out o": (
        "`masktune reproduce biased-mnist` needs --data. See `masktune reproduce biased-mnist --help`."
    ),
    "reproduce biased-mnist --data d --out o --methods erm maktune": (
        'Invalid value "maktune" for --methods. Choose from: "erm", "continue_erm", "random_mask", '
        '"least_salient_mask", "masktune", "group_dro", "cvar_dro", "jtt", "lff", "xrm", "dfr", "dfr_train", '
        '"afr", "last_layer_balanced", "rwg", "rwy", "subg", "suby", '
        '"selectivenet", "deep_gamblers", "sat", "osp". Did you mean "masktune"? See `masktune '
        "reproduce biased-mnist --help`."
    ),
    "demo surplus": "`masktune demo` does not expect 'surplus'. See `masktune demo --help`.",
    "demo --seed -1": "expected seeds from 0 to 2**63 - 1, no two alike, got (-1,)",
    "reproduce biased-mnist --data d --out o --seeds 0 1 --seed 2": "expected --seeds or --seed, got both",
    "reproduce biased-mnist --data d --out o --epochs 0": "expected at least 1 epoch, got 0",
    "reproduce biased-mnist --data d --out o --conflict-ratio 2": (
        "expected a conflict ratio from 0 to 1, got 2.0"
    ),
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*typed.split())
    assert (code, out, err) == (2, "", f"error: {MISTAKES[typed]}\n")
    assert not list(tmp_path.iterdir())


def test_no_data_says_what_was_looked_for_and_how_to_get_it(run, tmp_path):
    code, _, err = run("reproduce", "biased-mnist", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"error: no MNIST at {tmp_path}: looked for train-images-idx3-ubyte and ")
    assert "torchvision.datasets.MNIST(" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_is_named(run, tmp_path):
    root = write_small_mnist(tmp_path / "data")
    (file,) = (root / "MNIST/raw").glob("train-images*")
    file.write_bytes(file.read_bytes()[:5000])
    code, _, err = run("reproduce", "biased-mnist", "--data", root, "--out", tmp_path / "out")
    assert (code, err) == (2, f"error: {file} is truncated or damaged; get it again\n")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_refused_and_left_alone(run, tmp_path, small_mnist):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    code, _, err = run("reproduce", "biased-mnist", "--data", small_mnist, "--out", out)
    assert code == 2
    assert err.startswith(f"error: {out} holds other files (thesis.tex) and no run of masktune")
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


def test_a_layer_that_does_not_exist(run, tmp_path):
    code, _, err = run("demo", "--out", tmp_path / "out", "--layer", "fetures.12")
    assert code == 2
    assert "has no layer 'fetures.12' (did you mean 'features.12'" in err
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_good(run, tmp_path, small_mnist, monkeypatch):
    from masktune.bench import digits as recipes
    from masktune.methods import MaskTune
    from masktune.training import Training

    monkeypatch.setattr(
        recipes, "_preset", lambda name, epochs: (Training(epochs=epochs, learning_rate=1e30), MaskTune())
    )
    out = tmp_path / "out"
    code, _, err = run(
        *("reproduce", "biased-mnist", "--data", small_mnist, "--out", out, "--epochs", 3, "--quiet")
    )
    assert code == 2
    assert "the loss is no longer a finite number" in err
    assert "try a smaller learning rate" in err
    assert not (out / "results.json").exists()


def test_list_and_help(run):
    code, out, _ = run("reproduce", "list")
    assert code == 0
    assert out.startswith("biased-mnist ")
    for command in ([], ["demo"], ["reproduce"], ["reproduce", "biased-mnist"]):
        code, out, err = run(*command, "--help")
        assert (code, err) == (0, "")
        assert "Usage: masktune" in out
    for command in ("demo", "reproduce list", "reproduce biased-mnist"):
        assert "Example: masktune" in run(*command.split(), "--help")[1]


def test_dry_run_shows_settings_and_estimate_and_writes_nothing(run, tmp_path):
    code, out, _ = run("demo", "--out", tmp_path / "out", "--dry-run")
    assert code == 0
    assert "training.learning_rate: 0.01" in out
    assert "training.precision: float32" in out
    assert "masktune.layer: features.12" in out
    assert "device: cpu, 1 threads" in out
    assert "images: train 1000, validation 200, raw 597, aligned 597, conflicting 597" in out
    assert "estimate: " in out
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:.*masks hide nothing")
def test_json_is_the_results_file_and_nothing_uses_the_network(run, tmp_path, small_mnist, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    words = ["reproduce", "biased-mnist", "--data", small_mnist, "--out", tmp_path / "out", "--epochs", 1]
    words += ["--seed", 3, "--methods", "erm", "masktune", "--batch-size", 64, "--json", "--quiet"]
    code, out, _ = run(*words)
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "out/results.json").read_text())
    assert {row["seed"] for row in json.loads(out)["rows"]} == {3}
    assert (tmp_path / "out/summary.md").read_text().startswith("# biased-mnist (sorted)")
    assert (tmp_path / "out/masks.png").stat().st_size > 10_000
    # What was typed is what is recorded, not what the process was started with.
    assert json.loads((tmp_path / "out/run.json").read_text())["argv"] == [str(word) for word in words]


def test_the_demo_shows_erm_failing_and_masktune_recovering(tmp_path):
    """The whole command in a process of its own, as a person runs it; plain lines because it is piped."""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "masktune", "demo", "--out", out, "--seed", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = read_results(out / "results.json").rows
    accuracy = {
        row.method: row.value for row in rows if row.split == "conflicting" and row.metric == "accuracy"
    }
    assert accuracy["erm"] < 0.4
    assert accuracy["masktune"] > 0.75
    assert all(accuracy["masktune"] > accuracy[other] + 0.3 for other in accuracy if other != "masktune")
    assert "seed 0, erm: erm, epoch 1 of 10: 1000 images in" in done.stderr
    assert "MaskTune helps here" in done.stdout
    shown = [line for line in done.stdout.splitlines() if not line.startswith("Written to")]
    assert max(map(len, shown)) <= 80
    assert [line.split() for line in shown if "image" in line or "method" in line] == [
        ["shortcut", "image"],
        ["method", "raw", "aligned", "conflicting", "hidden", "hidden"],
    ]
    for name in ("run.json", "results.json", "summary.md", "masks.png"):
        assert (out / name).is_file()


KILLED = """
import os, signal, sys
import masktune.training.loop as loop
plain, steps = loop._step, [0]
def step(state, batch, *rest):
    steps[0] += 1
    if steps[0] == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(state, batch, *rest)
loop._step = step
from masktune.cli import main
main(sys.argv[1:])
"""


def test_kill_9_in_training_and_in_tuning_and_the_same_command_again_gives_the_same_bits(
    tmp_path, small_mnist
):
    def command(out):
        words = ["reproduce", "biased-mnist", "--data", small_mnist, "--out", out, "--epochs", 2, "--seed", 0]
        words += ["--methods", "erm", "masktune", "--batch-size", 32, "--quiet"]
        return [str(word) for word in words]

    def start(out, code):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        called = [sys.executable, "-c", code, *command(out)]
        return subprocess.run(called, env=environment, capture_output=True, check=False).returncode

    whole = "import sys; from masktune.cli import main; main(sys.argv[1:])"
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert start(undisturbed, whole) == 0
    # 256 images are 8 steps an epoch: step 12 is in the second epoch of ERM. The next start goes on after the
    # first epoch, so its steps 1 to 8 are the second epoch and step 11 is in the tuning epoch.
    assert start(disturbed, KILLED.format(step=12)) == -signal.SIGKILL
    assert start(disturbed, KILLED.format(step=11)) == -signal.SIGKILL
    assert not (disturbed / "results.json").exists()
    assert start(disturbed, whole) == 0
    for method in ("erm", "masktune"):
        place = Path("models/biased-mnist/seed-0") / method
        weights = Path(place, "weights.safetensors")
        assert (undisturbed / weights).read_bytes() == (disturbed / weights).read_bytes()
        for split in ("raw", "aligned", "conflicting"):
            ours, theirs = (
                np.load(out / place / "predictions" / f"{split}.npz") for out in (undisturbed, disturbed)
            )
            assert np.array_equal(ours["logits"], theirs["logits"])


def test_interrupted_says_how_to_go_on(run, tmp_path, monkeypatch):
    from masktune.cli import recipes

    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "run_recipe", interrupt)
    code, _, err = run("demo", "--out", tmp_path / "out", "--quiet")
    assert (code, err) == (130, "interrupted; the same command goes on where this one stopped\n")


def test_no_permission_and_full_disk_are_one_line(run, tmp_path, small_mnist, monkeypatch):
    (tmp_path / "file").write_text("")
    words = ["reproduce", "biased-mnist", "--data", small_mnist, "--epochs", 1, "--quiet"]
    code, _, err = run(*words, "--out", tmp_path / "file" / "out")
    assert code == 2
    assert err == (
        f"error: cannot make the folder {tmp_path / 'file' / 'out'}: "
        "a part of that path is a file, not a folder\n"
    )

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    code, _, err = run(*words, "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"error: cannot write {tmp_path / 'out'}")
    assert "the disk is full; free some space or choose another folder" in err
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_reader_who_has_had_enough_is_no_defect():
    """As in `masktune ... | head`: more lines than a pipe holds would break it, fewer do at the exit."""
    for typed in (("--help",), ("reproduce", "list")):
        process = subprocess.Popen(
            [sys.executable, "-m", "masktune", *typed], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        assert process.stderr.read().decode() == ""
        assert process.wait() == 0

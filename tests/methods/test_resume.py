import signal
import subprocess
import sys
import warnings

import pytest
import torch

from masktune.errors import MasktuneWarning, RunFolderError
from masktune.masking import MeanPlusStd
from masktune.methods import ERM, MaskTune
from masktune.models.weights import weights_sha256

from . import digits
from .digits import METHODS, digits_task

# Few steps on few digits: many maps hold nothing, and the methods say so (see the test of that warning).
pytestmark = pytest.mark.filterwarnings("ignore:.*masks hide nothing")


@pytest.fixture(scope="module")
def undisturbed():
    """The weights that each method ends with when nothing happens."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings(category=MasktuneWarning, action="ignore"):
        made = {name: method.fit(digits_task()).classifier for name, method in METHODS.items()}
    yield {name: weights_sha256(classifier) for name, classifier in made.items()}
    torch.set_num_threads(threads)


def test_the_undisturbed_runs_differ(undisturbed):
    assert len(set(undisturbed.values())) == len(METHODS)


@pytest.mark.parametrize(
    ("method", "piece", "steps", "left"),
    [
        ("erm", "erm, epoch", 5, {"erm/state.pt"}),  # In the second of three epochs.
        ("masktune", "computing saliency maps", 1, {"erm/state.pt"}),
        ("masktune", "tuning, round 1, epoch 2", 2, {"erm/state.pt", "masktune/round-1.pt"}),
    ],
)
def test_killed_and_started_again_the_bits_are_the_same(tmp_path, undisturbed, method, piece, steps, left):
    command = [sys.executable, digits.__file__, str(tmp_path), method, piece, str(steps)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    states = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.pt")}
    assert states == left
    seen = []
    fitted = METHODS[method].fit(digits_task(tmp_path, lambda step: seen.append(step.what)))
    assert weights_sha256(fitted.classifier) == undisturbed[method]
    # It went on rather than starting anew.
    assert "erm, epoch 1 of 3" not in seen
    assert ("erm, epoch 2 of 3" in seen) == (method == "erm")
    if "masktune/round-1.pt" in left:
        assert "tuning, round 1, epoch 1 of 2" not in seen
        assert "tuning, round 1, epoch 2 of 2" in seen
        assert "computing saliency maps" not in seen


def test_the_second_method_takes_over_the_first_stage(tmp_path, undisturbed):
    seen = []
    ERM().fit(digits_task(tmp_path))
    fitted = METHODS["masktune"].fit(digits_task(tmp_path, lambda step: seen.append(step.what)))
    assert not [what for what in seen if what.startswith(("erm", "validating"))]
    assert [what for what in seen if what.startswith("tuning")] == [
        f"tuning, round 1, epoch {epoch} of 2" for epoch in (1, 1, 1, 2, 2, 2)
    ]
    assert weights_sha256(fitted.classifier) == undisturbed["masktune"]
    assert (fitted.epochs, fitted.selection) == (5, "validation_accuracy")


def test_what_other_settings_left_is_refused_not_taken_over(tmp_path):
    MaskTune().fit(digits_task(tmp_path, n=64))
    with pytest.raises(RunFolderError, match=r"round-1.pt was made by another training: method was MaskTune"):
        MaskTune(threshold=MeanPlusStd(1.0)).fit(digits_task(tmp_path, n=64))


def test_maps_are_shared_only_by_those_who_want_the_same(tmp_path):
    # Two rounds with and without accumulating share the first round's maps, but not the second's.
    plain, accumulated = tmp_path / "masktune", tmp_path / "old"
    MaskTune(rounds=2).fit(digits_task(tmp_path, n=64))
    plain.rename(accumulated)
    seen = []
    fitted = MaskTune(rounds=2, accumulate=True).fit(
        digits_task(tmp_path, lambda step: seen.append(step.what), n=64)
    )
    assert seen.count("computing saliency maps") == 1
    alone = MaskTune(rounds=2, accumulate=True).fit(digits_task(n=64))
    assert weights_sha256(fitted.classifier) == weights_sha256(alone.classifier)

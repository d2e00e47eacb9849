import logging
import re

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import DataDamaged, RunFolderError, StorageError, TrainingDiverged
from masktune.models.weights import weights_sha256
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.training.resume import train_to_end
from masktune.types import Batch

from .tiny import files_of_at_most, net_with_norm_and_dropout, settings, some_data, state_of

MADE_BY = {"work": "erm", "seed": "0"}


def equal(first, second):
    """Whether two nested states hold the same bits."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    return first == second


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_saved_state_goes_on_bit_by_bit(tmp_path, optimizer):
    training = settings(epochs=4, optimizer=optimizer, learning_rate=0.01, milestones=(1, 3))
    data, path = some_data(), tmp_path / "state.pt"
    whole = state_of(training, net_with_norm_and_dropout)
    list(train(whole, data, training, Work(seed=0)))
    first = state_of(training, net_with_norm_and_dropout)
    for report in train(first, data, training, Work(seed=0)):
        first.keep_if_better(0.5)
        first.save(path, MADE_BY)
        if report.epoch == 2:
            break
    second = state_of(training, net_with_norm_and_dropout, seed=9)
    second.restore(path, MADE_BY)
    assert (second.epoch, second.seconds) == (2, first.seconds)
    assert second.best.epoch == 1
    assert equal(second.best.weights, first.best.weights)
    list(train(second, data, training, Work(seed=0)))
    assert weights_sha256(second.classifier) == weights_sha256(whole.classifier)
    assert equal(second.optimizer.state_dict(), whole.optimizer.state_dict())


class Killed(BaseException):
    pass


class KillAfter:
    """A progress that stops everything at a step."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self, step):
        self.left -= 1
        if self.left == 0:
            raise Killed


def scores():
    """A score that is highest after the second epoch and the same again after the third."""
    given = {1: 0.5, 2: 0.9, 3: 0.9, 4: 0.1}
    return lambda state: lambda classifier: given[state.epoch]


@pytest.mark.parametrize("steps", [2, 6, 11, 15])  # Four steps an epoch.
def test_interrupted_anywhere_the_same_call_ends_the_same(tmp_path, steps):
    training = settings(epochs=4, learning_rate=0.05)

    def run(path, progress=None):
        state = state_of(training, net_with_norm_and_dropout)
        work = Work(seed=0, what="erm", **({} if progress is None else {"progress": progress}))
        train_to_end(state, some_data(), training, work, path=path, score=scores()(state))
        return state

    whole = run(None)
    path = tmp_path / "erm" / "state.pt"
    with pytest.raises(Killed):
        run(path, KillAfter(steps))
    again = run(path)
    assert weights_sha256(again.classifier) == weights_sha256(whole.classifier)
    assert (again.best.epoch, again.best.score) == (whole.best.epoch, whole.best.score) == (2, 0.9)
    assert equal(again.best.weights, whole.best.weights)
    assert equal(again.checkpoint().optimizer, whole.checkpoint().optimizer)
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.pt"]


def test_what_is_finished_is_not_trained_again(tmp_path, caplog):
    training, path = settings(), tmp_path / "state.pt"
    first = state_of(training)
    train_to_end(first, some_data(), training, Work(seed=0, what="erm"), path=path)
    second = state_of(training)
    with caplog.at_level(logging.INFO, "masktune"):
        train_to_end(
            second, some_data(), training, Work(seed=0, what="erm", progress=KillAfter(1)), path=path
        )
    assert caplog.messages == [f"erm goes on after epoch 3 from {path}"]
    assert weights_sha256(second.classifier) == weights_sha256(first.classifier)
    assert second.seconds == first.seconds > 0


def test_after_a_diverged_epoch_the_state_before_it_is_there(tmp_path):
    training, path = settings(), tmp_path / "state.pt"

    def poison(batch, epoch):
        images = batch.images.float() / 255
        return Batch(images / 0 if epoch == 2 else images, batch.labels, batch.ids)

    good = state_of(training)
    epochs = train(good, some_data(), training, Work(seed=0, prepare=poison))
    next(epochs), next(epochs)
    state = state_of(training)
    with pytest.raises(TrainingDiverged):
        train_to_end(state, some_data(), training, Work(seed=0, prepare=poison), path=path)
    saved = torch.load(path, weights_only=True)
    assert saved["last"]["epoch"] == 2
    assert equal(saved["last"]["weights"], good.checkpoint().weights)


def renamed(data):
    """The same images and labels under other names."""
    return InMemory(data.images, data.labels, np.char.add("other-", data.ids), data.classes)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"work": Work(seed=1)}, "seed was 0, is 1"),
        ({"work": Work(seed=0, what="tuning")}, "work was training, is tuning"),
        ({"work": Work(seed=0, batch_norm="frozen")}, "batch norm was train, is frozen"),
        ({"method": "k=3"}, "method was k=2, is k=3"),
        (
            {"training": settings(momentum=0.5)},
            r"training was Training\(.*\), is Training\(.*momentum=0.5.*\)",
        ),
        *(
            ({"data": data}, "sha256 of the training samples was [0-9a-f]{64}, is [0-9a-f]{64}")
            for data in (renamed(some_data()), some_data(seed=1))  # Other ids, other labels.
        ),
        ({"start": 1}, "sha256 of the start weights was [0-9a-f]{64}, is [0-9a-f]{64}"),
    ],
)
def test_the_state_of_another_training_is_refused(tmp_path, changed, sentence):
    path = tmp_path / "state.pt"

    def run(training, work, method="k=2", start=0, data=None):
        data = some_data() if data is None else data
        train_to_end(state_of(training, seed=start), data, training, work, path=path, method=method)

    given = {"training": settings(epochs=1), "work": Work(seed=0)}
    run(**given)
    before = path.read_bytes()
    wanted = (
        f"^{re.escape(str(path))} was made by another training: {sentence}; "
        "choose another folder, or delete that file$"
    )
    if "training" in changed:
        changed = {"training": settings(epochs=1, momentum=0.5)}
    with pytest.raises(RunFolderError, match=wanted):
        run(**given | changed)
    assert path.read_bytes() == before
    run(**given)


@pytest.mark.parametrize(
    ("name", "before", "now"), [("loss", "cross_entropy", "smoothed"), ("augment", "flip", "crop_flip")]
)
def test_what_another_loss_or_augmentation_left_is_refused(tmp_path, name, before, now):
    path = tmp_path / "state.pt"

    def run(value):
        training = settings(epochs=1, **{name: value})
        train_to_end(state_of(training), some_data(), training, Work(seed=0), path=path)

    run(before)
    sentence = rf"made by another training: training was .*{name}='{before}'.*, is .*{name}='{now}'"
    with pytest.raises(RunFolderError, match=sentence):
        run(now)
    run(before)


@pytest.mark.parametrize("augment", ["flip", "crop"])
def test_augmented_training_goes_on_bit_by_bit(tmp_path, augment):
    training, path = settings(epochs=3, augment=augment), tmp_path / "state.pt"
    whole, stopped, again = (state_of(training) for _ in range(3))
    train_to_end(whole, some_data(), training, Work(seed=0))
    with pytest.raises(Killed):
        train_to_end(stopped, some_data(), training, Work(seed=0, progress=KillAfter(6)), path=path)
    train_to_end(again, some_data(), training, Work(seed=0), path=path)
    assert weights_sha256(again.classifier) == weights_sha256(whole.classifier)


@pytest.mark.parametrize("content", ["empty", "text", "cut off", "a list", "another record"])
def test_a_file_that_is_no_state(tmp_path, content):
    path = tmp_path / "state.pt"
    state = state_of(settings())
    state.save(path, MADE_BY)
    whole = path.read_bytes()
    if content == "a list":
        torch.save([1, 2], path)
    elif content == "another record":
        torch.save({"last": {"epoch": 3}}, path)
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "cut off": whole[: len(whole) // 2]}[content])
    with pytest.raises(DataDamaged, match=r"state.pt is no training state; delete it to train anew$"):
        state.restore(path, MADE_BY)


def test_code_in_a_state_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"made_by": Evil()}, tmp_path / "state.pt")
    with pytest.raises(DataDamaged):
        state_of(settings()).restore(tmp_path / "state.pt", MADE_BY)


def test_a_full_disk_is_said_and_the_last_state_stays(tmp_path):
    path = tmp_path / "state.pt"
    state = state_of(settings())
    state.save(path, MADE_BY)
    before = path.read_bytes()
    with files_of_at_most(1000), pytest.raises(StorageError) as caught:
        state.save(path, MADE_BY)
    assert str(caught.value) == f"cannot write {path}: the file is larger than this disk or your limits allow"
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_checkpoint_is_a_copy_and_gives_none_of_itself_away():
    training = settings(epochs=2)
    state = state_of(training)
    epochs = train(state, some_data(), training, Work(seed=0))
    next(epochs)
    kept = state.checkpoint()
    before = weights_sha256(kept.weights)
    momentum = kept.optimizer["state"][0]["momentum_buffer"].clone()
    other = state_of(training, seed=3)
    other.start_from(kept)
    list(train(other, some_data(), training, Work(seed=1)))
    next(epochs)
    assert weights_sha256(kept.weights) == before
    assert torch.equal(kept.optimizer["state"][0]["momentum_buffer"], momentum)


def test_starting_from_a_checkpoint_with_or_without_its_momentum():
    training = settings(epochs=1)
    trained = state_of(training)
    list(train(trained, some_data(), training, Work(seed=0)))
    kept = trained.checkpoint()
    carried, fresh = state_of(training, seed=3), state_of(training, seed=4)
    carried.start_from(kept)
    fresh.start_from(kept, optimizer=False)
    assert (
        weights_sha256(carried.classifier) == weights_sha256(fresh.classifier) == weights_sha256(kept.weights)
    )
    assert equal(carried.optimizer.state_dict()["state"], kept.optimizer["state"])
    assert fresh.optimizer.state_dict()["state"] == {}
    assert (carried.epoch, fresh.epoch) == (0, 0)


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training = settings(epochs=1)
    state: TrainState = state_of(training)
    train_to_end(state, some_data(), training, Work(seed=0))
    assert state.epoch == 1
    assert state.best is None
    assert list(tmp_path.iterdir()) == []

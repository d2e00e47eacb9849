"""JTT: which images are found, how often they come, and what it is held to."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import InMemory, Subset, WithoutGroups
from masktune.errors import InputError, MasktuneWarning, RunFolderError
from masktune.methods import Method
from masktune.methods.jtt import JTT, WrongAgain
from masktune.models.classifier import Classifier
from masktune.seeds import generator
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.training.losses import summed_loss
from masktune.training.together import predict_all
from masktune.types import InputSpec

from .tasks import builder, gone_on, killed_at, levels, names_of, same_weights, task_of

SMALL = JTT(up_weight=3)

# After one epoch these small nets give all images one class, and jtt says so; see the tests of that warning.
pytestmark = pytest.mark.filterwarnings("ignore:jtt's first training")


def test_how_often_a_wrong_image_comes_in_an_epoch():
    summed = summed_loss("cross_entropy", np.zeros(5, np.int64), 3, torch.device("cpu"))
    order = WrongAgain(np.array([1, 4]), 3, summed).order(5, generator(0))
    # Three copies are appended, so it comes four times.
    assert np.bincount(order.numpy()).tolist() == [1, 4, 1, 1, 4]
    assert order.tolist() != sorted(order.tolist())


def errors_in(folder):
    return json.loads((folder / "jtt/errors.json").read_text())


def test_the_wrong_images_are_those_of_a_pass_in_evaluation_mode(tmp_path):
    task = task_of(tmp_path)
    JTT(first_epochs=2, up_weight=3).fit(task)
    classifier = task.build()
    state = TrainState(classifier, task.training.make_optimizer(classifier.parameters()))
    list(train(state, task.train, replace(task.training, epochs=2), Work(0, "jtt, first training")))
    wrong = predict_all(classifier, task.train)
    assert errors_in(tmp_path)["ids"] == wrong.ids[~wrong.correct].tolist()
    assert 0 < len(errors_in(tmp_path)["ids"]) < 49
    classes = [names_of(3)[label] for label in wrong.labels[~wrong.correct]]
    assert errors_in(tmp_path)["by_class"] == {name: classes.count(name) for name in set(classes)}


class Tells(nn.Module):
    """Has batch norm, and remembers in which mode it was called."""

    def __init__(self):
        super().__init__()
        self.norm, self.last, self.modes = nn.BatchNorm1d(3), nn.Linear(3, 3), []

    def forward(self, images):
        self.modes.append(self.training)
        return self.last(self.norm(images.mean((2, 3))))


def test_looking_for_them_changes_nothing_and_is_in_evaluation_mode():
    nets, saved = [], []

    def build():
        nets.append(Tells())
        return Classifier(nets[-1], InputSpec(size=(8, 8)), names_of(3))

    def watch(step):
        if step.what == "jtt, first training, epoch 1 of 1" and step.done == step.total:
            saved.append({name: value.clone() for name, value in nets[0].state_dict().items()})

    SMALL.fit(replace(task_of(), build=build, progress=watch))
    assert nets[0].modes == [True] * 3 + [False]
    assert all(torch.equal(value, saved[0][name]) for name, value in nets[0].state_dict().items())


def seen_by(method, task):
    """Ids of the images of the second training's epochs."""
    seen = []

    class Watched(Subset):
        def __getitems__(self, indices):
            batch = super().__getitems__(indices)
            seen.append(batch.ids)
            return batch

    starts = []
    task = replace(task, train=Watched(task.train, torch.arange(len(task.train))))

    def watch(step):
        if step.what.startswith("jtt, epoch") and not starts:
            starts.append(len(seen) - 1)

    method.fit(replace(task, progress=watch))
    return [name for ids in seen[starts[0] :] for name in ids]


def test_each_epoch_of_the_second_training_holds_all_images_and_the_copies(tmp_path):
    seen = seen_by(SMALL, task_of(tmp_path))
    wrong = errors_in(tmp_path)["ids"]
    for name in task_of().train.ids:
        assert seen.count(name) == 3 * (4 if name in wrong else 1)


def test_epochs_and_seconds_are_those_of_both_trainings(tmp_path):
    fitted = replace(SMALL, first_epochs=2).fit(task_of(tmp_path))
    assert (fitted.epochs, fitted.selection) == (2 + 3, "worst_group")
    seconds = [torch.load(tmp_path / "jtt" / name)["seconds"] for name in ("first.pt", "state.pt")]
    assert fitted.seconds == pytest.approx(sum(seconds) + errors_in(tmp_path)["seconds"])


@pytest.mark.parametrize(("epochs", "first"), [(3, 1), (5, 1), (11, 2)])
def test_the_first_training_takes_a_fifth_of_the_epochs(epochs, first):
    assert SMALL.fit(task_of(epochs=epochs, learning_rate=0.01)).epochs == epochs + first


@pytest.mark.parametrize(
    ("first", "epochs", "said"),
    [
        (9, 3, "got all 10 right after 9 epochs; train shorter at first (JTT(first_epochs=8) in Python), or"),
        # A fifth of 49 epochs are 9.
        (None, 50, "10 epochs; train shorter at first (JTT(first_epochs=9) in Python, or --epochs 49 on the"),
        (1, 3, "after 1 epoch; train weaker at first (with a stronger weight_decay or a smaller learning_"),
        (None, 3, "or a smaller learning_rate of Training, or a larger --batch-size on the command line)"),
    ],
)
def test_no_wrong_image_is_an_error_with_two_remedies(first, epochs, said):
    with pytest.raises(InputError, match="expected that jtt's first training gets some") as caught:
        JTT(first_epochs=first).fit(by_brightness(wrong=(), epochs=epochs))
    assert said in str(caught.value)


def by_brightness(wrong, epochs=3, k=2):
    """Ten images of k brightnesses and a net that reads them off, and learns next to nothing.

    What it gets wrong are those images that are as bright as the class before theirs.
    """
    labels = np.arange(10) % k
    bright = labels - np.isin(np.arange(10), wrong)
    images = torch.from_numpy((60 * bright).astype(np.uint8)).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).clone()
    ids = np.array([f"id-{at}" for at in range(10)])
    data = InMemory(images, labels, ids, names_of(k), groups=np.array(["one"] * 10))

    def build():
        net = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3, k))
        # Logit i is least far from brightness b where i is nearest to it: 2ib - i * i, with b = 255 / 60 x.
        at = torch.arange(k, dtype=torch.float32)
        net[2].load_state_dict({"weight": (2 * at * 255 / 60 / 3)[:, None].repeat(1, 3), "bias": -at * at})
        return Classifier(net, InputSpec(size=(8, 8)), names_of(k))

    task = task_of(k=k, epochs=epochs, learning_rate=1e-9)
    return replace(task, train=data, validation=data, build=build)


@pytest.mark.filterwarnings("default:jtt's first training")
@pytest.mark.parametrize(
    ("first", "wrong", "k", "said"),
    [
        (
            None,
            (1, 3),
            2,
            (
                "wrong 2 of 5 images of 'level-1', and no others, after 1 epoch; if images of other classes "
                "go against the shortcut too, train weaker at first (with a stronger weight_decay or a "
                "smaller learning_rate of Training, or a larger --batch-size on the command line); if it has "
                "not learnt that class yet, train longer at first (JTT(first_epochs=2) in Python, or "
                "--epochs 10 on the command line)"
            ),
        ),
        (
            2,
            (1, 3, 5, 7, 9),
            2,
            (
                "wrong 5 of 5 images of 'level-1', and no others, after 2 epochs; copies of whole classes "
                "only re-weight classes: train longer at first (JTT(first_epochs=3) in Python)"
            ),
        ),
        # Of three classes, of 4, 3 and 3 images.
        (None, (1, 4, 7, 2, 5, 8), 3, "3 of 3 images of 'level-1', 3 of 3 images of 'level-2', and no other"),
        (None, (1, 2, 3, 4, 6, 7, 8, 9), 5, "2 of 2 images of 'level-3', all of 1 more, and no others"),
    ],
)
def test_wrong_images_that_say_little_of_a_shortcut_are_told_with_class_and_counts(first, wrong, k, said):
    with pytest.warns(MasktuneWarning, match="^jtt's first training got wrong") as caught:
        JTT(first_epochs=first).fit(by_brightness(wrong, k=k))
    assert [said in str(one.message) for one in caught] == [True]


@pytest.mark.filterwarnings("default:jtt's first training")
def test_that_is_told_again_when_a_run_goes_on(tmp_path):
    task = replace(by_brightness((1, 3)), folder=tmp_path)
    told = re.escape("2 of 5 images of 'level-1'")
    for _ in range(2):
        with pytest.warns(MasktuneWarning, match=told):
            JTT().fit(task)


@pytest.mark.filterwarnings("error:jtt's first training")
def test_wrong_images_of_more_classes_are_as_they_should_be(tmp_path):
    JTT().fit(replace(by_brightness((1, 2, 4), k=3), folder=tmp_path))
    assert errors_in(tmp_path)["by_class"] == {"level-1": 2, "level-2": 1}


@pytest.mark.parametrize(
    "piece", ["jtt, first training, epoch 1", "jtt, looking for wrong", "jtt, epoch 2", "jtt, validating"]
)
def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path, piece):
    killed_at(SMALL, task_of(tmp_path), piece)
    fitted, said = gone_on(SMALL, task_of(tmp_path))
    assert ("jtt, first training, epoch 1 of 1" in said) == (piece == "jtt, first training, epoch 1")
    assert ("jtt, epoch 1 of 3" in said) == (piece != "jtt, epoch 2")
    whole = SMALL.fit(task_of())
    assert same_weights(fitted, whole)
    assert not same_weights(whole, SMALL.fit(task_of(seed=1)))


def test_the_wrong_images_stay_those_that_were_found(tmp_path):
    killed_at(SMALL, task_of(tmp_path), "jtt, epoch 1")
    kept = errors_in(tmp_path)
    (tmp_path / "jtt/errors.json").write_text(json.dumps(kept | {"ids": ["id-007"]}))
    seen = seen_by(SMALL, task_of(tmp_path))
    assert (seen.count("id-007"), seen.count("id-008")) == (3 * 4, 3)


def test_what_other_weights_got_wrong_is_refused(tmp_path):
    killed_at(SMALL, task_of(tmp_path), "jtt, epoch 1")
    (tmp_path / "jtt/first.pt").unlink()
    with pytest.raises(RunFolderError, match=r"errors.json was found by other weights"):
        SMALL.fit(replace(task_of(tmp_path), build=builder(seed=5)))


def test_it_needs_no_groups_unless_they_choose_the_epoch():
    assert isinstance(JTT(), Method)
    assert JTT().supervision == "validation_groups"
    free = replace(SMALL, selection="worst_class")
    assert free.supervision == "none"
    bare = replace(task_of(), train=levels(49), validation=levels(24, seed=1))
    assert same_weights(free.fit(bare), free.fit(task_of()))


@pytest.mark.parametrize("wrong", [{"up_weight": 0}, {"first_epochs": 0}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InputError, match="expected an up_weight and first_epochs of 1 or more"):
        JTT(**wrong)


def test_a_rule_that_reads_groups_which_are_not_there_is_refused_before_the_first_training():
    steps = []
    task = replace(task_of(), validation=WithoutGroups(task_of().validation), progress=steps.append)
    with pytest.raises(InputError, match="jtt needs the group labels of the validation images"):
        JTT().fit(task)
    assert not steps

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from masktune.data import InMemory
from masktune.errors import InputError, TrainingDiverged
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.seeds import generator
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.training.settings import Training
from masktune.types import Batch, InputSpec, Step

from .tiny import classifier, net_with_norm_and_dropout, plain_net, settings, some_data, state_of


def white_pixels(n=1, label=0):
    """Images of one white pixel."""
    images = torch.full((n, 1, 1, 1), 255, dtype=torch.uint8)
    return InMemory(images, np.full(n, label), np.array([f"id-{i}" for i in range(n)]), ("a", "b"))


def pixel_state(weights, training):
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor(weights).view(2, 1))
    made = Classifier(net, InputSpec(size=(1, 1), channels=1), ("a", "b"))
    return TrainState(made, training.make_optimizer(made.parameters()))


def test_one_step_by_hand():
    # Logits 1 and -1, label 0: p = 0.880797 and 0.119203, loss 0.126928, gradient -0.119203 and 0.119203.
    training = settings(epochs=1, learning_rate=0.5, momentum=0.0, weight_decay=0.0)
    state = pixel_state([1.0, -1.0], training)
    (report,) = train(state, white_pixels(), training, Work(seed=0))
    weights = state.classifier.net[1].weight.flatten().tolist()
    assert weights == pytest.approx([1 + 0.5 * 0.119203, -1 - 0.5 * 0.119203], abs=1e-6)
    assert report.loss == pytest.approx(0.126928, abs=1e-6)
    assert (report.epoch, report.images, report.learning_rate) == (1, 1, 0.5)


def sgd_by_hand(made, data, training, seed, what):
    """Momentum and weight decay as torch documents them, one parameter at a time; returns the losses."""
    parameters = list(made.parameters())
    speed = [None] * len(parameters)
    losses = []
    for epoch in range(training.epochs):
        order = torch.randperm(len(data), generator=generator(seed, what, epoch, "order"))
        rate = training.learning_rate * training.decay ** len([m for m in training.milestones if m <= epoch])
        total = 0.0
        for positions in order.split(training.batch_size):
            logits = made(data.images[positions])
            loss = functional.cross_entropy(logits, torch.from_numpy(data.labels)[positions])
            gradients = torch.autograd.grad(loss, parameters)
            total += loss.item() * len(positions)
            with torch.no_grad():
                for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                    gradient = gradient + training.weight_decay * parameter
                    speed[i] = gradient if speed[i] is None else training.momentum * speed[i] + gradient
                    parameter -= rate * speed[i]
        losses.append(total / len(data))
    return losses


def test_three_epochs_equal_sgd_written_by_hand():
    training = settings(learning_rate=0.2, momentum=0.7, weight_decay=0.01, milestones=(1, 2))
    data, state = some_data(50), state_of(training)
    expected = copy.deepcopy(state.classifier)
    losses = sgd_by_hand(expected, data, training, 5, "erm")
    reports = list(train(state, data, training, Work(seed=5, what="erm")))
    for (name, value), wanted in zip(state.classifier.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(value, wanted, atol=1e-5), name
    assert [report.loss for report in reports] == pytest.approx(losses, abs=1e-5)
    assert [report.learning_rate for report in reports] == pytest.approx([0.2, 0.1, 0.05])
    assert losses[2] < losses[0] - 0.05  # It learns, so the comparison is about something.


class Watched:
    """Keeps the ids of each batch, as `prepare`."""

    def __init__(self):
        self.seen = {}

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        self.seen.setdefault(epoch, []).append(batch.ids)
        return batch


def watched_epochs(n, training, **work):
    watched = Watched()
    list(train(state_of(training), some_data(n), training, Work(**{"seed": 0} | work, prepare=watched)))
    return watched.seen


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (3, 1, [1, 1, 1]), (5, 2, [2, 3])],
)
def test_a_last_batch_of_one_image_joins_the_batch_before(n, batch_size, sizes):
    seen = watched_epochs(n, settings(epochs=1, batch_size=batch_size))
    assert [len(ids) for ids in seen[0]] == sizes
    assert sorted(name for ids in seen[0] for name in ids) == [f"id-{i:03d}" for i in range(n)]


def test_one_left_over_image_would_stop_a_net_with_batch_norm():
    class Flat(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(192, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    training = settings(epochs=1, batch_size=4)
    state = state_of(training, Flat)
    list(train(state, some_data(9), training, Work(seed=0)))
    assert state.epoch == 1


def test_each_epoch_has_its_own_order_and_seed_and_name_make_it():
    training = settings(epochs=2)
    first = watched_epochs(50, training)
    assert first[0] != first[1]
    assert first == watched_epochs(50, training)
    assert first != watched_epochs(50, training, seed=1)
    assert first != watched_epochs(50, training, what="tuning")
    # Rounds of the same name have the same order, whatever was trained before.
    assert watched_epochs(50, settings(epochs=1))[0] == first[0]


def test_what_prepare_returns_is_trained_on():
    training = settings(epochs=1, momentum=0.0, weight_decay=0.0)

    def black(batch, epoch):
        return Batch(torch.zeros_like(batch.images), batch.labels, batch.ids)

    state = pixel_state([1.0, -1.0], training)
    list(train(state, white_pixels(), training, Work(seed=0, prepare=black)))
    assert state.classifier.net[1].weight.flatten().tolist() == [1.0, -1.0]  # Black has no gradient.


def test_batch_norm_moves_in_train_mode_and_rests_when_frozen():
    training = settings(epochs=1)
    moved, frozen = (
        state_of(training, net_with_norm_and_dropout),
        state_of(training, net_with_norm_and_dropout),
    )
    before = copy.deepcopy(frozen.classifier.net[1])
    list(train(moved, some_data(), training, Work(seed=0)))
    list(train(frozen, some_data(), training, Work(seed=0, batch_norm="frozen")))
    assert not torch.equal(moved.classifier.net[1].running_mean, before.running_mean)
    assert moved.classifier.net[1].num_batches_tracked == 4
    norm = frozen.classifier.net[1]
    assert torch.equal(norm.running_mean, before.running_mean)
    assert torch.equal(norm.running_var, before.running_var)
    assert norm.num_batches_tracked == 0
    assert not torch.equal(norm.weight, before.weight)


def modes(net):
    return [module.training for module in net.modules()]


@pytest.mark.parametrize("batch_norm", ["train", "frozen"])
def test_each_module_gets_its_own_mode_back(batch_norm):
    training = settings(epochs=1)
    state = state_of(training, net_with_norm_and_dropout)
    state.classifier.net[5].eval()
    state.classifier.net[1].train()
    before = modes(state.classifier)
    seen = []

    def look(batch, epoch):
        seen.append(modes(state.classifier))
        return batch

    list(train(state, some_data(), training, Work(seed=0, prepare=look, batch_norm=batch_norm)))
    assert modes(state.classifier) == before
    while_training = [True] * len(before)
    while_training[3] = batch_norm == "train"  # Classifier, Sequential, Conv2d, then BatchNorm2d.
    assert seen == [while_training] * 4


def test_after_an_error_too():
    training = settings(epochs=1)
    state = state_of(training, net_with_norm_and_dropout)
    state.classifier.eval()
    random = torch.get_rng_state()

    def stop(batch, epoch):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        list(train(state, some_data(), training, Work(seed=0, prepare=stop)))
    assert not any(modes(state.classifier))
    assert torch.equal(torch.get_rng_state(), random)


def test_global_random_state_neither_changes_nor_counts():
    training = settings(epochs=2)
    hashes = []
    for seed in (1, 2):
        state = state_of(training, net_with_norm_and_dropout)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        list(train(state, some_data(), training, Work(seed=0)))
        assert torch.equal(torch.get_rng_state(), before)
        hashes.append(weights_sha256(state.classifier))
    assert hashes[0] == hashes[1]


def test_another_seed_trains_other_weights():
    training = settings(epochs=1)
    hashes = set()
    for seed in (1, 2):
        state = state_of(training, net_with_norm_and_dropout)
        list(train(state, some_data(), training, Work(seed=seed)))
        hashes.add(weights_sha256(state.classifier))
    assert len(hashes) == 2


def test_the_caller_may_stop_and_go_on():
    training = settings(epochs=4)
    whole, stopped = (state_of(training, net_with_norm_and_dropout) for _ in range(2))
    list(train(whole, some_data(), training, Work(seed=0)))
    for report in train(stopped, some_data(), training, Work(seed=0)):
        if report.epoch == 2:
            break
    assert stopped.epoch == 2
    assert [report.epoch for report in train(stopped, some_data(), training, Work(seed=0))] == [3, 4]
    assert weights_sha256(stopped.classifier) == weights_sha256(whole.classifier)
    assert list(train(stopped, some_data(), training, Work(seed=0))) == []


def test_progress_says_what_is_done():
    training = settings(epochs=2)
    steps: list[Step] = []
    list(train(state_of(training), some_data(50), training, Work(seed=0, what="erm", progress=steps.append)))
    assert [(step.what, step.done, step.total) for step in steps] == [
        (f"erm, epoch {epoch} of 2", done, 50) for epoch in (1, 2) for done in (16, 32, 48, 50)
    ]
    assert all(step.note.startswith("loss 0.") for step in steps)


def test_a_loss_that_is_not_a_number_stops_the_training():
    training = settings(epochs=2, learning_rate=0.125)

    def poison(batch, epoch):
        images = batch.images.float() / 255
        return Batch(images * math.nan if epoch == 1 else images, batch.labels, batch.ids)

    state = state_of(training)
    epochs = train(state, some_data(), training, Work(seed=0, what="erm", prepare=poison))
    assert next(epochs).epoch == 1
    with pytest.raises(TrainingDiverged) as caught:
        next(epochs)
    assert str(caught.value) == (
        "the loss is no longer a finite number (erm, epoch 2 of 2, learning rate 0.125); "
        "try a smaller learning rate; the state after epoch 1 is good"
    )
    assert isinstance(caught.value, ArithmeticError)


def test_a_last_step_that_breaks_the_weights_stops_it_too():
    # The loss of the only step is fine; 3e38 x (decay 1 x weight 10) is no float32.
    training = settings(epochs=1, learning_rate=3e38, weight_decay=1.0, momentum=0.0)
    # No epoch is done, so it promises no good state.
    sentence = r"^a weight is no longer a finite number \(.*\); try a smaller learning rate$"
    with pytest.raises(TrainingDiverged, match=sentence):
        list(train(pixel_state([10.0, -10.0], training), white_pixels(), training, Work(seed=0)))


def test_labels_outside_the_classes_are_said_before_the_first_step():
    data = some_data()
    data.labels = data.labels + 1
    training = settings()
    state = state_of(training)
    before = weights_sha256(state.classifier)
    sentence = "^expected labels from 0 to 1, as the classifier has 2 classes, got 1 to 2$"
    with pytest.raises(InputError, match=sentence):
        next(train(state, data, training, Work(seed=0)))
    assert weights_sha256(state.classifier) == before


def test_no_images_are_said():
    with pytest.raises(InputError, match=r"^expected at least one training image, got none$"):
        next(train(state_of(settings()), some_data(0), settings(), Work(seed=0)))


def test_bfloat16_leaves_the_weights_in_float32():
    training = Training(epochs=1, batch_size=16, precision="bfloat16")
    state = state_of(training, plain_net)
    (report,) = train(state, some_data(), training, Work(seed=0))
    assert {parameter.dtype for parameter in state.classifier.parameters()} == {torch.float32}
    exact = state_of(settings(epochs=1, learning_rate=0.01))
    (exact_report,) = train(exact, some_data(), settings(epochs=1, learning_rate=0.01), Work(seed=0))
    assert report.loss == pytest.approx(exact_report.loss, rel=0.02)
    assert report.loss != exact_report.loss


def test_a_frozen_parameter_stays():
    training = settings(epochs=1)
    made = classifier()
    made.net[0].requires_grad_(False)
    before = made.net[0].weight.clone()
    state = TrainState(made, training.make_optimizer(made.parameters()))
    list(train(state, some_data(), training, Work(seed=0)))
    assert torch.equal(made.net[0].weight, before)


def three_and_one():
    """Three white pixels of the first class and one of the second."""
    data = white_pixels(4)
    data.labels = np.array([0, 0, 0, 1])
    return data


def test_balanced_classes_pull_alike():
    # Logits 0 and 0: three images pull the first weight by 1/2 each, one pushes it by 1/2; lr x 2/2 / 4.
    given = {"epochs": 1, "learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    moved = []
    for loss in ("cross_entropy", "balanced"):
        training = settings(**given, loss=loss)
        state = pixel_state([0.0, 0.0], training)
        (report,) = train(state, three_and_one(), training, Work(seed=0))
        assert report.loss == pytest.approx(math.log(2))
        moved.append(state.classifier.net[1].weight.flatten().tolist())
    assert moved[0] == pytest.approx([0.25, -0.25])
    assert moved[1] == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # -log p is 0.126928 for the first class and 2.126928 for the second.
        ("cross_entropy", (3 * 0.126928 + 2.126928) / 4),
        ("balanced", (0.126928 + 2.126928) / 2),
        ("smoothed", (3 * (0.95 * 0.126928 + 0.05 * 2.126928) + 0.95 * 2.126928 + 0.05 * 0.126928) / 4),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_the_loss_of_an_epoch_by_hand_in_batches_of_any_size(loss, expected, batch_size):
    training = settings(epochs=1, batch_size=batch_size, learning_rate=1e-12, loss=loss)
    (report,) = train(pixel_state([1.0, -1.0], training), three_and_one(), training, Work(seed=0))
    assert report.loss == pytest.approx(expected, abs=1e-5)

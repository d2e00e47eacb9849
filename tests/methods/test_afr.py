"""AFR: weights and steps by hand and by torch, images that ERM does not see, and what it is held to."""

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch.nn import functional

from masktune.data import InMemory, Subset
from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.methods import ERM, Method, afr
from masktune.methods.afr import AFR, descended, held_out, weights_of_images
from masktune.seeds import seed_of
from masktune.training.last_layer import Features, LastLayer, features_of_all, last_layer_of
from masktune.training.together import predict_all

from .tasks import killed_at, levels, same_weights, task_of
from .test_dfr import colour_task, colours, worst

SHORT = AFR(gammas=(0.0, 5.0), penalties=(0.0, 0.1), steps=20)


def some_features(k=2, n=9, d=4, seed=0):
    """Features with what a net said of them, labels i % k."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, k)).astype(np.float32)
    ids = np.array([f"id-{i}" for i in range(n)])
    return Features(random.normal(size=(n, d)).astype(np.float32), Predictions(logits, np.arange(n) % k, ids))


def said(p, labels):
    """Features of images to whose labels a net of two classes gives the probabilities p."""
    p, labels = np.array(p), np.array(labels)
    second = np.where(labels == 1, p, 1 - p)
    logits = np.log(np.column_stack([1 - second, second])).astype(np.float32)
    ids = np.array([f"id-{i}" for i in range(len(p))])
    return Features(np.zeros((len(p), 1), np.float32), Predictions(logits, labels, ids))


def test_weights_by_hand():
    features = said([0.9, 0.5, 0.1, 0.8], [0, 0, 0, 1])
    grown = np.exp([-2 * 0.9, -2 * 0.5, -2 * 0.1, -2 * 0.8])
    plain = weights_of_images(features, 2.0, balanced=False)
    assert plain == pytest.approx(grown / grown.sum())
    of_classes = grown / [3, 3, 3, 1]
    balanced = weights_of_images(features, 2.0, balanced=True)
    assert balanced == pytest.approx(of_classes / of_classes.sum())


def test_weights_of_gamma_0_are_those_of_the_classes():
    features = said([0.9, 0.5, 0.1, 0.8], [0, 0, 0, 1])
    assert weights_of_images(features, 0.0, balanced=False) == pytest.approx([1 / 4] * 4)
    assert weights_of_images(features, 0.0, balanced=True) == pytest.approx([1 / 6] * 3 + [1 / 2])


def test_a_gamma_beyond_all_bounds_leaves_the_worst_image():
    weights = weights_of_images(said([0.9, 0.5, 0.1, 0.8], [0, 0, 0, 1]), 1e6, balanced=True)
    assert weights == pytest.approx([0, 0, 1, 0])


@pytest.mark.parametrize(("k", "rows"), [(2, 2), (2, 1), (3, 3)])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_steps_are_those_of_torch(k, rows, penalty, size):
    features = some_features(k)
    features = replace(features, values=size * features.values)
    random = np.random.default_rng(1)
    start = LastLayer(random.normal(size=(rows, 4)), random.normal(size=rows))
    weights = weights_of_images(features, 1.5, balanced=True)
    ours = list(islice(descended(start, features, weights, penalty, 0.5), 6))
    first = [torch.from_numpy(part) for part in (start.weight, start.bias)]
    layer = [part.clone().requires_grad_() for part in first]
    optimizer, norms = torch.optim.SGD(layer, lr=0.5), []
    for of_step in ours:
        optimizer.zero_grad()
        logits = torch.from_numpy(features.values).double() @ layer[0].T + layer[1]
        logits = torch.cat([torch.zeros_like(logits), logits], 1) if rows == 1 else logits
        losses = functional.cross_entropy(logits, torch.from_numpy(features.said.labels), reduction="none")
        loss = torch.from_numpy(weights) @ losses
        loss = loss + penalty * sum(((now - was) ** 2).sum() for now, was in zip(layer, first, strict=True))
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(layer, 1.0).item())
        optimizer.step()
        # Torch's own clipping divides by a norm of 1e-6 more.
        assert np.allclose(of_step.weight, layer[0].detach(), atol=1e-4)
        assert np.allclose(of_step.bias, layer[1].detach(), atol=1e-4)
    assert max(norms) > 1 if size > 1 else min(norms) < 1


def test_without_gamma_and_balance_it_is_plain_tuning_of_the_layer():
    task = task_of()
    method = AFR(gammas=(0.0,), penalties=(0.0,), balanced=False, steps=30, every=30, learning_rate=0.1)
    fitted = method.fit(task)
    held = held_out(task.train, 0.2, seed_of(0, "afr", "held out"))
    seen, unseen = (Subset(task.train, torch.from_numpy(np.flatnonzero(at))) for at in (~held, held))
    net = ERM().fit(replace(task, train=seen)).classifier.eval()
    optimizer = torch.optim.SGD(net.net[5].parameters(), lr=0.1)
    batch = unseen.__getitems__(range(len(unseen)))
    before = functional.cross_entropy(net(batch.images), batch.labels).item()
    for _ in range(30):
        optimizer.zero_grad()
        functional.cross_entropy(net(batch.images), batch.labels).backward()
        torch.nn.utils.clip_grad_norm_(net.net[5].parameters(), 1.0)
        optimizer.step()
    expected = predict_all(net, task.validation).logits
    assert np.allclose(predict_all(fitted.classifier, task.validation).logits, expected, atol=1e-4)
    assert functional.cross_entropy(net(batch.images), batch.labels).item() < before - 0.01


def test_erm_sees_none_of_the_images_that_are_held_out():
    task, asked = task_of(), []

    class Watched(InMemory):
        def __getitems__(self, indices):
            asked.append(set(torch.as_tensor(indices).tolist()))
            return super().__getitems__(indices)

    train = task.train
    watched = Watched(train.images, train.labels, train.ids, train.classes)
    SHORT.fit(replace(task, train=watched))
    held = set(np.flatnonzero(held_out(train, 0.2, seed_of(0, "afr", "held out"))).tolist())
    assert asked[-1] == held  # Features of all of them at once.
    assert set().union(*asked[:-1]) == set(range(49)) - held


def test_a_fifth_of_each_class_is_held_out_and_no_subject_divided():
    data = levels(150)
    held = held_out(data, 0.2, 0)
    assert np.bincount(data.labels[held]).tolist() == [10, 10, 10]
    assert (held != held_out(data, 0.2, 1)).any()
    subjects = np.array([f"s{i // 6}" for i in range(150)])
    held = held_out(levels(150, subjects=subjects), 0.2, 0)
    assert 20 <= held.sum() <= 40
    for subject in np.unique(subjects):
        assert len(set(held[subjects == subject])) == 1


def test_the_choice_is_the_best_of_all_and_is_written_with_what_the_weights_come_to(tmp_path):
    method = AFR(gammas=(0.0, 4.0, 20.0), penalties=(0.0, 0.2), steps=50)
    fitted = method.fit(colour_task(tmp_path))
    record = json.loads((tmp_path / "afr/weights.json").read_text())
    assert record["images"] == 80
    tried = record["tried"]
    assert [(one["gamma"], one["lambda"]) for one in tried] == [
        (gamma, penalty) for gamma in method.gammas for penalty in method.penalties
    ]
    best = max(tried, key=lambda one: one["score"])
    assert {name: record[name] for name in best} == best
    validation = predict_all(fitted.classifier, colour_task().validation)
    assert record["score"] == pytest.approx(afr.score_by("worst_group", validation))
    assert all(one["step"] in range(10, 60, 10) for one in tried)
    sizes = [one["effective_images"] for one in record["sizes"]]
    # At gamma 0 the 80 images differ by the counts of the two classes alone, which are alike.
    assert sizes[0] == pytest.approx(80)
    assert sizes[0] > sizes[1] > sizes[2] > 1


def test_the_worst_group_gets_better_when_the_net_leans_on_a_shortcut():
    task = replace(colour_task(), train=colours(1000, 0.95, 0))
    before, after = worst(ERM().fit(task)), worst(AFR(penalties=(0.0,), steps=200).fit(task))
    assert before < 0.3
    assert after > 0.8


def test_of_equal_scores_the_first_one_that_was_tried_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(afr, "score_by", lambda rule, said: 0.5)
    SHORT.fit(task_of(tmp_path))
    record = json.loads((tmp_path / "afr/weights.json").read_text())
    assert (record["gamma"], record["lambda"], record["step"]) == (0.0, 0.0, 10)


def test_three_classes_an_empty_cell_and_the_same_bits_again():
    fitted = SHORT.fit(task_of())
    assert (fitted.selection, fitted.epochs) == ("worst_group", 3)
    assert fitted.seconds > 0
    assert same_weights(fitted, SHORT.fit(task_of()))
    assert not same_weights(fitted, SHORT.fit(task_of(seed=1)))


def test_a_class_of_one_image_stays_with_erm():
    plain = levels(40, seed=3)
    labels = np.where(np.arange(40) == 7, 2, plain.labels % 2)
    train = InMemory(plain.images, labels, plain.ids, plain.classes)
    assert not held_out(train, 0.2, 0)[7]
    fitted = replace(SHORT, selection="worst_class").fit(replace(task_of(), train=train))
    found = features_of_all(fitted.classifier, train)
    assert np.isfinite(last_layer_of(fitted.classifier).logits(found.values)).all()


def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path):
    whole = SHORT.fit(task_of())
    killed_at(SHORT, task_of(tmp_path), "afr: erm, epoch 3")
    killed_at(SHORT, task_of(tmp_path), "afr: tuning the last layer", 2)
    seen = []
    again = SHORT.fit(replace(task_of(tmp_path), progress=lambda step: seen.append(step.what)))
    assert same_weights(again, whole)
    assert not [what for what in seen if "erm, epoch" in what]
    # ERM of all images has a state of its own.
    assert {path.name for path in tmp_path.iterdir()} == {"afr"}


def test_it_reads_no_groups_unless_they_choose():
    assert isinstance(SHORT, Method)
    assert SHORT.supervision == "validation_groups"
    free = replace(SHORT, selection="worst_class")
    assert free.supervision == "none"
    bare = replace(task_of(), train=levels(49), validation=levels(24, seed=1))
    assert same_weights(free.fit(task_of()), free.fit(bare))
    with pytest.raises(InputError, match="afr needs the group labels of the validation images"):
        SHORT.fit(bare)


def test_training_images_of_which_none_can_be_held_out_are_said():
    with pytest.raises(InputError, match="got 3 that are each the only one"):
        SHORT.fit(replace(task_of(), train=levels(3)))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"held_out": 0.0}, "expected a share held out between 0 and 1, got 0"),
        ({"gammas": ()}, "expected one of gammas or more"),
        ({"penalties": (-0.1,)}, "expected one of penalties or more, each 0 or above"),
        ({"steps": 0}, "expected at least 1 step"),
        ({"every": 0}, "expected at least 1 step, and every 1"),
        ({"learning_rate": 0.0}, "expected a positive learning rate"),
        ({"selection": "last"}, "expected selection as one of"),
    ],
)
def test_settings_that_cannot_be(wrong, match):
    with pytest.raises(InputError, match=match):
        AFR(**wrong)

"""DFR: subsets that are balanced, the whole of it by scikit-learn, and what it is held to."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.evaluation.groups import worst_group_accuracy
from masktune.methods import ERM, Method, Task, dfr
from masktune.methods.dfr import DFR, DFRTrain
from masktune.methods.groups import grouped
from masktune.methods.resampling import cut_alike
from masktune.methods.retrained import fitted_on, fitting_half
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.seeds import generator, seed_of
from masktune.training.last_layer import features_of_all
from masktune.training.together import predict_all
from masktune.types import InputSpec
from training.tiny import settings

from .tasks import killed_at, same_weights, task_of

SHORT = {"cs": (1.0, 0.1), "repeats": 2}
BOTH = [DFR(**SHORT), DFRTrain(**SHORT)]
COLOURS = ("bluish", "greenish")


def colours(n, share, seed):
    """Of each image the class is faint in one channel; another channel, plain to see, says it in `share`."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    spurious = np.where(random.uniform(size=n) < share, labels, 1 - labels)
    level = np.stack([100 + 100 * spurious, 100 + 30 * labels, np.full(n, 90)], axis=1)
    images = level[:, :, None, None] + random.integers(-55, 56, (n, 3, 8, 8))
    groups = np.array([f"{label} in {place}" for label, place in zip(labels, spurious, strict=True)])
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    return InMemory(torch.from_numpy(images.astype(np.uint8)), labels, ids, COLOURS, groups=groups)


def net():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


def colour_task(folder=None):
    def build():
        return Classifier(from_seed(net, 0), InputSpec(size=(8, 8)), COLOURS)

    train, validation = colours(400, 0.97, 0), colours(200, 0.5, 1)
    return Task(train, validation, build, settings(epochs=5, learning_rate=0.3), folder=folder)


def worst(fitted):
    return worst_group_accuracy(predict_all(fitted.classifier, colours(400, 0.5, 2)))[1].value


@pytest.mark.parametrize("method", [DFR(), DFRTrain()])
def test_the_worst_group_gets_better_when_the_net_leans_on_a_shortcut(method):
    task = colour_task()
    before, after = worst(ERM().fit(task)), worst(method.fit(task))
    assert before < 0.3
    assert after > 0.8


@pytest.mark.parametrize("method", [DFR(), DFRTrain()])
def test_each_subset_has_as_many_of_each_group_as_the_smallest(monkeypatch, method):
    sizes = []

    def look(features, at, c, penalty):
        assert len(np.unique(at)) == len(at)
        sizes.append(np.unique(features.said.groups[at], return_counts=True)[1].tolist())
        return fitted_on(features, at, c, penalty)

    monkeypatch.setattr(dfr, "fitted_on", look)
    monkeypatch.setattr("masktune.methods.retrained.fitted_on", look)
    task = colour_task()
    method.fit(task)
    of_all = task.validation if method.name == "dfr" else task.train
    smallest = np.unique(of_all.groups, return_counts=True)[1].min()
    assert sizes[-method.repeats :] == [[smallest] * 4] * method.repeats
    choosing = sizes[: -method.repeats]
    assert len(choosing) == len(method.cs)
    assert {size for one in choosing for size in one} <= {smallest // 2, (smallest + 1) // 2, smallest}


def mean_by_sklearn(features, labels, subsets, c):
    """Coefficients on features as they are, by saga, which leaves the intercept alone."""
    weights, biases = [], []
    for at in subsets:
        scaler = StandardScaler().fit(features[at])
        model = LogisticRegression(C=c, l1_ratio=1.0, solver="saga", tol=1e-8, max_iter=100_000)
        model.fit(scaler.transform(features[at]), labels[at])
        weights.append(model.coef_ / scaler.scale_)
        biases.append(model.intercept_ - (model.coef_ * scaler.mean_ / scaler.scale_).sum(axis=1))
    return np.mean(weights, axis=0), np.mean(biases, axis=0)


def test_it_is_what_scikit_learn_makes_of_the_same_subsets(tmp_path):
    task, method = task_of(tmp_path, n=90), DFRTrain(cs=(0.2,), repeats=3)
    fitted = method.fit(task)
    found = features_of_all(ERM().fit(task).classifier, task.train)
    features, groups = found.values.astype(np.float64), grouped(task.train.groups)
    subsets = [cut_alike(groups, generator(0, "dfr_train", number)).numpy() for number in range(3)]
    assert len({tuple(subset) for subset in subsets}) == 3
    weight, bias = mean_by_sklearn(features, task.train.labels, subsets, 0.2)
    told = predict_all(fitted.classifier, task.train).logits
    expected = features @ weight.T + bias
    # Several intercepts may be shifted alike.
    differences = told - expected
    assert np.allclose(differences, differences[:, :1], atol=2e-3)
    assert np.ptp(expected) > 0.5


@pytest.mark.parametrize("name", ["dfr", "dfr_train"])
def test_the_best_c_by_the_other_images_is_taken(tmp_path, name):
    # So small a C leaves no coefficient, and one class takes all.
    cs = (1e-6, 1.0, 0.5)
    method = DFR(cs=cs, repeats=2) if name == "dfr" else DFRTrain(cs=cs, repeats=2)
    method.fit(colour_task(tmp_path))
    record = json.loads((tmp_path / name / "choice.json").read_text())
    scores = [one["score"] for one in record["tried"]]
    assert [one["c"] for one in record["tried"]] == list(cs)
    assert scores[0] < 0.5 < max(scores)
    assert (record["c"], record["selection"]) == (cs[int(np.argmax(scores))], "worst_group")


def test_halves_share_each_group_and_no_subject():
    groups = np.array(["a"] * 20 + ["b"] * 7 + ["alone"])
    data = replace_columns(28, groups)
    half = fitting_half(data, grouped(groups).index, seed_of(0))
    assert [int(half[groups == name].sum()) for name in ("a", "b", "alone")] == [10, 3, 1]
    assert (half == fitting_half(data, grouped(groups).index, seed_of(0))).all()
    assert (half != fitting_half(data, grouped(groups).index, seed_of(1))).any()
    subjects = np.array([f"s{i // 4}" for i in range(28)])
    half = fitting_half(replace_columns(28, groups, subjects), grouped(groups).index, seed_of(0))
    assert 0 < half.sum() < 28
    for subject in np.unique(subjects):
        assert len(set(half[subjects == subject])) == 1


def replace_columns(n, groups, subjects=None):
    plain = colours(n, 0.5, 0)
    return InMemory(plain.images, plain.labels, plain.ids, COLOURS, groups=groups, subjects=subjects)


@pytest.mark.parametrize("method", BOTH)
def test_three_classes_an_empty_cell_a_group_of_one_image_and_the_same_bits(method):
    task = task_of()
    assert 1 in np.unique(task.validation.groups, return_counts=True)[1]
    assert len(np.unique(task.train.groups)) == 5  # Of six.
    fitted = method.fit(task)
    assert (fitted.selection, fitted.epochs) == ("worst_group", 3)
    assert fitted.seconds > 0
    assert same_weights(fitted, method.fit(task_of()))
    assert not same_weights(fitted, method.fit(task_of(seed=1)))


@pytest.mark.parametrize("method", BOTH)
def test_all_but_the_last_layer_is_erms(method):
    plain, fitted = (one.fit(task_of()).classifier.state_dict() for one in (ERM(), method))
    differing = {name for name in plain if not torch.equal(plain[name], fitted[name])}
    assert differing == {"net.5.weight", "net.5.bias"}


@pytest.mark.parametrize("method", BOTH)
def test_erm_is_not_trained_again_and_a_killed_fit_gives_the_same_bits(tmp_path, method):
    ERM().fit(task_of(tmp_path))
    killed_at(method, task_of(tmp_path), "fitting last layers", 2)
    seen = []
    fitted = method.fit(replace(task_of(tmp_path), progress=lambda step: seen.append(step.what)))
    assert same_weights(fitted, method.fit(task_of()))
    assert not [what for what in seen if what.startswith("erm, epoch")]
    assert {"choosing C", "fitting last layers"} <= set(seen)


def test_on_training_images_features_are_taken_of_those_that_are_drawn():
    asked = []

    class Watched(InMemory):
        def __getitems__(self, indices):
            asked.extend(torch.as_tensor(indices).tolist())
            return super().__getitems__(indices)

    task = colour_task()
    train = task.train
    watched = Watched(train.images, train.labels, train.ids, COLOURS, groups=train.groups)
    DFRTrain(**SHORT).fit(replace(task, train=watched))
    features_asked = asked[task.training.epochs * 400 :]
    assert 4 * np.unique(train.groups, return_counts=True)[1].min() < len(features_asked) < 100
    assert len(set(features_asked)) == len(features_asked)


def test_they_say_which_labels_they_read():
    assert all(isinstance(method, Method) for method in BOTH)
    assert [method.supervision for method in BOTH] == ["validation_groups", "train_groups"]


def test_training_groups_are_not_read_by_the_one_that_does_not_declare_them():
    task = colour_task()
    plain = colours(400, 0.97, 0)
    bare = InMemory(plain.images, plain.labels, plain.ids, COLOURS)
    method = DFR(**SHORT)
    assert same_weights(method.fit(task), method.fit(replace(task, train=bare)))


def test_what_is_missing_is_said_before_anything_is_trained():
    def trained(step):
        pytest.fail("something was trained")

    task = replace(colour_task(), progress=trained)
    plain = task.validation
    bare = InMemory(plain.images, plain.labels, plain.ids, COLOURS)
    with pytest.raises(InputError, match="dfr needs the group labels of the validation images"):
        DFR().fit(replace(task, validation=bare))
    with pytest.raises(InputError, match="dfr_train needs the group labels of the training images"):
        DFRTrain().fit(replace(task, train=bare))
    with pytest.raises(InputError, match=r"dfr_train needs .* validation images.* choose C by another rule"):
        DFRTrain().fit(replace(task, validation=bare))
    few = np.arange(3)
    alone = InMemory(plain.images[:3], plain.labels[:3], plain.ids[:3], COLOURS, groups=few.astype(str))
    with pytest.raises(InputError, match="each the only one of their kind"):
        DFR().fit(replace(task, validation=alone))
    one_class = InMemory(
        plain.images[:3], 0 * plain.labels[:3], plain.ids[:3], COLOURS, groups=plain.groups[:3]
    )
    with pytest.raises(InputError, match=r"dfr fits .* none of class 'greenish'"):
        DFR().fit(replace(task, validation=one_class))


def test_c_can_be_chosen_without_groups_of_validation():
    task = colour_task()
    plain = task.validation
    bare = InMemory(plain.images, plain.labels, plain.ids, COLOURS)
    fitted = DFRTrain(**SHORT, selection="worst_class").fit(replace(task, validation=bare))
    assert fitted.selection == "worst_class"


@pytest.mark.parametrize(
    ("method", "wrong", "match"),
    [
        (DFR, {"cs": ()}, "expected one C or more"),
        (DFR, {"cs": (1.0, -1.0)}, "each above 0"),
        (DFR, {"repeats": 0}, "expected 1 repeat or more, got 0"),
        (DFRTrain, {"repeats": 0}, "expected 1 repeat or more, got 0"),
        (DFRTrain, {"selection": "last"}, "expected selection as one of"),
        (DFRTrain, {"penalty": "l3"}, "expected penalty as one of l1, l2"),
    ],
)
def test_settings_that_cannot_be(unchecked, method, wrong, match):
    with pytest.raises(InputError, match=match):
        method(**wrong)

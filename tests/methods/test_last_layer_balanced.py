"""Class-balanced last-layer retraining, by scikit-learn, and what it is held to."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.evaluation.groups import worst_class_accuracy
from masktune.methods import ERM, Method
from masktune.methods.last_layer_balanced import LastLayerBalanced
from masktune.methods.retrained import fitting_half
from masktune.seeds import seed_of
from masktune.training.last_layer import features_of_all
from masktune.training.together import predict_all

from .tasks import killed_at, levels, names_of, same_weights, task_of

SHORT = LastLayerBalanced(cs=(1.0, 0.1))


def uneven(n=120, **columns):
    """Three classes, of which one has few images."""
    plain = levels(n, seed=2)
    kept = np.flatnonzero((plain.labels != 2) | (np.arange(n) % 4 == 0))
    rest = {name: value[kept] for name, value in columns.items()}
    return InMemory(plain.images[kept], plain.labels[kept], plain.ids[kept], names_of(3), **rest)


def uneven_task(folder=None):
    return replace(task_of(folder, epochs=1), validation=uneven())


def test_it_is_what_scikit_learn_makes_of_the_same_half_with_balanced_weights():
    task = uneven_task()
    fitted = LastLayerBalanced(cs=(0.3,)).fit(task)
    found = features_of_all(ERM().fit(task).classifier, task.validation)
    labels = task.validation.labels
    half = fitting_half(task.validation, labels, seed_of(0, "last_layer_balanced", "half"))
    assert np.bincount(labels[half]).tolist() == [20, 20, 5]
    scaler = StandardScaler().fit(found.values[half].astype(np.float64))
    model = LogisticRegression(C=0.3, class_weight="balanced", tol=1e-9, max_iter=10_000)
    model.fit(scaler.transform(found.values[half]), labels[half])
    expected = model.decision_function(scaler.transform(found.values))
    told = predict_all(fitted.classifier, task.validation).logits
    # Several intercepts may be shifted alike; features that hardly vary have large coefficients, in float32.
    assert np.allclose(told - told[:, :1], expected - expected[:, :1], atol=5e-3)
    assert np.ptp(expected) > 3


def test_the_class_of_few_images_gets_better():
    task = uneven_task()
    shown = levels(300, seed=5)
    before, after = (
        worst_class_accuracy(predict_all(method.fit(task).classifier, shown))[1].value
        for method in (ERM(), LastLayerBalanced())
    )
    assert after > before + 0.2


def test_the_best_c_by_the_other_half_is_taken(tmp_path):
    cs = (1e-9, 1.0, 0.1)
    LastLayerBalanced(cs=cs, penalty="l1").fit(uneven_task(tmp_path))
    record = json.loads((tmp_path / "last_layer_balanced/choice.json").read_text())
    scores = [one["score"] for one in record["tried"]]
    assert scores[0] == 0 < max(scores)  # So small a C leaves no coefficient.
    assert (record["c"], record["selection"]) == (cs[int(np.argmax(scores))], "worst_class")


def test_the_images_that_judge_are_not_fitted(monkeypatch):
    task = uneven_task()
    half = fitting_half(task.validation, task.validation.labels, seed_of(0, "last_layer_balanced", "half"))
    turned = task.validation.images.clone()
    turned[torch.from_numpy(~half)] = 255 - turned[torch.from_numpy(~half)]
    plain = task.validation
    other = replace(task, validation=InMemory(turned, plain.labels, plain.ids, plain.classes))
    method = LastLayerBalanced(cs=(0.3,))
    # The very same net, since ERM would choose its epoch by what is turned too.
    one, two = (
        method.fit(replace(of, training=replace(of.training, selection="last"))) for of in (task, other)
    )
    assert same_weights(one, two)


def test_three_classes_an_empty_cell_and_the_same_bits_again():
    fitted = SHORT.fit(task_of())
    assert (fitted.selection, fitted.epochs) == ("worst_class", 3)
    assert same_weights(fitted, SHORT.fit(task_of()))
    assert not same_weights(fitted, SHORT.fit(task_of(seed=1)))


def test_erm_is_not_trained_again_and_a_killed_fit_gives_the_same_bits(tmp_path):
    ERM().fit(task_of(tmp_path))
    killed_at(SHORT, task_of(tmp_path), "choosing C", 2)
    seen = []
    fitted = SHORT.fit(replace(task_of(tmp_path), progress=lambda step: seen.append(step.what)))
    assert same_weights(fitted, SHORT.fit(task_of()))
    assert not [what for what in seen if what.startswith("erm, epoch")]


def test_it_reads_no_groups_unless_they_choose():
    assert isinstance(SHORT, Method)
    assert SHORT.supervision == "none"
    by_groups = replace(SHORT, selection="worst_group")
    assert by_groups.supervision == "validation_groups"
    assert by_groups.fit(task_of()).selection == "worst_group"
    bare = replace(task_of(), train=levels(49), validation=levels(24, seed=1))
    assert same_weights(SHORT.fit(task_of()), SHORT.fit(bare))
    with pytest.raises(
        InputError, match="last_layer_balanced needs the group labels of the validation images"
    ):
        by_groups.fit(bare)


def test_a_class_without_images_is_said_before_anything_is_trained():
    def trained(step):
        pytest.fail("something was trained")

    plain = levels(24)
    some = InMemory(plain.images, plain.labels % 2, plain.ids, plain.classes)
    with pytest.raises(InputError, match=r"last_layer_balanced fits .* none of class 'level-2'"):
        SHORT.fit(replace(task_of(), validation=some, progress=trained))


@pytest.mark.parametrize(
    ("wrong", "match"), [({"cs": (0.0,)}, "each above 0"), ({"selection": "last"}, "expected")]
)
def test_settings_that_cannot_be(wrong, match):
    with pytest.raises(InputError, match=match):
        LastLayerBalanced(**wrong)

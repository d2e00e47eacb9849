import numpy as np
import pytest
import torch

from masktune.data import WithoutGroups
from masktune.models.predict import predict
from masktune.saliency import GradCAM
from masktune.training.together import at_once, maps_of_all, predict_all
from masktune.types import Batch, InputSpec

from .tiny import classifier, some_data


def test_a_whole_data_set_in_its_own_order():
    data, made = some_data(50, groups=np.array(["g"] * 50)), classifier()
    steps = []
    found = predict_all(made, data, batch_size=16, what="predicting raw", progress=steps.append)
    assert found.ids.tolist() == data.ids.tolist()
    assert found.labels.tolist() == data.labels.tolist()
    assert np.allclose(found.logits, predict(made, [data.__getitems__(range(50))]).logits, atol=1e-6)
    assert [(step.what, step.done, step.total) for step in steps] == [
        ("predicting raw", done, 50) for done in (16, 32, 48, 50)
    ]


def test_withheld_groups_stay_withheld():
    data = WithoutGroups(some_data(20, groups=np.array(["g"] * 20)))
    assert predict_all(classifier(), data).groups is None


def test_maps_are_those_of_the_explainer():
    data, explainer = some_data(20), GradCAM(classifier(), "0")
    maps = maps_of_all(explainer, data, weights_sha256="abc", batch_size=8)
    expected = explainer(data.__getitems__(range(20)).images)
    assert torch.allclose(maps.low(tuple(data.ids)), expected.low, atol=1e-3)
    assert maps.low(tuple(data.ids)).amax() == 1
    assert maps.classes.tolist() == expected.classes.tolist()
    assert (maps.manifest.classes, maps.manifest.weights_sha256, maps.manifest.n) == ("predicted", "abc", 20)


def test_maps_of_the_labels():
    data = some_data(20)
    maps = maps_of_all(GradCAM(classifier(), "0"), data, weights_sha256="abc", classes="label")
    assert maps.classes.tolist() == data.labels.tolist()


def test_a_change_comes_before_the_maps():
    data, explainer = some_data(20), GradCAM(classifier(), "0")

    def turned(batch):
        return Batch(batch.images.flip(3), batch.labels, batch.ids)

    maps = maps_of_all(explainer, data, weights_sha256="abc", change=turned)
    images = data.__getitems__(range(20)).images
    assert torch.allclose(maps.low(tuple(data.ids)), explainer(images.flip(3)).low, atol=1e-3)
    assert not torch.allclose(maps.low(tuple(data.ids)), explainer(images).low, atol=1e-1)


@pytest.mark.parametrize(
    ("spec", "images"),
    [
        (InputSpec(size=(28, 28), channels=1), 500),  # 7653 would fit.
        (InputSpec(size=(224, 224)), 39),  # 6,000,000 / 150,528 = 39.9
        (InputSpec(size=(160, 160)), 78),  # 6,000,000 / 76,800 = 78.1
        (InputSpec(size=(224, 112), channels=6), 39),
        (InputSpec(size=(4000, 6000)), 1),
    ],
)
def test_as_many_images_pass_at_once_as_fit(spec, images):
    assert at_once(spec) == images


def test_without_a_batch_size_that_many_are_predicted_at_once(monkeypatch):
    monkeypatch.setattr("masktune.training.together.at_once", lambda spec: 16)
    done = []
    predict_all(classifier(), some_data(50), progress=lambda step: done.append(step.done))
    assert done == [16, 32, 48, 50]

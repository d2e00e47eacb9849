import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import InMemory, batches
from masktune.errors import InputError
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.types import InputSpec


class Means(nn.Module):
    """Logits: the image's mean times 255, and 3; without parameters."""

    def forward(self, images):
        mean = images.mean((1, 2, 3)) * 255
        return torch.stack([mean, torch.full_like(mean, 3.0)], dim=1)


def numbered(n=5, **columns):
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 3, 2, 2).contiguous()
    ids = np.array([f"id-{i}" for i in range(n)])
    return InMemory(images, np.arange(n) % 2, ids, ("even", "odd"), **columns)


def classifier(net=None):
    return Classifier(net or Means(), InputSpec(size=(2, 2)), ("even", "odd"))


def test_predictions_come_in_the_order_of_the_batches():
    data = numbered(groups=np.array(["g", "h", "g", "h", "g"]), subjects=np.array(["s", "s", "t", "t", "u"]))
    found = predict(classifier(), batches(data, 2, torch.tensor([4, 1, 3, 0, 2])))
    assert found.logits[:, 0] == pytest.approx([4, 1, 3, 0, 2], abs=1e-5)
    assert found.logits[:, 1].tolist() == [3.0] * 5
    assert found.labels.tolist() == [0, 1, 1, 0, 0]
    assert found.ids.tolist() == ["id-4", "id-1", "id-3", "id-0", "id-2"]
    assert found.groups.tolist() == ["g", "h", "h", "g", "g"]
    assert found.subjects.tolist() == ["u", "s", "t", "s", "t"]
    assert found.classes == ("even", "odd")
    assert found.logits.dtype == np.float32


def test_unknown_columns_stay_unknown():
    found = predict(classifier(), batches(numbered(), 2))
    assert (found.groups, found.subjects) == (None, None)


def test_it_evaluates_and_leaves_modes_and_statistics_alone():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.9), nn.AvgPool2d(2), nn.Flatten())
    made = classifier(net).train()
    net[1].eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    first, second = (predict(made, batches(numbered(), size)).logits for size in (5, 2))
    assert first == pytest.approx(second, abs=1e-6)
    assert [module.training for module in net] == [True, False, True, True, True]
    assert made.training
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in before.items())
    assert net[0].weight.grad is None


def test_half_precision_logits_are_widened():
    class Half(nn.Module):
        def forward(self, images):
            return Means()(images).bfloat16()

    assert predict(classifier(Half()), batches(numbered(), 5)).logits.dtype == np.float32


def test_no_batch_at_all():
    with pytest.raises(InputError, match=r"^expected at least one batch of images to classify, got none$"):
        predict(classifier(), [])


def test_logits_that_are_not_finite():
    class Broken(nn.Module):
        def forward(self, images):
            return Means()(images) / 0

    with pytest.raises(InputError, match="expected finite logits"):
        predict(classifier(Broken()), batches(numbered(), 5))

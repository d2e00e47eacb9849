"""What a small net learns from made images: the marker at once, the shape with more images, as intended.

Beside each margin stands what seeds 0 to 4 of net and data gave (32 px, five epochs, one thread).
"""

import torch
from torch import nn
from torch.nn import functional

from masktune.seeds import seeded
from masktune.testing import Marker, ShortcutImages
from masktune.types import as_float


def small_net(channels, classes):
    def block(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)

    return nn.Sequential(
        *block(channels, 16),
        *block(16, 16),
        *block(16, 32),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, classes),
    )


def trained(data, epochs, seed=0):
    with seeded(seed, torch.device("cpu")):
        net = small_net(data.images.shape[1], len(data.classes))
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
        steps = epochs * -(-len(data) // 64)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for _ in range(epochs):
            for chosen in torch.randperm(len(data)).split(64):
                batch = data.__getitems__(chosen)
                optimizer.zero_grad()
                functional.cross_entropy(net(as_float(batch.images) - 0.45), batch.labels).backward()
                optimizer.step()
                schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net, data):
    batch = data.__getitems__(range(len(data)))
    return float((net(as_float(batch.images) - 0.45).argmax(1) == batch.labels).double().mean())


def made(n, **given):
    return ShortcutImages(n, size=(32, 32), **given)


def scores(data, epochs=5):
    """Accuracy on each test set after training on `data`."""
    splits = data.splits(validation=4, test=400)
    net = trained(splits.train, epochs)
    return {name: accuracy(net, test) for name, test in splits.tests.items()}


def test_with_a_marker_a_net_learns_the_marker():
    found = scores(made(1000))
    assert found["aligned"] > 0.95  # 0.993 to 1.
    assert found["conflicting"] < 0.1  # 0 to 0.013.
    assert abs(found["raw"] - 0.5) < 0.1  # 0.5 to 0.503: it knows nothing of the shape.


def test_without_a_marker_a_net_learns_the_shape_but_later():
    few, many = scores(made(1000, marker=None))["test"], scores(made(2000, marker=None))["test"]
    assert 0.7 < few < 0.96  # 0.79 to 0.93, where it knew the marker all but surely.
    assert many > 0.9  # 0.948 to 0.978.


def test_a_bright_object_is_learnt_instead_of_its_shape():
    found = scores(made(1000, marker=Marker("object", strength=0.9)))
    assert found["aligned"] > 0.95  # 0.993 to 1.
    assert found["conflicting"] < 0.25  # 0.045 to 0.13.

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from masktune.training.losses import class_weights, summed_loss

CPU = torch.device("cpu")
UNEVEN = np.array([0, 0, 0, 1])
"""Weights by hand: 4 / (2 classes x 3 images) and 4 / (2 x 1)."""


def loss_of(name, logits, labels, train_labels=UNEVEN):
    classes = len(logits[0])
    return summed_loss(name, train_labels, classes, CPU)(torch.tensor(logits), torch.tensor(labels)).item()


def test_class_weights_by_hand():
    weights = class_weights(UNEVEN, 3)
    assert weights.tolist() == pytest.approx([2 / 3, 2, 0])  # Nobody is of the third class.
    assert weights[UNEVEN].mean().item() == pytest.approx(1)


def test_class_weights_are_those_of_scikit_learn():
    labels = np.random.default_rng(0).choice(5, 200, p=[0.5, 0.3, 0.1, 0.06, 0.04])
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    assert class_weights(labels, 5).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Logits 1 and -1: -log p is 0.126928 and 2.126928.
        ("cross_entropy", 0.126928 + 2.126928),
        ("balanced", 2 / 3 * 0.126928 + 2 * 2.126928),
        # A tenth of the label is spread over both classes.
        ("smoothed", 0.95 * (0.126928 + 2.126928) + 0.05 * (2.126928 + 0.126928)),
    ],
)
def test_losses_of_two_images_by_hand(name, expected):
    assert loss_of(name, [[1.0, -1.0], [1.0, -1.0]], [0, 1]) == pytest.approx(expected, abs=1e-5)


def test_smoothed_labels_of_three_classes_by_hand():
    logits = [2.0, 0.0, -1.0]
    total = sum(map(math.exp, logits))
    costs = [math.log(total) - logit for logit in logits]
    expected = (0.9 + 0.1 / 3) * costs[1] + 0.1 / 3 * (costs[0] + costs[2])
    assert loss_of("smoothed", [logits], [1]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "weights", "target"),
    [
        ("cross_entropy", (1, 1), (0, 1)),
        ("balanced", (2 / 3, 2), (0, 1)),
        ("smoothed", (1, 1), (0.05, 0.95)),
    ],
)
@pytest.mark.parametrize("label", [0, 1])
def test_of_one_logit_it_is_binary_cross_entropy(name, weights, target, label):
    z, wanted = 0.7, target[label]
    chance = 1 / (1 + math.exp(-z))
    binary = -wanted * math.log(chance) - (1 - wanted) * math.log(1 - chance)
    assert loss_of(name, [[0.0, z]], [label]) == pytest.approx(weights[label] * binary, abs=1e-6)

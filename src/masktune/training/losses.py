"""What training makes small: cross-entropy, plain, with balanced classes, or with smoothed labels."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

Loss = Literal["cross_entropy", "balanced", "smoothed"]

SMOOTHING = 0.1
"""Of `smoothed`: the share of a label that is spread evenly over all classes, its own included."""

SummedLoss = Callable[[Float[Tensor, "b k"], Int64[Tensor, " b"]], Float[Tensor, ""]]
"""From logits and labels to the loss of all images together, so that processes can add theirs up."""


def summed_loss(
    loss: Loss, train_labels: Int64[np.ndarray, " n"], classes: int, device: torch.device
) -> SummedLoss:
    """The function behind the name of a loss.

    A net of one logit z comes here as the two-class head [0, z]. Its cross-entropy is the binary one of z,
    -log sigmoid(z) for class 1 and -log sigmoid(-z) for class 0, so it needs no loss of its own.

    Args:
        loss: its name.
        train_labels: of all training images, whichever of them are in a batch; `balanced` counts them.
        classes: number of logits.
        device: where logits and labels will be.
    """
    if loss == "balanced":
        weights = class_weights(train_labels, classes).to(device)
        return partial(functional.cross_entropy, weight=weights, reduction="sum")
    smoothing = SMOOTHING if loss == "smoothed" else 0.0
    return partial(functional.cross_entropy, label_smoothing=smoothing, reduction="sum")


def class_weights(labels: Int64[np.ndarray, " n"], classes: int) -> Float[Tensor, " classes"]:
    """The weight of an image by its class: all classes that occur weigh alike, the mean over images is 1.

    That is n / (classes that occur x images of this class); 0 for a class without images.
    """
    counts = np.bincount(labels, minlength=classes)
    evenly = len(labels) / np.count_nonzero(counts)
    weights = np.divide(evenly, counts, out=np.zeros(len(counts)), where=counts > 0)
    return torch.from_numpy(weights.astype(np.float32))

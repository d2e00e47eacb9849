"""A few training images with their maps and masks, and what the classifier says before and after."""

import numpy as np
import torch

from masktune.data import Dataset
from masktune.methods import Fitted
from masktune.models.predict import predict
from masktune.runs import Examples


def examples_of(data: Dataset, fitted: Fitted, each: int = 2) -> Examples:
    """The first `each` images of every group of a data set, by a method that has masks.

    Captions say the probability of the true class, by the net whose maps these are and by the tuned one, on
    the image as it is.
    """
    assert fitted.masks is not None
    names = np.array(data.classes)[data.labels] if data.groups is None else data.groups
    chosen = torch.tensor([at for name in np.unique(names) for at in np.flatnonzero(names == name)[:each]])
    batch = data.__getitems__(chosen).to(next(fitted.classifier.parameters()).device)
    hidden = fitted.masks.hidden(batch)
    at = np.arange(len(batch))
    before, after = (
        predict(classifier, [batch]).probabilities[at, data.labels[chosen]]
        for classifier in (fitted.masks.classifier, fitted.classifier)
    )
    return Examples.of(
        images=batch.images,
        masked=fitted.masks.hide(batch).images,
        low=fitted.masks.low(batch),
        hidden=hidden,
        titles=names[chosen],
        captions=np.array([f"p {one:.2f} → {two:.2f}" for one, two in zip(before, after, strict=True)]),
    )

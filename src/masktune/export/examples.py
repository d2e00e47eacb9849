"""A few of the images, to look at: what the net sees, where it looks, what is hidden."""

import numpy as np
import torch

from masktune.export.chunks import Chunk
from masktune.export.work import Work
from masktune.masking import hidden_from_low
from masktune.runs import Examples

_MOST = 12


def examples_of(work: Work, found: Chunk) -> Examples:
    """The first images of each class, or of as many classes as there is room for."""
    labels, classes = work.files.labels, work.files.classes
    each = max(_MOST // len(np.unique(labels)), 1)
    chosen = np.concatenate([np.flatnonzero(labels == label)[:each] for label in np.unique(labels)])[:_MOST]
    batch = work.files.__getitems__(torch.from_numpy(chosen))
    low = torch.from_numpy(found.low[chosen].astype(np.float32))
    hidden = hidden_from_low(low, work.files.spec.size, work.settings.threshold)
    masked = work.settings.filling(batch.images, hidden, batch.ids)
    said = found.logits[chosen].argmax(1)
    return Examples.of(
        images=batch.images,
        masked=masked,
        low=low,
        hidden=hidden,
        titles=np.array([f"{classes[labels[at]]}: {_short(str(work.files.ids[at]))}" for at in chosen]),
        captions=np.array([f"says {work.classifier.classes[index]}" for index in said]),
    )


def _short(sample: str) -> str:
    """The end of an id, which tells images apart."""
    name = sample.rpartition("/")[2]
    return name if len(name) <= 24 else f"...{name[-21:]}"

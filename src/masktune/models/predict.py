"""Logits of a whole data set, in evaluation mode and float32."""

from collections.abc import Iterable

import numpy as np
import torch

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.models.classifier import Classifier, evaluating
from masktune.types import Batch


def predict(classifier: Classifier, batches: Iterable[Batch]) -> Predictions:
    """Classify every image of some batches.

    The classifier may be in any mode and is left in it; its weights stay in float32.

    Returns:
        Predictions in the order of the batches, with groups and subjects where the batches carry them.

    Raises:
        InputError: no batch, a batch that the classifier does not take, or logits that are not finite.
    """
    device = classifier.get_buffer("mean").device  # A net need not have parameters.
    seen: list[tuple[np.ndarray, Batch]] = []
    heads: list[np.ndarray] = []
    with evaluating(classifier), torch.inference_mode():
        for batch in batches:
            logits, confidence = classifier.with_confidence(batch.images.to(device))
            if confidence is not None:
                heads.append(confidence.float().cpu().numpy())
            seen.append((logits.float().cpu().numpy(), batch))
    if not seen:
        raise InputError("expected at least one batch of images to classify, got none")
    return Predictions(
        logits=np.concatenate([logits for logits, _ in seen]),
        labels=np.concatenate([batch.labels.cpu().numpy() for _, batch in seen]),
        ids=np.array([name for _, batch in seen for name in batch.ids]),
        classes=classifier.classes,
        groups=_column(batch.groups for _, batch in seen),
        subjects=_column(batch.subjects for _, batch in seen),
        head=np.concatenate(heads) if heads else None,
    )


def _column(parts: Iterable[tuple[str, ...] | None]) -> np.ndarray | None:
    names = list(parts)
    if any(part is None for part in names):
        return None
    return np.array([name for part in names if part is not None for name in part])

"""Where the classifiers look in the judged images: the place in words, and pictures of before and after."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64, Shaped

from masktune.data.base import Dataset
from masktune.findings.spots import place_of
from masktune.runs.pictures import jpegs
from masktune.seeds import seed_of
from masktune.trial.arms import Arm
from masktune.trial.settings import ArmName
from masktune.trial.trialled import BeforeAfter

SHOWN = 48
"""Pictures, at most."""

_KINDS = ("gained", "lost", "right", "wrong")


def places_of(arm: Arm, images: Dataset) -> Shaped[np.ndarray, " n"]:
    """The corner, edge or centre where an arm's map has its middle; "" of an empty map."""
    low = arm.areas.maps.low(tuple(images.ids.tolist())).float().numpy()
    total = low.sum((1, 2))
    height, width = low.shape[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        down = (low.sum(2) * (np.arange(height) + 0.5)).sum(1) / total / height
        across = (low.sum(1) * (np.arange(width) + 0.5)).sum(1) / total / width
    return np.array(
        [
            "" if not mass else place_of((y, x, y, x))
            for mass, y, x in zip(total.tolist(), down.tolist(), across.tolist(), strict=True)
        ]
    )


def pictures_of(arms: Mapping[ArmName, Arm], images: Dataset, *, seed: int) -> tuple[BeforeAfter, ...]:
    """Judged images with both maps: those that changed first, then a fair rest, by seed and id."""
    before, after = arms["untouched"], arms["masktune"]
    right = np.stack([before.predictions.correct, after.predictions.correct], axis=1).astype(int)
    kind = np.array([[3, 0], [1, 2]])[right[:, 0], right[:, 1]]
    chosen = _chosen(kind, images.ids, seed)
    names = before.predictions.classes or tuple(map(str, range(before.predictions.logits.shape[1])))
    ids = tuple(images.ids[chosen].tolist())
    pictures = jpegs(images.__getitems__(torch.from_numpy(chosen)).images)
    lows = [arm.areas.maps.low(ids).half().numpy() for arm in (before, after)]
    return tuple(
        BeforeAfter(
            id=sample,
            label=names[before.predictions.labels[at]],
            before=names[before.predictions.predicted[at]],
            after=names[after.predictions.predicted[at]],
            jpeg=jpeg,
            low_before=old,
            low_after=new,
        )
        for sample, at, jpeg, old, new in zip(ids, chosen.tolist(), pictures, *lows, strict=True)
    )


def _chosen(
    kind: Int64[np.ndarray, " n"], ids: Shaped[np.ndarray, " n"], seed: int
) -> Int64[np.ndarray, " m"]:
    """A third gained, a third lost at most; of the rest half wrong, as far as there are so many right."""
    keys = np.array([seed_of("before and after", seed, name) for name in ids.tolist()], dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    of_kind = [order[kind[order] == number] for number in range(len(_KINDS))]
    gained, lost, right, wrong = of_kind
    changed = [gained[: SHOWN // 3], lost[: SHOWN // 3]]
    left = SHOWN - sum(map(len, changed))
    some_wrong = wrong[: max(left // 2, left - len(right))]
    return np.concatenate([*changed, some_wrong, right])[:SHOWN]

"""What each arm says of the same images when a place is changed: where the old one looks, or it itself.

Two changes: areas made black, and areas swapped with another image. A swap with an image of another
class makes what a shortcut's conflicting images are: the rest says one class, the place says another. One
with an image of the same class shows what the swap itself costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from masktune.data.base import Dataset
from masktune.masking import Black, SavedMaps, Threshold, hidden_from_low
from masktune.models.classifier import Classifier, evaluating
from masktune.seeds import seed_of
from masktune.training.devices import ALONE, Processes
from masktune.training.together import at_once
from masktune.types import Batch, Hidden, Images, Progress, Step, silent

Change = Literal["salient", "other_class", "same_class", "own_other_class"]
"""Hidden: the salient area. Swapped: the salient areas of an image and of one of another class, or of the
same; `own`: where the arm itself looks now, not the untouched classifier. A net that has left one shortcut
for another one gives itself away there."""

CHANGES: tuple[Change, ...] = get_args(Change)

_BLACK = Black()


@dataclass(frozen=True, slots=True)
class Areas:
    """The areas of each image of a data set, by the maps of one classifier."""

    maps: SavedMaps
    """Of all images that are asked about."""
    threshold: Threshold
    """From a map to the salient area."""

    def salient(self, batch: Batch) -> Hidden:
        """The salient area of some images; none of an image whose map is empty."""
        height, width = batch.images.shape[2:]
        return hidden_from_low(
            self.maps.low(batch.ids).to(batch.images.device), (height, width), self.threshold
        )

    def hidden(self, batch: Batch) -> Images:
        """The images with their salient areas black."""
        return _BLACK(batch.images, self.salient(batch))

    def swapped(self, batch: Batch, donor: Batch) -> Images:
        """The images with the donors' pixels in both salient areas, each pixel at its place."""
        area = self.salient(batch) | self.salient(donor)
        return torch.where(area[:, None], donor.images, batch.images)


@dataclass(frozen=True, slots=True)
class Donors:
    """For each image the positions of those that it swaps with."""

    other_class: Int64[np.ndarray, " n"]
    """An image of another class; the image itself where there is none."""
    same_class: Int64[np.ndarray, " n"]
    """Another image of its class; the image itself where there is none."""

    @classmethod
    def of(cls, data: Dataset, seed: int) -> "Donors":
        """Drawn by seed and id, so that the order of the data says nothing."""
        order = np.argsort([seed_of("exchange", seed, name) for name in data.ids.tolist()], kind="stable")
        labels = data.labels[order]
        other, same = np.arange(len(order)), np.arange(len(order))
        for label in np.unique(labels):
            own, rest = order[labels == label], order[labels != label]
            same[own] = np.roll(own, 1)
            if len(rest):
                other[own] = rest[np.arange(len(own)) % len(rest)]
        return cls(other, same)


def changed_logits(
    classifier: Classifier,
    data: Dataset,
    areas: Areas,
    donors: Donors,
    own: Areas,
    *,
    here: Processes = ALONE,
    what: str = "hiding",
    progress: Progress = silent,
) -> Mapping[Change, Float32[np.ndarray, "n k"]]:
    """Logits with each change, in the order of the data; several processes share the images.

    `areas` are where the untouched classifier looks, `own` where this one does.
    """
    parts: list[dict[Change, Tensor]] = []
    with evaluating(classifier), torch.inference_mode():
        for share in here.share(len(data), at_once(classifier.spec)):
            at = np.arange(share.start, share.stop)
            batch, other, same = (
                data.__getitems__(torch.from_numpy(one)).to(here.device)
                for one in (at, donors.other_class[at], donors.same_class[at])
            )
            changed: dict[Change, Images] = {
                "salient": areas.hidden(batch),
                "other_class": areas.swapped(batch, other),
                "same_class": areas.swapped(batch, same),
                "own_other_class": own.swapped(batch, other),
            }
            parts.append({name: _logits(classifier, images) for name, images in changed.items()})
            progress(Step(what, share.stop, len(data)))
    parts = here.together(parts)
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in CHANGES}


def _logits(classifier: Classifier, images: Images) -> Tensor:
    # Filled images come with channels first, which costs a net on a CPU a third of its speed.
    said: Tensor = classifier(images.contiguous(memory_format=torch.channels_last))
    return said.float().cpu()

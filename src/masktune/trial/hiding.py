"""What each arm says of the same images with the same areas hidden: where the untouched classifier looks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from masktune.data.base import Dataset
from masktune.masking import AREAS, Area, Black, SavedMaps, Threshold, hidden_areas
from masktune.models.classifier import Classifier, evaluating
from masktune.training.devices import ALONE, Processes
from masktune.types import Batch, Hidden, Images, Progress, Step, silent

BATCH = 250
"""Images that are hidden in one go; each of them runs three times."""

_BLACK = Black()


@dataclass(frozen=True, slots=True)
class Areas:
    """The areas of each image of a data set; made once, with the untouched classifier's maps."""

    maps: SavedMaps
    """Of all images that are asked about."""
    threshold: Threshold
    """From a map to the salient area."""
    seed: int
    """Of where the areas to compare with lie."""

    def of(self, batch: Batch) -> dict[Area, Hidden]:
        """The areas of some images, equally large; none of an image whose map is empty."""
        height, width = batch.images.shape[2:]
        low = self.maps.low(batch.ids).to(batch.images.device)
        return hidden_areas(low, (height, width), self.threshold, batch.ids, self.seed)


def hidden_logits(
    classifier: Classifier,
    data: Dataset,
    areas: Areas,
    *,
    here: Processes = ALONE,
    what: str = "hiding",
    progress: Progress = silent,
) -> Mapping[Area, Float32[np.ndarray, "n k"]]:
    """Logits with each area black, in the order of the data; several processes share the images."""
    parts: list[dict[Area, Tensor]] = []
    with evaluating(classifier), torch.inference_mode():
        for share in here.share(len(data), BATCH):
            batch = data.__getitems__(torch.arange(share.start, share.stop)).to(here.device)
            parts.append(
                {
                    area: _logits(classifier, _BLACK(batch.images, hidden))
                    for area, hidden in areas.of(batch).items()
                }
            )
            progress(Step(what, share.stop, len(data)))
    parts = here.together(parts)
    return {area: torch.cat([part[area] for part in parts]).numpy() for area in AREAS}


def _logits(classifier: Classifier, images: Images) -> Tensor:
    # Filled images come with channels first, which costs a net on a CPU a third of its speed.
    said: Tensor = classifier(images.contiguous(memory_format=torch.channels_last))
    return said.float().cpu()

"""What is hidden in the training images: by whose maps, by which rule, and where."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from masktune.data.base import Dataset, KnowsShortcut
from masktune.evaluation.hiding import hidden_share
from masktune.masking import Fill, SavedMaps, Threshold, hidden_from_low
from masktune.saliency import Explainer
from masktune.training.devices import ALONE, Processes
from masktune.types import Batch, Hidden, Progress, Step, silent

Low = Float[Tensor, "b h_low w_low"]

Place = Callable[[Hidden, Low, Sequence[str], int], Hidden]
"""Where an image's mask is laid: gets its own mask, its map at layer size, ids and seed."""


def own_place(hidden: Hidden, low: Low, ids: Sequence[str], seed: int) -> Hidden:
    """Where the classifier looks: MaskTune itself."""
    return hidden


@dataclass(frozen=True, slots=True)
class Masks:
    """Hides part of each training image."""

    explainer: Explainer
    """Makes the maps; its net is the masking checkpoint and is not trained on."""
    threshold: Threshold
    """From a map to what is hidden."""
    fill: Fill
    """What hidden pixels become."""
    place: Place
    """The image's own mask, or a control's."""
    seed: int
    """Of what a control draws."""
    labelled: bool = False
    """Explain the label instead of the predicted class."""
    saved: SavedMaps | None = None
    """Maps made before; None makes them anew for each batch."""
    before: "Masks | None" = None
    """Masks of the rounds before, which stay hidden (accumulating)."""

    def hidden(self, batch: Batch) -> Hidden:
        """What is hidden in these images, all rounds together."""
        if self.before is None:
            return self._hidden(batch)
        return self._hidden(self.before.hide(batch)) | self.before.hidden(batch)

    def hide(self, batch: Batch) -> Batch:
        """The batch with its images partly hidden."""
        return replace(batch, images=self.fill(batch.images, self.hidden(batch), batch.ids))

    def _hidden(self, batch: Batch) -> Hidden:
        height, width = batch.images.shape[2:]
        low = self._low(batch)
        return self.place(hidden_from_low(low, (height, width), self.threshold), low, batch.ids, self.seed)

    def _low(self, batch: Batch) -> Low:
        if self.saved is not None:
            return self.saved.low(batch.ids).to(batch.images.device)
        found = self.explainer(batch.images, classes=batch.labels if self.labelled else None, ids=batch.ids)
        low = found.low if isinstance(found.low, Tensor) else found.maps
        return low.half().float()  # As saved maps are, so that masks made online are the same bits.


@dataclass(frozen=True, slots=True)
class Hiding:
    """How much of each image of a data set is hidden."""

    image: Float64[np.ndarray, " n"]
    """Share of the image's pixels, 0 to 1."""
    shortcut: Float64[np.ndarray, " n"] | None
    """Share of the shortcut's pixels, NaN where the image carries none; None where they are unknown."""


def measure_hidden(
    data: Dataset,
    masks: Masks,
    *,
    batch_size: int = 1000,
    here: Processes = ALONE,
    progress: Progress = silent,
) -> Hiding:
    """Measure the masks of a whole data set, as they are without augmentation."""
    parts = []
    for share in here.share(len(data), batch_size):
        positions = torch.arange(share.start, share.stop)
        hidden = masks.hidden(data.__getitems__(positions).to(here.device)).cpu().numpy()
        shortcut = data.shortcut_pixels(positions).numpy() if isinstance(data, KnowsShortcut) else None
        parts.append((hidden_share(hidden), None if shortcut is None else hidden_share(hidden, shortcut)))
        progress(Step("measuring what is hidden", share.stop, len(data)))
    images, shortcuts = zip(*here.together(parts), strict=True)
    known = [share for share in shortcuts if share is not None]
    return Hiding(np.concatenate(images), np.concatenate(known) if known else None)

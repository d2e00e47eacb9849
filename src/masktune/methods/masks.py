"""What is hidden in the training images: by whose maps, by which rule, and where."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from masktune.data.base import Dataset, KnowsObject, KnowsShortcut
from masktune.evaluation.hiding import hidden_share
from masktune.masking import Fill, MaskStatistics, SavedMaps, Threshold, hidden_from_low
from masktune.models.classifier import Classifier
from masktune.saliency import Explainer
from masktune.training.devices import ALONE, Processes
from masktune.training.together import at_once
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

    classifier: Classifier
    """The masking checkpoint; it is not trained on."""
    explainer: Explainer
    """Makes the maps of that classifier."""
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
        earlier = self.before.hidden(batch)
        return self._hidden(self.before.filled(batch, earlier)) | earlier

    def hide(self, batch: Batch) -> Batch:
        """The batch with its images partly hidden."""
        return self.filled(batch, self.hidden(batch))

    def filled(self, batch: Batch, hidden: Hidden) -> Batch:
        """The batch with these pixels replaced."""
        return replace(batch, images=self.fill(batch.images, hidden, batch.ids))

    def _hidden(self, batch: Batch) -> Hidden:
        height, width = batch.images.shape[2:]
        low = self.low(batch)
        return self.place(hidden_from_low(low, (height, width), self.threshold), low, batch.ids, self.seed)

    def low(self, batch: Batch) -> Low:
        """The maps of these images at layer size, in [0, 1]."""
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
    object: Float64[np.ndarray, " n"] | None
    """Share of the object's pixels, NaN where it is cut off; None where they are unknown."""
    on_object: Float64[np.ndarray, " n"] | None
    """Share of the hidden pixels that lie on the object, NaN where nothing is hidden."""
    statistics: MaskStatistics
    """How many masks are empty, and why."""


def measure_hidden(
    data: Dataset,
    masks: Masks,
    *,
    here: Processes = ALONE,
    progress: Progress = silent,
) -> Hiding:
    """Measure the masks of a whole data set, as they are without augmentation."""
    parts = []
    for share in here.share(len(data), at_once(masks.classifier.spec)):
        parts.append(_measured(data, masks, torch.arange(share.start, share.stop), here.device))
        progress(Step("measuring what is hidden", share.stop, len(data)))
    parts = here.together(parts)
    return Hiding(
        image=np.concatenate([part.image for part in parts]),
        shortcut=_joined([part.shortcut for part in parts]),
        object=_joined([part.object for part in parts]),
        on_object=_joined([part.on_object for part in parts]),
        statistics=sum((part.statistics for part in parts), start=MaskStatistics()),
    )


def _joined(parts: Sequence[Float64[np.ndarray, " _"] | None]) -> Float64[np.ndarray, " n"] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _measured(data: Dataset, masks: Masks, positions: Int64[Tensor, " b"], device: torch.device) -> Hiding:
    hidden = masks.hidden(_read(data, masks, positions, device))
    no_evidence = torch.zeros(len(positions), dtype=torch.bool, device=device)
    blank = ~hidden.any(2).any(1)
    if blank.any():  # Only of these is it asked why; online, each further map costs a forward pass.
        low = masks.low(_read(data, masks, positions[blank.cpu()], device))
        no_evidence[blank] = low.flatten(1).amax(1) <= 0
    on_cpu = hidden.cpu().numpy()
    shortcut = data.shortcut_pixels(positions).numpy() if isinstance(data, KnowsShortcut) else None
    thing = data.object_pixels(positions).numpy() if isinstance(data, KnowsObject) else None
    return Hiding(
        image=hidden_share(on_cpu),
        shortcut=None if shortcut is None else hidden_share(on_cpu, shortcut),
        object=None if thing is None else hidden_share(on_cpu, thing),
        on_object=None if thing is None else hidden_share(thing, on_cpu),
        statistics=MaskStatistics.of(hidden, no_evidence),
    )


def _read(data: Dataset, masks: Masks, positions: Int64[Tensor, " b"], device: torch.device) -> Batch:
    """The images that masks are asked of; where maps are saved their pixels say nothing, and stay unread."""
    if masks.saved is None or masks.before is not None:
        return data.__getitems__(positions).to(device)
    at = positions.numpy()
    unread = torch.zeros((), device=device).expand(len(at), 1, *masks.saved.manifest.size)
    return Batch(unread, torch.from_numpy(data.labels[at]), tuple(data.ids[at].tolist()))

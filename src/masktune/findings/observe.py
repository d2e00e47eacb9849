"""One walk over all images: what the classifier says, where it looks, what it says when that is hidden.

Four passes of the net an image: as it is (with a gradient through the head for the map), and with each of
three areas hidden. Nothing else of an image is kept than a few small arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Float64, Int64, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from masktune.data.base import Dataset
from masktune.data.image_files import ImageFiles
from masktune.findings.observed import TINY, Area
from masktune.findings.properties import properties_of
from masktune.findings.settings import ScanSettings
from masktune.masking import hidden_from_low, least_salient, roll_elsewhere
from masktune.masking.fills import Black
from masktune.models.classifier import Classifier, evaluating
from masktune.saliency import Explainer, enlarge
from masktune.saliency.named import EXPLAINERS
from masktune.training.devices import ALONE, Processes
from masktune.training.execution import Execution
from masktune.types import Batch, Hidden, Images, Progress, Step, as_float, silent

_CELLS = 16
_BLACK = Black()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What is kept of one batch; fields as in `Observed`."""

    logits: Float32[np.ndarray, "b k"]
    hidden_logits: Mapping[Area, Float32[np.ndarray, "b k"]]
    low: Float16[np.ndarray, "b h w"]
    empty: Bool[np.ndarray, " b"]
    hidden: Float64[np.ndarray, " b"]
    where: UInt8[np.ndarray, "b 16 16"]
    tiny: UInt8[np.ndarray, "b 32 32 3"]
    seen: Float64[np.ndarray, " b"]
    properties: Mapping[str, Float64[np.ndarray, " b"]]
    layer: str
    formula: str


class Observer:
    """Looks at one batch after another with one net.

    Args:
        classifier: is looked through, and left as it was.
        settings: how maps are made and what is hidden.
        device: that the net is on.
    """

    def __init__(self, classifier: Classifier, settings: ScanSettings, device: torch.device) -> None:
        self.classifier = classifier
        self.settings = settings
        self.device = device
        self.execution = Execution.choose(settings.precision, device)
        self.explainer: Explainer = EXPLAINERS[settings.saliency](classifier, settings.layer, settings.seed)

    def part(self, batch: Batch, seen: Float64[np.ndarray, " b"]) -> Part:
        """What is kept of a batch; `seen` is the share of each picture that the batch shows."""
        images = batch.images.to(self.device)
        with self.execution.autocast(self.device):
            found = self.explainer(images, ids=batch.ids)
        assert isinstance(found.low, Tensor)  # One layer: the settings name no more.
        low = found.low.half().float()  # As saved maps hold it.
        size = (images.shape[2], images.shape[3])
        masks = self._masks(low, size, batch.ids)
        salient = masks["salient"].float()[:, None]
        return Part(
            logits=found.logits.float().cpu().numpy(),
            hidden_logits={area: self.logits(_BLACK(images, mask)) for area, mask in masks.items()},
            low=low.half().cpu().numpy(),
            empty=found.empty.cpu().numpy(),
            hidden=salient.mean((1, 2, 3)).double().cpu().numpy(),
            where=_as_bytes(adaptive_avg_pool2d(salient, _CELLS)[:, 0]),
            tiny=tiny_of(images),
            seen=seen,
            properties=properties_of(batch.images),
            layer=str(found.layer),
            formula=found.method,
        )

    def logits(self, images: Images) -> Float32[np.ndarray, "b k"]:
        """What the net says of images in pixel space."""
        with torch.inference_mode(), self.execution.autocast(self.device):
            # Filled images come with channels first, which costs a net on a CPU a third of its speed.
            laid_out = images.to(self.device).contiguous(memory_format=torch.channels_last)
            said: np.ndarray = self.classifier(laid_out).float().cpu().numpy()
        return said

    def _masks(self, low: Tensor, size: tuple[int, int], ids: tuple[str, ...]) -> dict[Area, Hidden]:
        salient = hidden_from_low(low, size, self.settings.threshold)
        maps = enlarge(low, size)
        return {
            "salient": salient,
            "random": roll_elsewhere(salient, ids, self.settings.seed),
            "least_salient": least_salient(maps, salient, ids, self.settings.seed),
        }


def observe_images(
    observer: Observer, dataset: Dataset, here: Processes = ALONE, progress: Progress = silent
) -> list[Part]:
    """Walk over all images of a data set; several processes share them, and each gets all parts."""
    parts = []
    with evaluating(observer.classifier):
        for share in here.share(len(dataset), observer.settings.batch_size):
            batch, seen = _read(dataset, torch.arange(share.start, share.stop))
            parts.append(observer.part(batch, seen))
            progress(Step("looking where it looks", share.stop, len(dataset)))
    return here.together(parts)


def joined(parts: list[Part], name: str) -> np.ndarray:
    """One column of all parts."""
    return np.concatenate([getattr(part, name) for part in parts])


def joined_by_name(parts: list[Part], name: str) -> dict[str, np.ndarray]:
    """The columns of all parts, by name."""
    names = getattr(parts[0], name)
    return {key: np.concatenate([getattr(part, name)[key] for part in parts]) for key in names}


def tiny_of(images: Images) -> UInt8[np.ndarray, "b 32 32 3"]:
    """Images averaged down to 32 x 32, in colour."""
    small = adaptive_avg_pool2d(as_float(images), TINY)
    colour = small[:, :3] if small.shape[1] >= 3 else small[:, :1].expand(-1, 3, -1, -1)
    return _as_bytes(colour.permute(0, 2, 3, 1))


def _read(dataset: Dataset, at: Int64[Tensor, " b"]) -> tuple[Batch, Float64[np.ndarray, " b"]]:
    if isinstance(dataset, ImageFiles):
        batch, views = dataset.read(at)
        return batch, np.array([view.seen for view in views])
    return dataset.__getitems__(at), np.ones(len(at))


def _as_bytes(shares: Tensor) -> np.ndarray:
    return shares.mul(255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()

"""One walk over all images: what the classifier says, where it looks, what it says when that is hidden.

Four passes of the net an image: as it is (with a gradient through the head for the map), and with each of
three areas hidden. Nothing else of an image is kept than a few small arrays.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from masktune.data.base import Dataset
from masktune.data.image_files import ImageFiles
from masktune.findings.observed import TINY
from masktune.findings.parts import Part, joined
from masktune.findings.properties import properties_of
from masktune.findings.settings import ScanSettings
from masktune.masking import hidden_areas
from masktune.masking.fills import Black
from masktune.models.classifier import Classifier, evaluating
from masktune.runs.chunks import chunk_path
from masktune.saliency import Explainer, SaliencyMaps
from masktune.saliency.named import EXPLAINERS
from masktune.training.devices import ALONE, Processes
from masktune.training.execution import Execution
from masktune.types import Batch, Images, Progress, Step, as_float, silent

CHUNK = 128
"""Images in a chunk, about: what is lost at most when a run is cut off."""

_CELLS = 16
_BLACK = Black()


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

    def meet(self, batch: Batch) -> None:
        """Let the explainer find out what it has to know of the layer, from this batch."""
        self._explained(batch.images.to(self.device), batch.ids)

    def part(self, batch: Batch, seen: Float64[np.ndarray, " b"]) -> Part:
        """What is kept of a batch; `seen` is the share of each picture that the batch shows."""
        images = batch.images.to(self.device)
        found = self._explained(images, batch.ids)
        assert isinstance(found.low, Tensor)  # One layer: the settings name no more.
        low = found.low.half()  # As saved maps hold it.
        size = (images.shape[2], images.shape[3])
        masks = hidden_areas(low, size, self.settings.threshold, batch.ids, self.settings.seed)
        salient = masks["salient"].float()[:, None]
        return Part(
            logits=found.logits.float().cpu().numpy(),
            hidden_logits={area: self.logits(_BLACK(images, mask)) for area, mask in masks.items()},
            low=low.cpu().numpy(),
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

    def _explained(self, images: Images, ids: tuple[str, ...]) -> SaliencyMaps:
        with self.execution.autocast(self.device):
            return self.explainer(images, ids=ids)


def observe_images(
    observer: Observer,
    dataset: Dataset,
    here: Processes = ALONE,
    progress: Progress = silent,
    folder: Path | None = None,
) -> Part:
    """Walk over all images of a data set; several processes share them, and each gets all that is kept.

    With a run folder, chunks of images leave a record there as they are done, and those that have one are not
    run again; without one nothing is written.

    Raises:
        DataDamaged: an image or a record cannot be read.
        StorageError: a record cannot be written.
    """
    n = len(dataset)
    walk = Walk(observer, dataset, progress)
    with evaluating(observer.classifier):
        shares = here.share(n, walk.chunk)
        if folder is None:
            made = walk.parts(shares)
            whole = joined(made if here.world == 1 else here.together(list(made)), n)
        else:
            # Counted before any process can have written a record of this run.
            walk.done = here.first_does(lambda: sum(map(len, walk.saved(folder))))
            here.each_does(lambda: walk.make(shares, folder))
            # By every process, so that the first one does not remove what another is still reading.
            whole = here.each_does(lambda: joined(walk.saved(folder), n))
    walk.say(n)
    return whole


class Walk:
    """The way over all images, in chunks of whole batches: each batch is the same, wherever a run goes on.

    Args:
        observer: looks at the batches.
        dataset: all images.
        progress: is called before each batch.
    """

    def __init__(self, observer: Observer, dataset: Dataset, progress: Progress = silent) -> None:
        self.observer = observer
        self.dataset = dataset
        self.progress = progress
        self.batch = observer.settings.batch_size
        self.chunk = max(1, CHUNK // self.batch) * self.batch
        self.done = 0
        """Images that had a record when the walk began."""

    def parts(self, shares: Sequence[slice]) -> Iterator[Part]:
        """What is kept of each of these chunks."""
        if shares and shares[0].start > 0:
            # What explainers find out of a layer at the first batch they see must not depend on where a run
            # went on, or on the process.
            self.observer.meet(self._read(0, min(self.batch, len(self.dataset)))[0])
        for share in shares:
            yield self._part(share)

    def make(self, shares: Sequence[slice], folder: Path) -> None:
        """Write the records of these chunks that are not there yet."""
        missing = [share for share in shares if not chunk_path(folder, share.start).exists()]
        for share, part in zip(missing, self.parts(missing), strict=True):
            part.save(chunk_path(folder, share.start))

    def saved(self, folder: Path) -> Iterator[Part]:
        """The records that are there, one after the other."""
        for start in range(0, len(self.dataset), self.chunk):
            path = chunk_path(folder, start)
            if path.exists():
                yield Part.load(path, min(self.chunk, len(self.dataset) - start))

    def say(self, position: int) -> None:
        """How far it is."""
        n = len(self.dataset)
        note = f"{self.done:,} of {n:,} images were done already" if self.done else ""
        self.progress(Step("looking where it looks", position, n, note))

    def _part(self, share: slice) -> Part:
        parts = []
        for start in range(share.start, share.stop, self.batch):
            self.say(start)
            parts.append(self.observer.part(*self._read(start, min(start + self.batch, share.stop))))
        return joined(parts, share.stop - share.start)

    def _read(self, start: int, stop: int) -> tuple[Batch, Float64[np.ndarray, " b"]]:
        """A batch, and the share of each picture that it shows."""
        at = torch.arange(start, stop)
        if isinstance(self.dataset, ImageFiles):
            batch, views = self.dataset.read(at)
            return batch, np.array([view.seen for view in views])
        return self.dataset.__getitems__(at), np.ones(stop - start)


def tiny_of(images: Images) -> UInt8[np.ndarray, "b 32 32 3"]:
    """Images averaged down to 32 x 32, in colour."""
    small = adaptive_avg_pool2d(as_float(images), TINY)
    colour = small[:, :3] if small.shape[1] >= 3 else small[:, :1].expand(-1, 3, -1, -1)
    return _as_bytes(colour.permute(0, 2, 3, 1))


def _as_bytes(shares: Tensor) -> np.ndarray:
    return shares.mul(255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()

"""One chunk of images: maps, masks, files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from masktune.data.decode import Picture, decode
from masktune.data.image_files import ImageFiles
from masktune.data.threads import pool
from masktune.evaluation import hidden_share
from masktune.export import chunks
from masktune.export.chunks import Chunk
from masktune.export.encode import encode, file_names, mask_image, masked_image, overlay_image
from masktune.export.settings import ExportSettings
from masktune.files import complete_file
from masktune.masking import hidden_from_low, hidden_to_source, maps_to_source
from masktune.masking.archive import numbers_of
from masktune.models.classifier import Classifier
from masktune.runs.chunks import chunk_path
from masktune.saliency import Explainer, SaliencyMaps, enlarge
from masktune.training.execution import Execution
from masktune.types import Batch, Hidden, Progress, Step, View, silent

Low = Float32[Tensor, "_ _ _"]


@dataclass(frozen=True, eq=False)
class Work:
    """What it takes to explain images and write what is asked for."""

    files: ImageFiles
    classifier: Classifier
    settings: ExportSettings
    folder: Path
    """The run folder."""
    device: torch.device
    progress: Progress = silent

    def chunk(self, start: int, stop: int) -> Chunk:
        """The record of these images: read where it exists, else made, and written behind their files."""
        path = chunk_path(self.folder, start)
        if path.exists():
            return Chunk.load(path)
        size = self.settings.batch_size
        parts = []
        for at in range(start, stop, size):
            parts.append(self.batch(np.arange(at, min(at + size, stop))))
            self.progress(Step(f"making {self.settings.what}", at + len(parts[-1].ids), len(self.files)))
        made = chunks.together(parts)
        made.save(path)
        return made

    def make(self, shares: Iterable[slice]) -> None:
        """Make what is not there yet of these chunks."""
        for share in shares:
            self.chunk(share.start, share.stop)

    def batch(self, positions: Int64[np.ndarray, " b"]) -> Chunk:
        """Explain one batch and write its files."""
        chunk, files = self.made(positions)
        list(pool(self.files.threads).map(self._write, files, files.values()))
        return chunk

    def made(self, positions: Int64[np.ndarray, " b"]) -> tuple[Chunk, dict[str, bytes]]:
        """Explain one batch; what was found, and the content of its files by name."""
        batch, views = self.files.read(torch.from_numpy(positions))
        found = self._explained(batch)
        # Half precision, as saved maps are: masks made from those are the same bits.
        assert isinstance(found.low, Tensor)  # One layer: the settings name no more.
        low = found.low.half().cpu()
        hidden = hidden_from_low(low.float(), self.files.spec.size, self.settings.threshold)
        chunk = Chunk(
            ids=np.array(batch.ids),
            logits=found.logits.cpu().numpy(),
            classes=found.classes.cpu().numpy(),
            hidden=hidden_share(hidden.numpy()),
            empty=found.empty.cpu().numpy(),
            low=low.numpy(),
            views=np.array([numbers_of(view) for view in views], dtype=np.float64),
        )
        if self.settings.what == "maps":
            return chunk, {}

        def content(at: int) -> bytes:
            source = self._source(batch, int(positions[at]), at)
            return self._drawn(
                source, low[at : at + 1].float(), hidden[at : at + 1], views[at], batch.ids[at]
            )

        contents = pool(self.files.threads).map(content, range(len(batch)))
        return chunk, dict(zip((self.names[sample] for sample in batch.ids), contents, strict=True))

    def _explained(self, batch: Batch) -> SaliencyMaps:
        labels = batch.labels.to(self.device) if self.settings.classes == "label" else None
        execution = Execution.choose(self.settings.precision, self.device)
        with execution.autocast(self.device):
            return self.explainer(batch.images.to(self.device), classes=labels, ids=batch.ids)

    def _write(self, name: str, content: bytes) -> None:
        with complete_file(self.folder / self.settings.what / name) as part:
            part.write_bytes(content)

    def _drawn(self, source: Picture, low: Low, hidden: Hidden, view: View, sample: str) -> bytes:
        """The file of one image."""
        what = self.settings.what
        # What a preprocess of the user's gives is scaled already.
        rule = self.files.spec.range if self.files.preprocess is None else "dtype"
        if what == "overlays":
            heat = maps_to_source(enlarge(low, view.size), view)[0].numpy()
            seen = maps_to_source(torch.ones(1, *view.size), view)[0].numpy() > 0
            return encode(overlay_image(source, heat, seen, rule), what)
        there = hidden_to_source(hidden, view)[0].numpy()
        if what == "masks":
            return encode(mask_image(there), what)
        return encode(masked_image(source, there, self.settings.filling, sample, rule), what)

    def _source(self, batch: Batch, position: int, at: int) -> Picture:
        """The whole image in its own units, or what a preprocess of one's own made of it."""
        if self.files.preprocess is None:
            return decode(self.files.samples.contents.read(position))
        values = batch.images[at].permute(1, 2, 0).numpy()
        return Picture(values, values.shape[:2], 0, 255 if values.dtype == np.uint8 else 1)

    @cached_property
    def explainer(self) -> Explainer:
        """What makes the maps."""
        return self.settings.explainer(self.classifier)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The file for each sample."""
        return file_names(self.files.ids.tolist(), self.settings.what)

"""Saliency maps kept on disk, so that threshold, share and fill change without running the net again.

The only module of this room that touches files. A folder holds

    maps.npy        float16 (n, h, w), scaled to [0, 1], at layer size; memory-mapped when read
    samples.npz     ids, classes, empty, and views: (1, 9) for one view of all, else (n, 9)
    manifest.json   what the maps are; written last, so a folder without it is not complete
"""

import io
import json
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int64
from torch import Tensor

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.files import complete_file, make_folder, storage_errors, write_text
from masktune.masking.counting import MaskStatistics
from masktune.masking.thresholds import Threshold, hidden_from_low
from masktune.saliency import Explainer
from masktune.saliency.cam import enlarge
from masktune.types import Batch, Hidden, Number, Progress, Step, View, silent

SCHEMA = "masktune.maps/1"


@dataclass(frozen=True, slots=True)
class MapsManifest:
    """How the maps were made."""

    method: str
    """Name of the formula, or of the explainer where it names none."""
    layer: str
    """Name of the layer."""
    classes: Literal["predicted", "label"]
    """The class whose evidence a map shows."""
    weights_sha256: str
    """Hash of the net's weights, as in `run.json`."""
    size: tuple[int, int]
    """Height and width of the net's input."""
    grid: tuple[int, int]
    """Height and width of the maps."""
    n: int
    """Number of maps."""
    seconds: float | None
    """Duration of making them; None where they were made in several goes."""
    schema: str = SCHEMA


@dataclass(frozen=True, eq=False)
class SavedMaps:
    """Maps at layer size, found by sample id; each belongs to the view of the image it was computed on."""

    manifest: MapsManifest
    stored: Float16[np.ndarray, "n h w"]
    """Scaled to [0, 1]."""
    ids: tuple[str, ...]
    classes: Int64[np.ndarray, " n"]
    """The class that each map explains."""
    empty: Bool[np.ndarray, " n"]
    """True where a map is 0 everywhere: nothing speaks for its class, or no place more than another."""
    views: tuple[View, ...]
    """One view for all images, or one for each."""
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = {sample: row for row, sample in enumerate(self.ids)}
        if len(rows) != len(self.ids):
            raise InputError(f"expected each id once, got {len(self.ids)} ids of {len(rows)} samples")
        if len(self.views) not in (1, len(self.ids)):
            raise InputError(
                f"expected one view, or one for each of {len(self.ids)} maps, got {len(self.views)}"
            )
        if any(view.size != self.manifest.size for view in self.views):
            raise InputError(f"expected views of {self.manifest.size} pixels, as the net's input")
        object.__setattr__(self, "_rows", rows)

    @classmethod
    def compute(
        cls,
        explainer: Explainer,
        batches: Iterable[Batch],
        *,
        weights_sha256: str,
        classes: Literal["predicted", "label"] = "predicted",
        views: Sequence[View] | None = None,
        total: int = 0,
        progress: Progress = silent,
    ) -> "SavedMaps":
        """Explain all batches; only the small maps are kept.

        `views` says what part of their sources the images show, one for all or one an image in the batches'
        order; by default the images are taken as the whole. `total` is the number of images, for `progress`.
        """
        parts: list[_Part] = []
        done, start = 0, time.perf_counter()
        for batch in batches:
            parts.append(_explained(explainer, batch, classes))
            done += len(batch)
            progress(Step("computing saliency maps", done, max(total, done)))
        manifest = MapsManifest(
            size=_one_size(parts),
            method=parts[0].method,
            layer=parts[0].layer,
            classes=classes,
            weights_sha256=weights_sha256,
            grid=parts[0].low.shape[1:],
            n=done,
            seconds=time.perf_counter() - start,
        )
        return cls(
            manifest,
            np.concatenate([part.low for part in parts]),
            ids=tuple(sample for part in parts for sample in part.ids),
            classes=np.concatenate([part.classes for part in parts]),
            empty=np.concatenate([part.empty for part in parts]),
            views=(View.whole(manifest.size),) if views is None else tuple(views),
        )

    def save(self, folder: Path) -> None:
        """Write the folder; while it is being written it has no manifest."""
        make_folder(folder)
        with storage_errors(folder):
            (folder / "manifest.json").unlink(missing_ok=True)
        with complete_file(folder / "maps.npy") as part:
            # By way of memory: into a file numpy writes past Python, and says nothing of a full disk.
            content = io.BytesIO()
            np.save(content, self.stored)
            part.write_bytes(content.getbuffer())
        views = np.array([numbers_of(view) for view in self.views], dtype=np.float64)
        with complete_file(folder / "samples.npz") as part, part.open("wb") as file:
            np.savez(file, ids=np.array(self.ids), classes=self.classes, empty=self.empty, views=views)
        write_text(folder / "manifest.json", json.dumps(asdict(self.manifest), indent=1) + "\n")

    @classmethod
    def open(cls, folder: Path, weights_sha256: str | None = None) -> "SavedMaps":
        """Read a folder that `save` wrote; with a hash, refuse maps that other weights made.

        Raises:
            DataNotFound: no complete maps there.
            DataDamaged: a file is truncated or does not belong to the others.
            InputError: other weights.
        """
        manifest = _manifest(folder)
        if weights_sha256 not in (None, manifest.weights_sha256):
            raise InputError(
                f"expected maps of the weights {weights_sha256} in {folder}, got maps of "
                f"{manifest.weights_sha256}; compute them anew"
            )
        try:
            with storage_errors(folder, "read"):
                stored = np.load(folder / "maps.npy", mmap_mode="r", allow_pickle=False)
                # Opened here, because numpy leaves a damaged file open.
                with (
                    (folder / "samples.npz").open("rb") as file,
                    np.load(file, allow_pickle=False) as samples,
                ):
                    ids, classes, empty = tuple(samples["ids"].tolist()), samples["classes"], samples["empty"]
                    views = tuple(map(view_of, samples["views"].tolist()))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataDamaged(f"the maps in {folder} cannot be read ({error}); compute them anew") from error
        if stored.shape != (manifest.n, *manifest.grid) or len(ids) != manifest.n:
            raise DataDamaged(
                f"expected {manifest.n} maps of {manifest.grid} in {folder}, got {stored.shape} "
                f"for {len(ids)} ids; compute them anew"
            )
        return cls(manifest, stored, ids, classes, empty, views)

    def __len__(self) -> int:
        return len(self.ids)

    def low(self, ids: Sequence[str]) -> Float[Tensor, "b h w"]:
        """The maps of these samples at layer size, float32 in [0, 1]."""
        return torch.from_numpy(self.stored[self.rows(ids)].astype(np.float32))

    def maps(self, ids: Sequence[str]) -> Float[Tensor, "b h w"]:
        """The maps of these samples at the net's input size."""
        return enlarge(self.low(ids), self.manifest.size)

    def hidden(self, ids: Sequence[str], threshold: Threshold) -> Hidden:
        """The masks of these samples on their views, the same bits as `Masker.hidden` gives."""
        return hidden_from_low(self.low(ids), self.manifest.size, threshold)

    def views_of(self, ids: Sequence[str]) -> tuple[View, ...]:
        """The view of each of these samples, for `geometry.hidden_through_view`."""
        if len(self.views) == 1:
            return self.views * len(ids)
        return tuple(self.views[row] for row in self.rows(ids))

    def statistics(self, ids: Sequence[str], hidden: Hidden) -> MaskStatistics:
        """Count what `hidden` gave for these samples."""
        return MaskStatistics.of(hidden, torch.from_numpy(self.empty[self.rows(ids)]))

    def rows(self, ids: Sequence[str]) -> Int64[np.ndarray, " b"]:
        """Where the maps of these samples lie."""
        try:
            return np.array([self._rows[sample] for sample in ids], dtype=np.int64)
        except KeyError as error:
            raise InputError(f"expected ids of samples with a map, got {error.args[0]!r}") from None


@dataclass(frozen=True, slots=True)
class _Part:
    """What is kept of one batch."""

    low: Float16[np.ndarray, "b h w"]
    ids: tuple[str, ...]
    classes: Int64[np.ndarray, " b"]
    empty: Bool[np.ndarray, " b"]
    method: str
    layer: str
    size: tuple[int, int]


def _explained(explainer: Explainer, batch: Batch, classes: Literal["predicted", "label"]) -> _Part:
    labels = batch.labels if classes == "label" else None
    found = explainer(batch.images, classes=labels, ids=batch.ids)
    if isinstance(found.low, tuple):
        raise InputError(
            "expected an explainer of one layer, as maps are saved at its size, got several layers"
        )
    height, width = batch.images.shape[2:]
    return _Part(
        low=found.low.half().cpu().numpy(),
        ids=batch.ids,
        classes=found.classes.cpu().numpy(),
        empty=found.empty.cpu().numpy(),
        method=found.method or type(explainer).__name__,
        layer=str(found.layer),
        size=(height, width),
    )


def _one_size(parts: Sequence[_Part]) -> tuple[int, int]:
    sizes = {part.size for part in parts}
    if len(sizes) != 1:
        raise InputError(f"expected images, all of one size, got {sorted(sizes) or 'none'}")
    return sizes.pop()


def _manifest(folder: Path) -> MapsManifest:
    path = folder / "manifest.json"
    if not path.is_file():
        raise DataNotFound(f"no complete saved maps in {folder}: it has no manifest.json; compute them first")
    try:
        with storage_errors(path, "read"):
            read = json.loads(path.read_text(encoding="utf-8"))
        if read["schema"] != SCHEMA:
            raise DataDamaged(f"expected maps of schema {SCHEMA} in {folder}, got {read['schema']}")
        return MapsManifest(**read | {"size": tuple(read["size"]), "grid": tuple(read["grid"])})
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataDamaged):
            raise
        raise DataDamaged(f"{path} is not a manifest of saved maps ({error}); compute them anew") from error


def numbers_of(view: View) -> tuple[Number, ...]:
    """A view as it is stored: source, box, size, mirrored."""
    return (*view.source, *view.box, *view.size, int(view.flip))


def view_of(numbers: Sequence[float]) -> View:
    """The view that `numbers_of` stored."""
    box = numbers[2:6]
    height, width, seen_height, seen_width, flip = (int(numbers[at]) for at in (0, 1, 6, 7, 8))
    return View((height, width), (box[0], box[1], box[2], box[3]), (seen_height, seen_width), bool(flip))

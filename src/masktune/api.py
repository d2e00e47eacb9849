"""The public functions that compute: a net and images in, a report out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import nn

from masktune.data.base import Dataset
from masktune.data.image_files import ImageFiles
from masktune.data.map_style import FromDataset, MapStyle, shape_of_first
from masktune.errors import InputError
from masktune.findings.finding import Finding
from masktune.findings.scan import Extras, scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned
from masktune.models.classifier import Classifier
from masktune.models.specs import describe
from masktune.report.scan import write_scan
from masktune.report.scan_summary import summary_of_scan
from masktune.report.told import Told
from masktune.types import InputSpec, Progress, silent


@final
@dataclass(frozen=True, slots=True, eq=False)
class ScanReport:
    """What a scan found."""

    scanned: Scanned
    """Findings, numbers of each image, and the pictures of the gallery."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Problems first, then hints, passed, not applicable."""
        return self.scanned.findings

    def summary(self) -> str:
        """What was measured, what was found and what to do, what it cannot tell."""
        return "\n\n".join(summary_of_scan(self.scanned))

    def save(self, path: Path | str, *, images: bool = True, pseudonymous: bool = False) -> Path:
        """Write `report.html`, `report.json` and the tables into a folder; give the path of the page.

        Args:
            path: the folder.
            images: whether pictures are in it.
            pseudonymous: leave out all names of files and what they say.
        """
        write_scan(Path(path), self.scanned, Told(images=images, pseudonymous=pseudonymous))
        return Path(path) / "report.html"


def scan(
    net: nn.Module,
    dataset: Dataset | MapStyle,
    *,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    settings: ScanSettings = ScanSettings(),  # noqa: B008 - it is frozen.
    mute: Collection[str] = (),
    progress: Progress = silent,
) -> ScanReport:
    """What does a classifier lean on? Nothing is trained; the net is left as it was.

    Args:
        net: a `Classifier`, or any net whose logits stand for the data's classes. A bare net gets pixels in
            [0, 1], less `mean` and divided by `std`: pass what its training normalised with. Of
            `ImageFolder` and `Manifest` it gets what their own InputSpec says.
        dataset: images with labels: one of ours (`ImageFolder`, `Manifest`), or any map-style data set of
            images that are not normalised.
        mean: per channel, or one number for all, for a bare net.
        std: likewise.
        settings: how maps are made, and what is drawn.
        mute: codes of findings that are not wanted.
        progress: is called with each step.

    Raises:
        InputError: too few images, one class, or a net that does not fit them.
    """
    if (mean is None) != (std is None):
        raise InputError("expected mean and std together, or neither of them")
    if not isinstance(net, Classifier):
        dataset, spec = _as_dataset(dataset, mean, std)
        device = next((one.device for one in net.parameters()), torch.device("cpu"))
        net = Classifier(net, spec, dataset.classes).to(device)
    elif mean is not None:
        raise InputError("a Classifier normalises its images itself; leave out mean and std")
    known = dataset if isinstance(dataset, Dataset) else FromDataset(dataset, net.spec)
    name = str(getattr(dataset, "name", type(dataset).__name__))
    extras = Extras(notes=(f"input: {describe(net.spec)}",))
    return ScanReport(scan_images(name, net, known, settings, muted=mute, extras=extras, progress=progress))


def _as_dataset(
    dataset: Dataset | MapStyle,
    mean: Sequence[float] | float | None,
    std: Sequence[float] | float | None,
) -> tuple[Dataset, InputSpec]:
    """The data set as one of ours, and what its images are; files come with an InputSpec of their own."""
    if isinstance(dataset, ImageFiles) and mean is None:
        return dataset, dataset.spec
    normal = _per_channel(mean, 0.0), _per_channel(std, 1.0)
    if isinstance(dataset, Dataset):
        first = dataset.__getitems__([0]).images
        size = (first.shape[2], first.shape[3])
        return dataset, InputSpec(size=size, channels=first.shape[1], mean=normal[0], std=normal[1])
    channels, size = shape_of_first(dataset)
    spec = InputSpec(size=size, channels=channels, mean=normal[0], std=normal[1])
    return FromDataset(dataset, spec), spec


def _per_channel(given: Sequence[float] | float | None, default: float) -> tuple[float, ...]:
    """As an InputSpec has it; one number stands for all channels."""
    if given is None:
        return (default,)
    return (float(given),) if isinstance(given, (int, float)) else tuple(given)

"""The public functions that compute: a net and images in, a report out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import torch
from torch import nn

from masktune.data.base import Dataset
from masktune.data.image_files import ImageFiles
from masktune.data.map_style import FromDataset, MapStyle, shape_of_first
from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.findings.finding import Finding
from masktune.findings.scan import Extras, scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned
from masktune.models.classifier import Classifier
from masktune.models.specs import describe
from masktune.report.scan import write_scan
from masktune.report.scan_summary import summary_of_scan
from masktune.report.told import Told
from masktune.report.trial import write_trial
from masktune.training.devices import Processes
from masktune.trial import (
    ArmName,
    Given,
    Outcome,
    TrialSettings,
    Verdict,
    check_start,
    given_of,
    given_parts,
    run_trial,
)
from masktune.trial.run import write_tuned
from masktune.trial.seen import Listed
from masktune.trial.trialled import TrialArm
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
    classifier, known = _opened(net, dataset, mean, std)
    extras = Extras(notes=(f"input: {describe(classifier.spec)}",))
    return ScanReport(
        scan_images(
            _name_of(dataset), classifier, known, settings, muted=mute, extras=extras, progress=progress
        )
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class TuneResult:
    """What a trial came to."""

    outcome: Outcome
    """Everything; the rest are shorter ways to parts of it."""
    net: nn.Module
    """As it was given."""

    @property
    def verdict(self) -> Verdict:
        """`word` is helped, no_evidence or harmful; `reason` says why."""
        return self.outcome.trialled.verdict

    @property
    def arms(self) -> Mapping[str, TrialArm]:
        """Numbers of each arm, by name; `measures["validation"]` are those of the judged images."""
        return {arm.name: arm for arm in self.outcome.trialled.arms}

    @property
    def predictions(self) -> Mapping[ArmName, Mapping[str, Predictions]]:
        """By arm and split, as the nets give them: no operating point has moved them."""
        return self.outcome.predictions

    @property
    def model(self) -> nn.Module:
        """The tuned net, of the kind that was given, in eval mode; the net itself where it is harmful.

        A trial without the arm `masktune` has tuned none, and gives the net as it was too.
        """
        tuned = self.outcome.classifiers.get("masktune")
        if tuned is None or self.verdict.word == "harmful":
            return self.net
        return tuned if isinstance(self.net, Classifier) else tuned.net

    def save(self, path: Path | str, *, images: bool = True, pseudonymous: bool = False) -> Path:
        """Write report, model card, tables and, unless harmful, the tuned weights; give the page's path."""
        folder, trialled = Path(path), self.outcome.trialled
        write_tuned(folder, None, trialled, self.outcome.classifiers.get("masktune"))
        write_trial(folder, trialled, Told(images=images, pseudonymous=pseudonymous))
        return folder / "report.html"


def tune(
    net: nn.Module,
    dataset: Dataset | MapStyle,
    *,
    validation: Dataset | MapStyle | None = None,
    test: Dataset | MapStyle | None = None,
    trained_on: str | Path | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    settings: TrialSettings | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> TuneResult:
    """Does MaskTune help this net on these images? A controlled trial; the net is left as it was.

    Args:
        net: a `Classifier`, or any net whose logits stand for the data's classes; as for `scan`.
        dataset: images to tune on. Without `validation` a part of them is judged on: their split validation,
            or what is drawn from images that the net has not seen.
        validation: images to judge on, which the net has never seen.
        test: further images, whose numbers stand beside the verdict.
        trained_on: what the net has seen of `dataset`: "none", "all", "unknown", or a file that names
            images. If not given: split train where there are splits, all of `dataset` where `validation` is
            given, else unknown, which allows no verdict.
        mean: per channel, or one number for all, for a bare net.
        std: likewise.
        settings: arms, rates, what is hidden; their seed gives way to `seed`.
        seed: of all that is drawn.
        progress: is called with each step.

    Raises:
        InputError: too few images, nothing left to judge on, a net that does not fit them or says the same of
            all of them.
        TrainingDiverged: at every rate, or at the one that was given.
    """
    classifier, known = _opened(net, dataset, mean, std)
    wanted = replace(settings or TrialSettings(), seed=seed)
    if trained_on is not None:
        wanted = replace(wanted, trained_on=str(trained_on))
    given = _given(_name_of(dataset), classifier, known, validation, test, wanted)
    given = replace(given, about={"input": describe(classifier.spec)})
    here = Processes(device=classifier.get_buffer("mean").device)
    check_start(given, wanted, here=here)
    return TuneResult(run_trial(given, wanted, here=here, progress=progress), net)


def _given(
    name: str,
    classifier: Classifier,
    dataset: Dataset,
    validation: Dataset | MapStyle | None,
    test: Dataset | MapStyle | None,
    settings: TrialSettings,
) -> Given:
    """Classifier and images with their roles: those of the data sets, or what is drawn from the one."""
    if validation is not None:
        if settings.calibration_share:
            raise InputError(
                "expected a calibration_share of 0 with validation, got "
                f"{settings.calibration_share}; leave calibration images out of dataset instead"
            )
        judged = _like(validation, classifier)
        tested = None if test is None else _like(test, classifier)
        return given_parts(name, classifier, dataset, judged, tested, trained_on=settings.trained_on)
    if test is not None:
        raise InputError("expected validation with test, since a verdict is not reached on test images")
    samples = dataset.samples if isinstance(dataset, ImageFiles) else None
    listed = Listed.of_dataset(dataset) if samples is None else Listed.of_samples(samples)
    columns = {} if samples is None else samples.columns
    return given_of(name, classifier, dataset, listed, settings, columns=columns)


def _like(dataset: Dataset | MapStyle, classifier: Classifier) -> Dataset:
    """A further data set as one of ours; a part of another one need not know the names of its classes."""
    if isinstance(dataset, Dataset):
        return dataset
    return FromDataset(dataset, classifier.spec, classes=getattr(dataset, "classes", classifier.classes))


def _name_of(dataset: object) -> str:
    return str(getattr(dataset, "name", type(dataset).__name__))


def _opened(
    net: nn.Module,
    dataset: Dataset | MapStyle,
    mean: Sequence[float] | float | None,
    std: Sequence[float] | float | None,
) -> tuple[Classifier, Dataset]:
    """The net as a classifier, and the images as a data set of ours."""
    if (mean is None) != (std is None):
        raise InputError("expected mean and std together, or neither of them")
    if not isinstance(net, Classifier):
        dataset, spec = _as_dataset(dataset, mean, std)
        device = next((one.device for one in net.parameters()), torch.device("cpu"))
        net = Classifier(net, spec, dataset.classes).to(device)
    elif mean is not None:
        raise InputError("a Classifier normalises its images itself; leave out mean and std")
    return net, dataset if isinstance(dataset, Dataset) else FromDataset(dataset, net.spec)


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

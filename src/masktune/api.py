"""The public functions that compute: a net and images in, a report out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import nn

from masktune.data.base import Dataset
from masktune.data.image_files import ImageFiles
from masktune.data.map_style import FromDataset, MapStyle, shape_of_first
from masktune.errors import InputError
from masktune.evaluation import Predictions, Rate, group_accuracy
from masktune.findings.finding import Finding
from masktune.findings.scan import Extras, scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned
from masktune.models.classifier import Classifier
from masktune.models.specs import describe
from masktune.models.weights import weights_sha256
from masktune.report.scan import write_scan
from masktune.report.scan_summary import summary_of_scan
from masktune.report.statement import statement
from masktune.report.told import Told
from masktune.report.trial import write_trial
from masktune.report.trial_summary import arms_in_a_table, summary_of_trial
from masktune.runs import DataRecord, RunRecord
from masktune.runs.results import write_results
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
from masktune.trial.apart import columns_of
from masktune.trial.hold_out import roles_of
from masktune.trial.licences import licences_of
from masktune.trial.run import COMMAND, rows_of, write_tuned
from masktune.trial.saving import save_arms, save_splits
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
    name: str | None = None,
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
        name: what the report calls the images; the data set's own name, or its type's, if not given.
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
            name or _name_of(dataset),
            classifier,
            known,
            settings,
            muted=mute,
            extras=extras,
            progress=progress,
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
    roles: tuple[tuple[str, str], ...]
    """Id and role of each image: train, held back, validation, test, calibration, unused."""
    record: RunRecord
    """When, with which libraries and settings, and on what it was run."""

    def __repr__(self) -> str:
        judged = sum(role == "validation" for _, role in self.roles)
        said = f"{self.verdict.word!r}, why={self.verdict.why!r}"
        return f"TuneResult(verdict={said}, arms={tuple(self.arms)}, judged={judged})"

    def summary(self) -> str:
        """The verdict, what to do, the numbers of before and after, what got worse; a table of the arms."""
        trialled = self.outcome.trialled
        return "\n\n".join([*summary_of_trial(trialled), arms_in_a_table(trialled)])

    def statement(self) -> str:
        """The paragraph for a paper or a file note that says how the trial can be repeated."""
        return statement(self.outcome.trialled, self.record)

    @property
    def verdict(self) -> Verdict:
        """`word` is helped, no_evidence or harmful; `reason` says why."""
        return self.outcome.trialled.verdict

    @property
    def arms(self) -> Mapping[str, TrialArm]:
        """Numbers of each arm, by name; `measures["validation"]` are those of the judged images."""
        return {arm.name: arm for arm in self.outcome.trialled.arms}

    @property
    def by_class(self) -> Mapping[str, Mapping[str, Rate]]:
        """By arm and name of the class, what is right of its judged images, with n and interval."""
        said = {arm: found["validation"] for arm, found in self.outcome.trialled.predictions.items()}
        names = np.array(self.outcome.trialled.classes)
        return {arm: group_accuracy(replace(one, groups=names[one.labels])) for arm, one in said.items()}

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
        """Write what `masktune tune` leaves but `run.json`, which records a command; give the page's path.

        That is report, model card, tables, each arm's weights and predictions and, unless harmful, the tuned
        weights.

        Args:
            path: the folder.
            images: whether pictures are in the report.
            pseudonymous: leave names of files and what they say out of what is meant to be passed on.
        """
        folder, trialled = Path(path), self.outcome.trialled
        save_splits(folder, self.roles)
        save_arms(folder, self.outcome)
        write_tuned(folder, None, trialled, self.outcome.classifiers.get("masktune"))
        write_trial(folder, trialled, Told(images=images, pseudonymous=pseudonymous))
        rows = rows_of(trialled)
        write_results(folder / "results.json", command=COMMAND, data=self.record.data, rows=rows)
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
    name: str | None = None,
    settings: TrialSettings | None = None,
    seed: int = 0,
    data_license: str | None = None,
    weights_license: str | None = None,
    progress: Progress = silent,
) -> TuneResult:
    """Does MaskTune help this net on these images? A controlled trial; the net is left as it was.

    Args:
        net: a `Classifier`, or any net whose logits stand for the data's classes; as for `scan`.
        dataset: images to tune on. Without `validation` a part of them is judged on: their split validation,
            or what is drawn from images that the net has not seen.
        validation: images to judge on, which the net has never seen, and none of which is in `dataset`.
        test: still others, whose numbers stand beside the verdict.
        trained_on: what the net has seen of `dataset`: "none", "all", "unknown", or a file that names
            images. If not given: split train where there are splits, all of `dataset` where `validation` is
            given, else unknown, which allows no verdict.
        mean: per channel, or one number for all, for a bare net.
        std: likewise.
        name: what the report calls the images; the data set's own name, or its type's, if not given.
        settings: arms, rates, what is hidden; their seed gives way to `seed`.
        seed: of all that is drawn.
        data_license: licence of the images, for the card.
        weights_license: licence of the weights; of a net of timm what timm says of its own if not given.
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
    licences = licences_of(data_license, weights_license, classifier.net)
    title = {"data": name} if name else {}
    given = replace(given, about={**title, "input": describe(classifier.spec)}, licences=licences)
    here = Processes(device=classifier.get_buffer("mean").device)
    check_start(given, wanted, here=here)
    record = RunRecord.now(
        command=COMMAND,
        argv=(),
        settings=wanted.to_record(),
        data=[DataRecord(given.name, None, given.sha256)],
        weights_sha256=weights_sha256(classifier),
        threads=torch.get_num_threads(),
        device=str(here.device),
    )
    outcome = run_trial(given, wanted, here=here, progress=progress)
    return TuneResult(outcome, net, tuple(roles_of(given, wanted)), record)


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
        if settings.validation_share is not None:
            raise InputError(
                "expected no validation_share with validation, which is judged on, got "
                f"{settings.validation_share}; leave one of the two out"
            )
        judged = _like(validation, classifier)
        tested = None if test is None else _like(test, classifier)
        return given_parts(name, classifier, dataset, judged, tested, trained_on=settings.trained_on)
    if test is not None:
        raise InputError("expected validation with test, since a verdict is not reached on test images")
    samples = dataset.samples if isinstance(dataset, ImageFiles) else None
    listed = Listed.of_dataset(dataset) if samples is None else Listed.of_samples(samples)
    return given_of(name, classifier, dataset, listed, settings, columns=columns_of(dataset))


def _like(dataset: Dataset | MapStyle, classifier: Classifier) -> Dataset:
    """A further data set as one of ours; a part of another one need not know the names of its classes."""
    if isinstance(dataset, Dataset):
        return dataset
    return FromDataset(dataset, classifier.spec, classes=_classes_of(dataset) or classifier.classes)


def _name_of(dataset: Dataset | MapStyle) -> str:
    whole = _whole_of(dataset)
    return str(getattr(whole, "name", type(whole).__name__))


def _classes_of(dataset: MapStyle) -> Sequence[str] | None:
    """Their names, where the data set or the one that it is a part of has them."""
    found: Sequence[str] | None = getattr(_whole_of(dataset), "classes", None)
    return found


def _whole_of(dataset: Any) -> Any:
    """What a part that torch made is of (`random_split`); anything else as it is."""
    while isinstance(dataset, torch.utils.data.Subset):
        dataset = dataset.dataset
    return dataset


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
    if isinstance(dataset, Dataset):
        return net, dataset
    return net, FromDataset(dataset, net.spec, classes=_classes_of(dataset))


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
    return FromDataset(dataset, spec, classes=_classes_of(dataset)), spec


def _per_channel(given: Sequence[float] | float | None, default: float) -> tuple[float, ...]:
    """As an InputSpec has it; one number stands for all channels."""
    if given is None:
        return (default,)
    return (float(given),) if isinstance(given, (int, float)) else tuple(given)

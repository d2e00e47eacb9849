"""What a trial is made of: a classifier, images to tune on, images to judge on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Shaped

from masktune.data.base import Dataset, Subset
from masktune.data.names import SPLITS, first_three, in_order_of_splits
from masktune.errors import InputError
from masktune.findings.review_answers import Groups
from masktune.models.classifier import Classifier
from masktune.trial.apart import check_apart, columns_of
from masktune.trial.division import divide
from masktune.trial.seen import Listed, seen_images
from masktune.trial.settings import TrialSettings


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Given:
    """A classifier and its images, each with its role."""

    name: str
    """Of the data set."""
    classifier: Classifier
    """To start from; it is not changed."""
    train: Dataset
    """Images to tune on; a part of them is held back."""
    validation: Dataset
    """Images to judge on; no weights were fitted to them."""
    test: Dataset | None = None
    """Further images, whose numbers stand beside the verdict."""
    calibration: Dataset | None = None
    """Images that nothing reads but the finished classifiers: `select` finds its thresholds on them."""
    columns: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)
    """What else is known of the judged images."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """What each image is for, by id and in the data's order; empty where data sets came apart."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Images by role and class."""
    seen: str = ""
    """What the weights were trained on, in a sentence."""
    cap: str | None = None
    """Why no verdict can be reached, whatever the numbers."""
    notes: tuple[str, ...] = ()
    """What a person should know."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Model, weights, input: in words."""
    reviewed: Groups | None = None
    """What a person has labelled; neither the arms nor the verdict see it."""
    sha256: str = ""
    """Of all that the data are; empty where it is not known."""
    licences: tuple[str, ...] = ()
    """What is known of them."""


def given_of(
    name: str,
    classifier: Classifier,
    data: Dataset,
    listed: Listed,
    settings: TrialSettings,
    *,
    columns: Mapping[str, Shaped[np.ndarray, " n"]] | None = None,
    notes: tuple[str, ...] = (),
    about: Mapping[str, str] | None = None,
    sha256: str = "",
    fresh: bool = True,
) -> Given:
    """Give each image its role, by its split, by what the weights have seen, and by seed.

    `fresh` says that a classifier which is trained first has not been trained on these classes before.

    Raises:
        InputError: nothing to tune on or to judge on is left, a classifier of other classes, or an operating
            point for more than two.
    """
    if classifier.classes != data.classes:
        raise InputError(
            f"expected a classifier of the data's classes ({first_three(data.classes)}) to tune, got one of "
            f"{first_three(classifier.classes)}; --epochs 5 gives it a fresh head and trains it first"
        )
    check_operating_point(classifier, settings)
    seen = seen_images(settings.trained_on, listed, own_training=fresh and settings.epochs > 0)
    division = divide(
        listed,
        seen,
        calibration_share=settings.calibration_share,
        validation_share=settings.validation_share,
        seed=settings.seed,
    )
    test, calibration = (_part(data, division.roles, role) for role in ("test", "calibration"))
    return Given(
        name=name,
        classifier=classifier,
        train=_part(data, division.roles, "train"),
        validation=_part(data, division.roles, "validation"),
        test=test if len(test) else None,
        calibration=calibration if len(calibration) else None,
        columns={key: values[division.roles == "validation"] for key, values in (columns or {}).items()},
        roles=dict(zip(data.ids.tolist(), division.roles.tolist(), strict=True)),
        counts=_counts(data, division.roles),
        seen=seen.told,
        cap=division.cap,
        notes=(*notes, *seen.notes, *division.notes),
        about=about or {},
        sha256=sha256,
    )


def given_parts(
    name: str,
    classifier: Classifier,
    train: Dataset,
    validation: Dataset,
    test: Dataset | None = None,
    *,
    trained_on: str | None = None,
) -> Given:
    """Of data sets that have their roles already.

    Images of subjects that are in `train` too are left out of the others.

    Raises:
        InputError: classes differ, an image is in two of them, or there are too few images to judge on.
    """
    if trained_on not in (None, "none", "unknown"):
        raise InputError(
            f"expected trained_on none or unknown where validation is given apart, got {trained_on!r}; "
            "images that the net has seen are no validation"
        )
    parts = [part for part in (train, validation, test) if part is not None]
    if any(part.classes != classifier.classes for part in parts):
        raise InputError(
            f"expected data sets of the classifier's classes ({', '.join(classifier.classes)}), got "
            f"{' / '.join(', '.join(part.classes) for part in parts)}"
        )
    check_apart(dict(zip(("dataset", "validation", "test"), parts, strict=False)))
    listed = _listed(parts)
    seen = seen_images(trained_on, listed, own_training=False)
    division = divide(listed, seen, seed=0)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    left = [_part(*of) for of in zip(parts, np.split(division.roles, ends), SPLITS, strict=False)]
    return Given(
        name=name,
        classifier=classifier,
        train=left[0],
        validation=left[1],
        test=left[2] if left[2:] and len(left[2]) else None,
        columns=columns_of(left[1]),
        counts=_counts(listed, division.roles),
        seen=_APART if trained_on is None else seen.told,
        cap=division.cap,
        notes=division.notes,
    )


_APART = "the weights are assumed to have seen the images to tune on, and none of those to judge on"


def check_operating_point(classifier: Classifier, settings: TrialSettings) -> None:
    """Say before anything is trained that only two classes have one.

    Raises:
        InputError: they are more.
    """
    if settings.operating_point is not None and len(classifier.classes) != 2:
        raise InputError(
            f"expected two classes for --operating-point {settings.operating_point}, got "
            f"{len(classifier.classes)}; leave it out"
        )


def _listed(parts: Sequence[Dataset]) -> Listed:
    """Training, judged and perhaps test images as one listing; ids of several data sets may be alike."""
    sizes = [len(part) for part in parts]
    subjects = [part.subjects for part in parts if part.subjects is not None]
    return Listed(
        ids=np.array([str(at) for at in range(sum(sizes))]),
        labels=np.concatenate([part.labels for part in parts]),
        classes=parts[0].classes,
        subjects=np.concatenate(subjects) if len(subjects) == len(parts) else None,
        splits=np.repeat(SPLITS[: len(parts)], sizes),
    )


def _part(data: Dataset, roles: Shaped[np.ndarray, " n"], role: str) -> Subset:
    return Subset(data, torch.from_numpy(np.flatnonzero(roles == role)))


def _counts(data: Dataset | Listed, roles: Shaped[np.ndarray, " n"]) -> dict[str, dict[str, int]]:
    names = in_order_of_splits(np.unique(roles).tolist())
    return {
        role: {
            name: int(((data.labels == label) & (roles == role)).sum())
            for label, name in enumerate(data.classes)
        }
        for role in names
    }

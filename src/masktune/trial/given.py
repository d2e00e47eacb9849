"""What a trial is made of: a classifier, images to tune on, images to judge on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Shaped

from masktune.data.base import Dataset, Subset
from masktune.data.names import in_order_of_splits
from masktune.errors import InputError
from masktune.models.classifier import Classifier
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
    columns: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)
    """What else is known of the judged images."""
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
) -> Given:
    """Give each image its role, by its split, by what the weights have seen, and by seed.

    Raises:
        InputError: nothing to tune on or to judge on is left, or a classifier of other classes.
    """
    if classifier.classes != data.classes:
        raise InputError(
            f"expected a classifier of the data's classes to tune, got one of {len(classifier.classes)} "
            f"classes for images of {len(data.classes)}; --epochs 5 gives it a fresh head and trains it first"
        )
    seen = seen_images(settings.trained_on, listed, own_training=settings.epochs > 0)
    division = divide(listed, seen, calibration_share=settings.calibration_share, seed=settings.seed)
    test = _part(data, division.roles, "test")
    return Given(
        name=name,
        classifier=classifier,
        train=_part(data, division.roles, "train"),
        validation=_part(data, division.roles, "validation"),
        test=test if len(test) else None,
        columns={key: values[division.roles == "validation"] for key, values in (columns or {}).items()},
        counts=_counts(data, division.roles),
        seen=seen.told,
        cap=division.cap,
        notes=(*notes, *division.notes),
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

    Raises:
        InputError: classes differ, or there are too few images to judge on.
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
    roles = np.repeat(("train", "validation", "test")[: len(parts)], [len(part) for part in parts])
    listed = Listed(
        ids=np.array([str(at) for at in range(len(roles))]),
        labels=np.concatenate([part.labels for part in parts]),
        classes=classifier.classes,
        splits=roles,
    )
    seen = seen_images(trained_on, listed, own_training=False)
    division = divide(listed, seen, seed=0)
    return Given(
        name=name,
        classifier=classifier,
        train=train,
        validation=validation,
        test=test,
        counts=_counts(listed, division.roles),
        seen=seen.told,
        cap=division.cap,
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

"""The images that a report shows, each with its map; and all of a scan together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float16

from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.review import Review
from masktune.findings.review_answers import Groups
from masktune.masking import MeanPlusStd, Threshold


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shown:
    """One image of the gallery."""

    id: str
    label: str
    """Name of its true class."""
    predicted: str
    """Name of the class that the classifier gives."""
    after: str
    """The same with the salient area hidden."""
    confidence: float
    """Probability of the predicted class, 0 to 1."""
    split: str | None
    low: Float16[np.ndarray, "h w"]
    """Saliency map of the predicted class in [0, 1], at layer size."""
    jpeg: bytes
    """What the net sees, as a JPEG at the net's input size or smaller."""
    findings: tuple[str, ...] = ()
    """Codes of the findings that name it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scanned:
    """What came out of a scan."""

    name: str
    """Of the data set."""
    findings: tuple[Finding, ...]
    """Problems first, then hints, passed, not applicable; within that by code."""
    observed: Observed
    shown: tuple[Shown, ...]
    """At most 200 images, for the gallery."""
    settings: Mapping[str, Any]
    """What the numbers depend on, plain values by name."""
    threshold: Threshold | None = MeanPlusStd()  # noqa: RUF009 - it is frozen.
    """From a map to the salient area; None where a scan comes from disk and it is none of ours."""
    sha256: str = ""
    """Of all that the data are; empty where it is not known."""
    review: Review | None = None
    """What a person may label."""
    groups: Groups | None = None
    """What a person has labelled."""
    muted: tuple[str, ...] = ()
    """Codes that were not asked."""

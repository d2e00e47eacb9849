"""The scan: observe, try the places that stand out, ask all questions. Nothing is trained."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped

from masktune.data.base import Dataset
from masktune.data.file_facts import all_facts
from masktune.data.image_files import ImageFiles
from masktune.errors import InputError, near
from masktune.evaluation import Predictions
from masktune.findings.finding import Finding
from masktune.findings.observe import Observer, observe_images
from masktune.findings.observed import Observed
from masktune.findings.parts import Part
from masktune.findings.questions import QUESTIONS
from masktune.findings.review import draw_review
from masktune.findings.review_answers import Groups
from masktune.findings.settings import ScanSettings
from masktune.findings.showing import shown_images
from masktune.findings.shown import Scanned
from masktune.findings.spots import find_spots
from masktune.findings.transplants import transplanted
from masktune.models.classifier import Classifier
from masktune.training.devices import ALONE, Processes
from masktune.types import Progress, Step, silent

_RANK = {"problem": 0, "hint": 1, "passed": 2, "not_applicable": 3}

Words = Shaped[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Extras:
    """What is known beside images and labels."""

    notes: tuple[str, ...] = ()
    """What was noticed while images and model were opened."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Model, weights, input: in words."""
    digests: Words | None = None
    """sha256 of each file."""
    sha256: str = ""
    """Of all that the data are; empty where it is not known."""
    groups: Groups | None = None
    """What a person has labelled."""


def scan_images(
    name: str,
    classifier: Classifier,
    dataset: Dataset,
    settings: ScanSettings,
    *,
    muted: Collection[str] = (),
    extras: Extras | None = None,
    here: Processes = ALONE,
    progress: Progress = silent,
    folder: Path | None = None,
) -> Scanned:
    """Observe a classifier on a data set and ask all questions that are not muted.

    With the `folder` of a run, what was observed is kept there as it goes, and found there when the run goes
    on; it belongs to these settings, images and weights, and is not removed.

    Raises:
        InputError: a code that does not exist, or data that nothing can be said of.
        DataDamaged: what was kept in `folder` cannot be read.
    """
    check_muted(muted)
    check_enough(dataset)
    extras = extras or Extras()
    observer = Observer(classifier, settings, classifier.get_buffer("mean").device)
    seen = observe_images(observer, dataset, here, progress, folder)
    observed = _observed(observer, dataset, extras, seen, progress)
    spots = find_spots(observed.predictions.predicted, observed.where, observed.tiny)
    tried = transplanted(observer, dataset, spots, observed.predictions.predicted, observed.units, progress)
    observed = replace(observed, transplants=tuple(tried))
    findings = ask_all(observed, muted, progress)
    review = None
    if settings.review:
        review = draw_review(observed, findings, count=settings.review, seed=settings.seed)
    shown = shown_images(dataset, observed, findings, settings, () if review is None else review.ids)
    return Scanned(
        name=name,
        findings=findings,
        observed=observed,
        shown=shown,
        settings=settings.to_record(),
        threshold=settings.threshold,
        sha256=extras.sha256,
        review=review,
        groups=extras.groups,
        muted=tuple(sorted(muted)),
    )


def ask_all(
    observed: Observed, muted: Collection[str] = (), progress: Progress = silent
) -> tuple[Finding, ...]:
    """All findings: problems first, then hints, passed, not applicable; within that by code."""
    found: list[Finding] = []
    asked = [question for question in QUESTIONS if question.code not in muted]
    for done, question in enumerate(asked):
        progress(Step("asking", done, len(asked), question.code))
        found += question.ask(observed)
    progress(Step("asking", len(asked), len(asked)))
    return tuple(sorted(found, key=lambda finding: (_RANK[finding.verdict], finding.code)))


def check_muted(muted: Collection[str]) -> None:
    """Refuse a code that no question has."""
    codes = [question.code for question in QUESTIONS]
    for code in muted:
        if code not in codes:
            raise InputError(
                f"no finding has the code {code!r}{near(code, codes)}; there are {codes[0]} to {codes[-1]}"
            )


def check_enough(dataset: Dataset) -> None:
    """Refuse what nothing can be said of: too few images, or one class."""
    present = np.unique(dataset.labels)
    if len(dataset) < 2 * len(dataset.classes) or len(dataset) < LEAST:
        raise InputError(f"expected at least {LEAST} images, two a class, got {len(dataset)}; add images")
    if len(present) < 2:
        only = dataset.classes[int(present[0])]
        raise InputError(f"expected images of at least two classes, got {len(dataset)} of {only!r} alone")


LEAST = 10
"""Images below which no number has an interval worth showing."""


def _observed(
    observer: Observer, dataset: Dataset, extras: Extras, seen: Part, progress: Progress
) -> Observed:
    samples = dataset.samples if isinstance(dataset, ImageFiles) else None
    facts = {} if samples is None else all_facts(samples, progress=progress)
    classifier = observer.classifier
    same = classifier.classes == dataset.classes
    return Observed(
        predictions=Predictions(
            logits=seen.logits,
            labels=dataset.labels if same else seen.logits.argmax(1),
            ids=dataset.ids,
            classes=classifier.classes,
            groups=dataset.groups,
            subjects=dataset.subjects,
            splits=None if samples is None else samples.splits,
        ),
        data_classes=dataset.classes,
        same_classes=same,
        data_labels=None if same else dataset.labels,
        hidden_logits=seen.hidden_logits,
        properties=seen.properties,
        facts=facts,
        columns={} if samples is None else samples.columns,
        digests=extras.digests,
        notes=extras.notes,
        about=_about(observer, seen, extras),
        low=seen.low,
        empty=seen.empty,
        hidden=seen.hidden,
        where=seen.where,
        tiny=seen.tiny,
        seen=seen.seen,
    )


def _about(observer: Observer, seen: Part, extras: Extras) -> dict[str, str]:
    """What the maps were made with."""
    return {
        **extras.about,
        "maps": f"{seen.formula} at {seen.layer}",
        "salient area": repr(observer.settings.threshold),
        "torch": torch.__version__,
    }

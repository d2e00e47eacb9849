"""The scan: observe, try the places that stand out, ask all questions. Nothing is trained."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Shaped

from masktune.data.base import Dataset
from masktune.data.file_facts import all_facts
from masktune.data.image_files import ImageFiles
from masktune.errors import InputError, near
from masktune.evaluation import Predictions
from masktune.findings.finding import Finding
from masktune.findings.observe import Observer, Part, joined, joined_by_name, observe_images
from masktune.findings.observed import Observed
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
) -> Scanned:
    """Observe a classifier on a data set and ask all questions that are not muted.

    Raises:
        InputError: a code that does not exist, or data that nothing can be said of.
    """
    check_muted(muted)
    check_enough(dataset)
    extras = extras or Extras()
    observer = Observer(classifier, settings, classifier.get_buffer("mean").device)
    observed = _observed(observer, dataset, extras, here, progress)
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
    observer: Observer, dataset: Dataset, extras: Extras, here: Processes, progress: Progress
) -> Observed:
    samples = dataset.samples if isinstance(dataset, ImageFiles) else None
    facts = {} if samples is None else all_facts(samples, progress=progress)
    parts = observe_images(observer, dataset, here, progress)
    classifier = observer.classifier
    same = classifier.classes == dataset.classes
    logits = joined(parts, "logits")
    return Observed(
        predictions=Predictions(
            logits=logits,
            labels=dataset.labels if same else logits.argmax(1),
            ids=dataset.ids,
            classes=classifier.classes,
            groups=dataset.groups,
            subjects=dataset.subjects,
            splits=None if samples is None else samples.splits,
        ),
        data_classes=dataset.classes,
        same_classes=same,
        data_labels=None if same else dataset.labels,
        hidden_logits=joined_by_name(parts, "hidden_logits"),  # type: ignore[arg-type] # Names are areas.
        properties=joined_by_name(parts, "properties"),
        facts=facts,
        columns={} if samples is None else samples.columns,
        digests=extras.digests,
        notes=extras.notes,
        about=_about(observer, parts, extras),
        low=joined(parts, "low"),
        empty=joined(parts, "empty"),
        hidden=joined(parts, "hidden"),
        where=joined(parts, "where"),
        tiny=joined(parts, "tiny"),
        seen=joined(parts, "seen"),
    )


def _about(observer: Observer, parts: Sequence[Part], extras: Extras) -> dict[str, str]:
    """What the maps were made with."""
    return {
        **extras.about,
        "maps": f"{parts[0].formula} at {parts[0].layer}",
        "salient area": repr(observer.settings.threshold),
        "torch": torch.__version__,
    }

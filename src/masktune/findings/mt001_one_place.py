"""MT001: does the classifier look at the same place of every image of a class?"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64

from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import SAMPLES, Observed
from masktune.findings.spots import place_of

LEAST = 10
"""Images that must be given a class before its mean map says anything."""
FIXED = 0.5
"""Two masks of a class that share half of their area on average lie at one place."""

_ADVICE = (
    "Look at its images in the gallery with the mask on: if the object does not lie there, mask that place "
    "(`masktune mask`, or MaskTune itself) or crop it away. MT002 tells whether the place alone decides."
)


def ask(observed: Observed) -> list[Finding]:
    """One finding for each class that looks at one place off the centre, or one for all that do not."""
    said = observed.predictions.predicted
    classes = observed.net_classes
    shown = observed.hidden > 0
    labels = [label for label in range(len(classes)) if ((said == label) & shown).sum() >= LEAST]
    if not labels:
        reason = f"no class is given to {LEAST} images or more that have a map"
        return [QUESTION.finding("not_applicable", reason)]
    found = list(_fixed(observed, labels, shown))
    if found:
        return found
    evidence = [_overlap(observed, (said == label) & shown, classes[label]) for label in labels[:10]]
    reason = "what it looks at lies elsewhere from image to image, or in the middle, where objects are"
    return [QUESTION.finding("passed", reason, evidence=tuple(evidence))]


def mean_map(observed: Observed, chosen: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, "16 16"]:
    """How often each cell is hidden, 0 to 1."""
    return np.asarray(observed.where[chosen].mean(0) / 255)


def _fixed(observed: Observed, labels: list[int], shown: Bool[np.ndarray, " n"]) -> Iterator[Finding]:
    for label in labels:
        chosen = (observed.predictions.predicted == label) & shown
        name = observed.net_classes[label]
        overlap = _overlap(observed, chosen, name)
        place = _place(mean_map(observed, chosen))
        if overlap.low is not None and overlap.low >= FIXED and place != "centre":
            ids = observed.ids[chosen][np.argsort(-_shares(observed, chosen), kind="stable")]
            yield QUESTION.finding(
                "hint",
                f"in images called {name!r} it looks at one place, the {place}, whatever the image",
                evidence=(overlap,),
                advice=_ADVICE,
                about={"class": name, "place": place},
                samples=tuple(ids[:SAMPLES].tolist()),
            )


def _overlap(observed: Observed, chosen: Bool[np.ndarray, " n"], name: str) -> Evidence:
    """Share of an image's mask that lies in another image's mask of the same class, on average."""
    said = f"share of a mask that other images of {name!r} hide too"
    return Evidence.mean(said, _shares(observed, chosen), observed.subjects_of(chosen))


def _shares(observed: Observed, chosen: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, " m"]:
    """For each image the mean over the others, of how much of its mask theirs hide."""
    masks = observed.where[chosen].astype(np.float64).reshape(int(chosen.sum()), -1) / 255
    others = (masks.sum(0) - masks) / max(len(masks) - 1, 1)
    return np.asarray((masks * others).sum(1) / np.maximum(masks.sum(1), 1e-9))


def _place(grid: Float64[np.ndarray, "16 16"]) -> str:
    """The place of the centre of mass of what is hidden at least half as often as the peak."""
    weights = np.where(grid >= grid.max() / 2, grid, 0)
    middles = (np.arange(len(grid)) + 0.5) / len(grid)
    down = float((weights.sum(1) * middles).sum() / weights.sum())
    across = float((weights.sum(0) * middles).sum() / weights.sum())
    return place_of((down, across, down, across))


QUESTION = Question("MT001", "Does it look at the same place of every image of a class?", ask)

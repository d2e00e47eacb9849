"""Whether the images of one class are far more alike than those of the others."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from masktune.evaluation import Rate
from masktune.evaluation.resampling import REPEATS, percentiles
from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import Observed
from masktune.findings.probing import cells, rate

MOST = 300
"""Images of a class that are compared, one a subject, as many of each class."""

LEAST = 20
"""Images (of different subjects) below which a class is left out."""

UNLIKE, FAR = 0.6, 0.35
"""Ratios below which a class gets a hint, and a problem where it is also classified nearly without error.

MNIST's ones reach 0.6 to 0.7 of the other digits, cats and dogs 0.94, made shapes 0.92 and more.
"""

NEARLY_ALL = 0.98
"""Accuracy of the class from which its sameness may be what makes it easy."""


def ask(observed: Observed) -> list[Finding]:
    """Compare the mean distance of two tiny pictures of a class with that of the other classes."""
    drawn = _draw(observed, np.random.default_rng(0))
    if len(drawn) < 2:
        reason = f"fewer than two classes have {LEAST} images (of different subjects) or more"
        return [QUESTION.finding("not_applicable", reason)]
    random = np.random.default_rng(1)
    spreads = {int(observed.labels[rows[0]]): spread(observed.tiny[rows], random) for rows in drawn}
    label = min(spreads, key=lambda each: spreads[each][0])
    others = np.median([values for each, values in spreads.items() if each != label], axis=0)
    return [_judge(observed, label, len(drawn[0]), spreads[label] / others)]


def _draw(observed: Observed, random: np.random.Generator) -> Sequence[Int64[np.ndarray, " m"]]:
    """As many rows of each class that has enough, no subject twice within a class."""
    order = random.permutation(len(observed))
    rows = []
    for label in np.unique(observed.labels):
        own = order[observed.labels[order] == label]
        single = own[np.unique(observed.units[own], return_index=True)[1]]
        rows.append(random.permutation(single))
    enough = [each for each in rows if len(each) >= LEAST]
    least = min((len(each) for each in enough), default=0)
    return [each[: min(least, MOST)] for each in enough]


def spread(tiny: UInt8[np.ndarray, "m h w c"], random: np.random.Generator) -> Float64[np.ndarray, " q"]:
    """Mean distance of two different pictures: of all m first, then of each of 2,000 draws with replacement.

    The distance is the root mean square difference of cells of 2 x 2, 0 to 255. A picture is not paired with
    itself, also where a draw holds it twice.
    """
    count = len(tiny)
    flat = cells(tiny, (2, 2))
    squares = (flat**2).mean(axis=1)
    product = flat @ flat.T / flat.shape[1]
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * product, 0))
    np.fill_diagonal(apart, 0)
    drawn = random.multinomial(count, np.full(count, 1 / count), REPEATS)
    weights = np.concatenate([np.ones((1, count)), drawn])
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    # A floor far below one grey level: classes of equal pictures throughout are then equally diverse.
    return np.asarray(((weights @ apart) * weights).sum(axis=1) / np.maximum(pairs, 1) + 1e-3)


def _judge(observed: Observed, label: int, m: int, ratios: Float64[np.ndarray, " q"]) -> Finding:
    low, high = percentiles(ratios[1:])
    name = observed.data_classes[label]
    ratio = Rate(float(ratios[0]), m, low, high)
    evidence = [Evidence.of(f"diversity of {name} over that of the other classes (images a class)", ratio)]
    if high >= UNLIKE:
        reason = "no class is clearly less diverse than the others"
        return QUESTION.finding("passed", reason, evidence=tuple(evidence))
    verdict: Verdict = "hint"
    if observed.same_classes:
        own = observed.labels == label
        right = rate(observed.predictions.correct[own], observed.units[own])
        evidence.append(Evidence.of(f"accuracy on {name}", right))
        verdict = "problem" if high < FAR and (right.value or 0.0) >= NEARLY_ALL else "hint"
    return QUESTION.finding(
        verdict,
        f"two images of {name} are {ratios[0]:.0%} as different as two of another class",
        evidence=tuple(evidence),
        advice=f"Collect images of {name} from more places, times and devices. Masking cannot mend it: what "
        "was never pictured no mask can add.",
        about={"class": name},
    )


QUESTION = Question(code="MT012", title="Is one class far less diverse than the others?", ask=ask)

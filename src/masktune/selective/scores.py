"""How sure one or two classifiers are of an image: one number each, larger is surer.

All is computed from logits in float64 and log space, so that sure images stay apart: of ten thousand with a
probability that rounds to 1, each has its own score (`docs/select.md`). Equal scores share one fate whatever
the order of the images; the label is the likeliest class, of several the one with the lowest index.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.errors import InputError, near
from masktune.evaluation import Predictions
from masktune.evaluation.predictions import match
from masktune.selective.log_space import at, log_odds, log_others, log_softmax

Logs = Float64[np.ndarray, "n k"]
"""Log-probabilities."""

REJECTED = -np.inf
"""The score of an image that no threshold accepts."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What one or two classifiers say of n images, and how sure they are."""

    labels: Int64[np.ndarray, " n"]
    """The class that would be answered."""
    scores: Float64[np.ndarray, " n"]
    """Larger is surer; `REJECTED` where no threshold accepts."""
    agree: Bool[np.ndarray, " n"] | None = None
    """Where both classifiers say the same; None of one alone."""

    def select(self, chosen: Bool[np.ndarray, " n"]) -> "Scored":
        """Only the images where `chosen` is true."""
        agree = None if self.agree is None else self.agree[chosen]
        return Scored(self.labels[chosen], self.scores[chosen], agree)


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to score."""

    models: Literal[1, 2]
    """How many classifiers it reads."""
    means: str
    """What it is, for a table's legend."""
    shown: Callable[[np.ndarray], np.ndarray]
    """From the score to the number that people know it by."""
    needs_three: bool = False
    """Whether it says nothing about two classes."""


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -scores)))


def _same(scores: np.ndarray) -> np.ndarray:
    return scores


def _below_one(scores: np.ndarray) -> np.ndarray:
    return np.asarray(-np.expm1(-scores))


KINDS: Mapping[str, Kind] = {
    "sr": Kind(1, "softmax response: the largest probability", _sigmoid),
    "margin": Kind(1, "the largest probability minus the second", _below_one),
    "entropy": Kind(1, "the negative entropy of the probabilities", _same),
    "energy": Kind(1, "the log of the sum of the logits' exponentials", _same),
    "maxlogit": Kind(1, "the largest logit", _same),
    "maxlogit_pnorm": Kind(
        1,
        "the largest centred logit over the p-norm of all (Cattelan and Silva 2023)",
        _same,
        needs_three=True,
    ),
    "head": Kind(1, "the method's own head for abstaining", _same),
    "product": Kind(2, "the largest product of both probabilities", np.exp),
    "masktune_official": Kind(
        2, "the official code: softmax, once more, of the products of both probabilities", _same
    ),
    "poe": Kind(2, "product of experts: the products, scaled to sum to 1", _sigmoid),
    "mean": Kind(2, "the largest mean of both probabilities, as an ensemble's", _sigmoid),
    "agree_min": Kind(2, "where both agree, the smaller of their largest probabilities", _sigmoid),
    "agree_product": Kind(2, "where both agree, the product of their largest probabilities", np.exp),
    "mean+margin": Kind(2, "the margin of the mean of both probabilities", _below_one),
    "mean+entropy": Kind(2, "the negative entropy of the mean of both probabilities", _same),
    "poe+margin": Kind(2, "the margin of the product of experts", _below_one),
    "poe+entropy": Kind(2, "the negative entropy of the product of experts", _same),
}
"""All scores by name (`selective.md` section 2)."""


@final
@dataclass(frozen=True, slots=True)
class Score:
    """A choice among `KINDS`, with what it may be given.

    Raises:
        InputError: there is no such score, or a setting that it does not have.
    """

    name: str = "product"
    """One of `KINDS`."""
    on_disagree: Literal["reject", "rank_last"] = "reject"
    """Of agree_*: where the two disagree nothing is accepted; or such images come last, by `mean`."""
    p: float = 2.0
    """Of maxlogit_pnorm, above 0."""
    temperatures: tuple[float, float] = (1.0, 1.0)
    """What the logits of the first and the second classifier are divided by."""
    costs: tuple[float, float] | None = None
    """Of two classes: of saying the second where the first is true, and the reverse. The label is then the
    one that costs less, by the probabilities."""

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise InputError(
                f"unknown score {self.name!r}{near(self.name, KINDS)}; there are {', '.join(KINDS)}"
            )
        if self.on_disagree != "reject" and not self.name.startswith("agree"):
            raise InputError(f"{self.name} never rejects, so that on_disagree means nothing; leave it out")
        if not self.p > 0:
            raise InputError(f"expected a norm p above 0, got {self.p}")
        if not all(value > 0 for value in self.temperatures):
            raise InputError(f"expected temperatures above 0, got {self.temperatures}")
        if self.costs is not None and not all(cost > 0 for cost in self.costs):
            raise InputError(f"expected costs above 0, got {self.costs}")

    @property
    def kind(self) -> Kind:
        """What it is."""
        return KINDS[self.name]

    def of(self, first: Predictions, second: Predictions | None = None) -> Scored:
        """Score images; a score of one classifier reads the first.

        Args:
            first: what the first classifier says.
            second: what the second says of the same images, in any order.

        Raises:
            InputError: a score of two classifiers has one; other images; a score that says nothing about two
                classes; the method has no head.
        """
        if self.kind.needs_three and first.logits.shape[1] < 3:
            raise InputError(f"{self.name} is the same number for all images of two classes; take sr")
        if self.costs is not None and first.logits.shape[1] != 2:
            raise InputError(f"expected two classes for costs, got {first.logits.shape[1]}")
        if self.kind.models == 1:
            return self._of_one(first)
        if second is None:
            raise InputError(f"{self.name} needs the predictions of two classifiers, got one; take sr")
        return self._of_two(first, match(first, second))

    def _of_one(self, first: Predictions) -> Scored:
        if self.name == "head":
            if first.head is None:
                raise InputError("these predictions have no score of a head of their own; take sr")
            return Scored(first.predicted, first.head.astype(np.float64))
        z = first.logits.astype(np.float64) / self.temperatures[0] + self._tilt
        labels = np.asarray(z.argmax(axis=1))
        return Scored(labels, _ONE[self.name](z, labels, self))

    @property
    def _tilt(self) -> np.ndarray:
        """What costs add to log-probabilities: class 1 is said where p1 x cost_fn exceeds p0 x cost_fp."""
        if self.costs is None:
            return np.zeros(1)
        tilt = np.log(np.array(self.costs))
        return np.asarray(tilt - tilt.max())

    def _of_two(self, first: Predictions, second: Predictions) -> Scored:
        a = log_softmax(first.logits, self.temperatures[0])
        b = log_softmax(second.logits, self.temperatures[1])
        agree = np.asarray((a + self._tilt).argmax(axis=1) == (b + self._tilt).argmax(axis=1))
        if self.name.startswith("agree"):
            return self._of_agreeing(a, b, agree)
        combined, _, measure = self.name.partition("+")
        logs = _COMBINED[combined](a, b) + self._tilt
        labels = np.asarray(logs.argmax(axis=1))
        logs = log_softmax(logs) if measure and self.costs is not None else logs
        return Scored(labels, _TWO[measure or combined](logs, labels), agree)

    def _of_agreeing(self, a: Logs, b: Logs, agree: Bool[np.ndarray, " n"]) -> Scored:
        if self.costs is not None:
            a, b = log_softmax(a + self._tilt), log_softmax(b + self._tilt)
        labels = np.asarray(a.argmax(axis=1))
        least = -np.log(a.shape[1])
        if self.name == "agree_min":
            scores = np.minimum(log_odds(a, labels), log_odds(b, labels))
        else:
            scores, least = at(a, labels) + at(b, labels), 2 * least
        if self.on_disagree == "reject":
            return Scored(labels, np.where(agree, scores, REJECTED), agree)
        # All that agree score at least `least`, or nearly: log odds of 1/k are -log(k - 1).
        mean = _log_mean(a, b)
        likeliest = np.asarray(mean.argmax(axis=1))
        last = least - 1 + at(mean, likeliest)
        return Scored(np.where(agree, labels, likeliest), np.where(agree, scores, last), agree)


def _log_mean(a: Logs, b: Logs) -> Logs:
    return np.asarray(np.logaddexp(a, b) - np.log(2))


def _margin(logs: Logs, labels: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """-log(1 - margin), of normalised log-probabilities: it grows where the margin itself stays at 1."""
    second = np.partition(logs, -2, axis=1)[:, -2]
    return np.asarray(-np.minimum(np.logaddexp(log_others(logs, labels), second), 0.0))


def _entropy(logs: Logs, labels: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return np.asarray((np.exp(logs) * logs).sum(axis=1))


def _official(logs: Logs, labels: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The largest softmax of the products, from 1/k to e/(e + k - 1) (`base_method.py`)."""
    return np.asarray(np.exp(at(log_softmax(np.exp(logs)), labels)))


def _pnorm(z: Logs, labels: Int64[np.ndarray, " n"], score: Score) -> Float64[np.ndarray, " n"]:
    """Undefined, and so rejected, where all logits are equal."""
    centred = z - z.mean(axis=1, keepdims=True)
    largest = np.abs(centred).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        unit = centred / largest
    norm = (np.abs(unit) ** score.p).sum(axis=1) ** (1 / score.p)
    return np.where(largest[:, 0] > 0, at(unit, labels) / norm, REJECTED)


_ONE: Mapping[str, Callable[[Logs, Int64[np.ndarray, " n"], Score], Float64[np.ndarray, " n"]]] = {
    "sr": lambda z, labels, _: log_odds(z, labels),
    "margin": lambda z, labels, _: _margin(log_softmax(z), labels),
    "entropy": lambda z, labels, _: _entropy(log_softmax(z), labels),
    "energy": lambda z, labels, score: score.temperatures[0] * np.logaddexp.reduce(z, axis=1),
    "maxlogit": lambda z, labels, score: at(z, labels),
    "maxlogit_pnorm": _pnorm,
}

_COMBINED: Mapping[str, Callable[[Logs, Logs], Logs]] = {
    "product": np.add,
    "masktune_official": np.add,
    "poe": lambda a, b: log_softmax(a + b),
    "mean": _log_mean,
}
"""One vector of both classifiers."""

_TWO: Mapping[str, Callable[[Logs, Int64[np.ndarray, " n"]], Float64[np.ndarray, " n"]]] = {
    "product": at,
    "masktune_official": _official,
    "poe": log_odds,
    "mean": log_odds,
    "margin": _margin,
    "entropy": _entropy,
}
"""The score of that vector; all but the first two of one that sums to 1."""

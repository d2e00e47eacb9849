"""Accepting ever more images, surest first: how many, and how many of them wrong.

Images of equal score come together, since no threshold can part them: one step for each distinct score.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from masktune.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What each threshold accepts; g steps from the strictest to the one that accepts all n images.

    Rejected images (`scores.REJECTED`), if there are any, are the last step.
    """

    thresholds: Float64[np.ndarray, " g"]
    """The distinct scores, falling; an image is accepted where its score is at least that."""
    accepted: Float64[np.ndarray, " g"]
    """Images that are."""
    wrong: Float64[np.ndarray, " g"]
    """Of these, the wrong ones."""

    @property
    def n(self) -> float:
        """All images."""
        return float(self.accepted[-1])

    @property
    def coverage(self) -> Float64[np.ndarray, " g"]:
        """Share of all images that is accepted."""
        return np.asarray(self.accepted / self.n)

    @property
    def risk(self) -> Float64[np.ndarray, " g"]:
        """Selective risk: wrong images among the accepted."""
        return np.asarray(self.wrong / self.accepted)

    @property
    def joint(self) -> Float64[np.ndarray, " g"]:
        """Generalised risk: images that are accepted and wrong, among all."""
        return np.asarray(self.wrong / self.n)


def curve(scores: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Curve:
    """The curve of n images.

    Raises:
        InputError: no images, different numbers of them, or a score that is NaN or +infinity.
    """
    return Ranked.of(scores, wrong).curve(np.ones(len(scores)))


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Images in the order of their scores: sorted once, counted as often as one likes."""

    order: Int64[np.ndarray, " n"]
    """Positions, surest first; those of equal score in the order in which they came."""
    wrong: Bool[np.ndarray, " n"]
    """In that order."""
    starts: Int64[np.ndarray, " g"]
    """Where in `order` each distinct score begins."""
    thresholds: Float64[np.ndarray, " g"]
    """The distinct scores, falling."""

    @classmethod
    def of(cls, scores: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " m"]) -> "Ranked":
        """Sort images.

        Raises:
            InputError: as `curve`.
        """
        if not len(scores) or len(scores) != len(wrong):
            raise InputError(
                f"expected scores and answers of the same images, one at least, got {len(scores)} and "
                f"{len(wrong)}"
            )
        if np.isnan(scores).any() or np.isposinf(scores).any():
            raise InputError(
                "expected scores that are numbers (or -infinity: rejected), got NaN or +infinity"
            )
        order = np.argsort(-scores.astype(np.float64), kind="stable")
        falling = scores.astype(np.float64)[order]
        starts = np.flatnonzero(np.concatenate([[True], falling[1:] != falling[:-1]]))
        return cls(order, wrong[order], starts, falling[starts])

    def curve(self, times: Float64[np.ndarray, " n"]) -> Curve:
        """The curve where image i occurs `times[i]` times, 0 or more.

        Steps that nothing is left of stay, so that they accept no more than the step before; but the first
        step accepts something.
        """
        counts = times[self.order]
        errors = counts * self.wrong
        if len(self.starts) < len(self.order):
            counts, errors = np.add.reduceat(counts, self.starts), np.add.reduceat(errors, self.starts)
        first = int(np.argmax(counts > 0))
        return Curve(self.thresholds[first:], np.cumsum(counts[first:]), np.cumsum(errors[first:]))

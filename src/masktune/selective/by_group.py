"""What a threshold does to each group: does it answer less often, and wrongly more often, for some?

Overall risk says little of a small group (Jones et al. 2021): each group's is held against what the group
would have if the same numbers of right and wrong answers were accepted without regard to it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate, clopper_pearson, wilson

FEW = 30
"""Accepted images of a group below which its risk is hardly known."""


@dataclass(frozen=True, slots=True)
class GroupPart:
    """One group under one threshold."""

    group: str
    """Its name."""
    coverage: Rate
    """Share of its images that is accepted."""
    risk: Rate
    """Wrong among its accepted images, with the exact interval; undefined where none is accepted."""
    wrong_accepted: Rate
    """Of its wrong answers, those that are accepted."""
    right_rejected: Rate
    """Of its right answers, those that are rejected."""
    reference: float | None
    """The risk it would have if as many right and wrong answers were accepted without regard to groups."""
    agree: Rate | None = None
    """Where both classifiers say the same."""

    @property
    def gap(self) -> float | None:
        """Its risk above the reference; positive where the score is worse for this group than for all."""
        if self.risk.value is None or self.reference is None:
            return None
        return self.risk.value - self.reference

    @property
    def few(self) -> bool:
        """Whether so few images are accepted that the risk is hardly known."""
        return self.risk.n < FEW


def by_group(
    groups: Shaped[np.ndarray, " n"],
    accepted: Bool[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    agree: Bool[np.ndarray, " n"] | None = None,
) -> list[GroupPart]:
    """Each group's part, in the order of the groups' names.

    Args:
        groups: the name of each image's group, or class.
        accepted: where a label is given.
        wrong: where it is, or would be, wrong.
        agree: where two classifiers agree.

    Raises:
        InputError: different numbers of images, or none.
    """
    if not len(groups) == len(accepted) == len(wrong) or not len(groups):
        raise InputError(f"expected as many groups as answers, got {len(groups)} and {len(accepted)}")
    shares = _share(accepted, ~wrong), _share(accepted, wrong)
    return [_part(str(name), groups == name, accepted, wrong, shares, agree) for name in np.unique(groups)]


def worst_group(parts: list[GroupPart]) -> GroupPart | None:
    """The group with the highest risk among those with an accepted image; None where there is none."""
    known = [part for part in parts if part.risk.value is not None]
    return max(known, key=lambda part: (part.risk.value, -part.risk.n), default=None)


def _share(accepted: Bool[np.ndarray, " n"], which: Bool[np.ndarray, " n"]) -> float:
    return float(accepted[which].mean()) if which.any() else 0.0


def _part(
    name: str,
    mine: Bool[np.ndarray, " n"],
    accepted: Bool[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    shares: tuple[float, float],
    agree: Bool[np.ndarray, " n"] | None,
) -> GroupPart:
    taken, errors = accepted & mine, wrong & mine
    right = mine & ~wrong
    expected = shares[0] * right.sum(), shares[1] * errors.sum()
    total = float(sum(expected))
    return GroupPart(
        name,
        wilson(int(taken.sum()), int(mine.sum())),
        clopper_pearson(int((taken & wrong).sum()), int(taken.sum())),
        wilson(int((accepted & errors).sum()), int(errors.sum())),
        wilson(int((~accepted & right).sum()), int(right.sum())),
        float(expected[1]) / total if total else None,
        None if agree is None else wilson(int((agree & mine).sum()), int(mine.sum())),
    )

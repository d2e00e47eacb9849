"""What a threshold does to each group: does it answer less often, and wrongly more often, for some?

Overall risk says little of a small group (Jones et al. 2021): each group's is held against what the group
would have if the same numbers of right and wrong answers were accepted without regard to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Shaped

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
    names, codes = np.unique(groups, return_inverse=True)
    return by_code(tuple(map(str, names)), codes.astype(np.int64), accepted, wrong, agree)


def by_code(
    names: tuple[str, ...],
    codes: Int64[np.ndarray, " n"],
    accepted: Bool[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    agree: Bool[np.ndarray, " n"] | None = None,
) -> list[GroupPart]:
    """The same for groups by their positions in `names`; those without an image are left out."""

    def counts(which: Bool[np.ndarray, " n"]) -> list[int]:
        return [int(count) for count in np.bincount(codes[which], minlength=len(names))]

    columns = [accepted & ~wrong, accepted & wrong, ~accepted & ~wrong, ~accepted & wrong]
    parts = list(zip(*map(counts, columns), strict=True))
    agreeing = [None] * len(names) if agree is None else counts(agree)
    totals = [sum(column) for column in zip(*parts, strict=True)]
    return [
        _part(name, part, totals, agreed)
        for name, part, agreed in zip(names, parts, agreeing, strict=True)
        if sum(part)
    ]


def worst_group(parts: list[GroupPart]) -> GroupPart | None:
    """The group with the highest risk among those with an accepted image; None where there is none."""
    known = [part for part in parts if part.risk.value is not None]
    return max(known, key=lambda part: (part.risk.value, -part.risk.n), default=None)


def _part(name: str, part: Sequence[int], totals: Sequence[int], agreed: int | None) -> GroupPart:
    """Of the group's and of all images: answered right and wrong, rejected right and wrong."""
    taken_right, taken_wrong, left_right, left_wrong = part
    right, wrong = taken_right + left_right, taken_wrong + left_wrong
    n = right + wrong
    expected = right * _share(totals[0], totals[2]), wrong * _share(totals[1], totals[3])
    return GroupPart(
        name,
        wilson(taken_right + taken_wrong, n),
        clopper_pearson(taken_wrong, taken_right + taken_wrong),
        wilson(taken_wrong, wrong),
        wilson(left_right, right),
        expected[1] / sum(expected) if sum(expected) else None,
        None if agreed is None else wilson(agreed, n),
    )


def _share(taken: int, left: int) -> float:
    return taken / (taken + left) if taken + left else 0.0

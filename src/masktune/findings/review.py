"""The review: which images a person looks at, so that a suspected shortcut gets honest numbers by group.

About a hundred images are drawn within strata of class and suspicion. Whatever may matter is drawn more
often, and nothing is left out: each image has a known chance above 0, and the numbers by group undo the
favour (`evaluation.weighted`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.errors import InputError
from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.review_levels import LEVELS, levels_of
from masktune.findings.swapped import is_part_of
from masktune.seeds import seed_of

_UNSEEN = ("MT007", "MT008")
"""Findings on what nobody can see whether it is there."""

MOST = 3
"""Patterns of one review: more would leave too few images to each."""

LEAST = 2
"""Images of a stratum that are drawn, where it has as many: one shows no spread."""

OTHERS = "other classes"
"""The class of a stratum where the classes are too many for strata of their own."""

ANY = "a shortcut"
"""The pattern where nothing particular is suspected."""

FAVOUR = (1.0, 1.5, 3.0, 2.0)
"""How much more each level gets than the square root of its size. The root lies between equal numbers, which
serve small groups, and shares, which serve the whole (power allocation: Bankier 1988). Measured: with more
for the wrong ones too few right ones are counted, and intervals miss the truth (docs/results/review.md)."""


@final
@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that may stand for a class, in words and by what points at it."""

    name: str
    """ "a mark in the top right corner"; the group is "<class>, <name>" or "<class>, no <name>"."""
    question: str
    """What the person is asked."""
    about: tuple[tuple[str, str], ...] = ()
    """The finding's `about`, by key."""


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """One image that a person is asked about."""

    id: str
    label: str
    """Name of its true class."""
    predicted: str
    """Name of the class that the classifier gives."""
    pattern: str
    question: str
    stratum: str
    """Class and level: "dog: against"."""
    stratum_size: int
    """Images of the data set in it."""
    probability: float
    """The chance that it was drawn, above 0 and at most 1."""


@final
@dataclass(frozen=True, slots=True)
class Review:
    """What a person is asked, pattern after pattern, each in an order that depends on seed and ids only.

    Whoever stops half way has answered a plain sample of what was drawn.
    """

    asked: tuple[Asked, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The images, each once, for the gallery."""
        return tuple(dict.fromkeys(one.id for one in self.asked))


def draw_review(
    observed: Observed, findings: Sequence[Finding], *, count: int = 100, seed: int = 0
) -> Review:
    """Draw about `count` images for a person to label; the patterns share them equally.

    Each pattern has its own strata over all images, and a simple random sample without replacement in each:
    the chance is exactly drawn / stratum size. A few more than `count` come where there are more strata than
    that allows, all of them where there are no more than `count`.

    Raises:
        InputError: no image, an id twice, or a count below 1.
    """
    if count < 1 or not len(observed):
        raise InputError(f"expected images and a count of at least 1, got {len(observed)} and {count}")
    if len(np.unique(observed.ids)) < len(observed):
        raise InputError("expected images with different ids, got one twice; review one split at a time")
    patterns = patterns_of(findings)
    share = -(-count // len(patterns))
    return Review(
        tuple(one for pattern in patterns for one in _asked_of(observed, pattern, share, seed)),
    )


def patterns_of(findings: Iterable[Finding]) -> tuple[Pattern, ...]:
    """At most three suspected patterns: of problems, then of hints, in their order; each once.

    Only what a person can say yes or no to: not a picture of few cells (MT007), not how bright or sharp
    (MT008). A place that is part of another one's, or the reverse, is the same question. Where no finding
    points at anything it is whatever the person notices.
    """
    suspected = [one for wanted in ("problem", "hint") for one in findings if one.verdict == wanted]
    found: dict[str, Pattern] = {}
    for one in suspected:
        pattern = None if one.code in _UNSEEN else _pattern(dict(one.about))
        if pattern is not None and not _is_asked(pattern, found.values()):
            found.setdefault(pattern.name, pattern)
    question = "is there anything but the thing itself that gives the class away? yes / no"
    return tuple(found.values())[:MOST] or (Pattern(ANY, question),)


def _is_asked(pattern: Pattern, asked: Iterable[Pattern]) -> bool:
    """Whether a pattern is about a place that another one is about too."""
    place = dict(pattern.about).get("place")
    others = [dict(one.about).get("place") for one in asked]
    return place is not None and any(
        is_part_of(place, one) or is_part_of(one, place) for one in others if one is not None
    )


def _pattern(about: dict[str, str]) -> Pattern | None:
    kept = tuple(sorted((key, about[key]) for key in ("class", "place", "column", "value") if about.get(key)))
    place, column, value = (about.get(key, "") for key in ("place", "column", "value"))
    if place:
        where = "at" if place.endswith("edge") else "in"
        return Pattern(f"a mark {where} the {place}", "is it there? yes / no", kept)
    if column or value:
        what = f"{column} {value}".strip()
        return Pattern(f"a sign of {what}", "can it be seen in the image? yes / no", kept)
    if about.get("class"):
        name = about["class"]
        return Pattern(
            f"a shortcut to {name}", f"is there something that goes with {name} but is not it? yes / no", kept
        )
    return None


def _asked_of(observed: Observed, pattern: Pattern, count: int, seed: int) -> list[Asked]:
    names = _strata(observed, pattern, count)
    kinds, strata, sizes = np.unique(names, return_inverse=True, return_counts=True)
    favours = [FAVOUR[LEVELS.index(name.rpartition(": ")[2])] for name in kinds.tolist()]
    drawn, said = allocate(sizes, favours, count), observed.predictions.predicted
    return [
        Asked(
            id=str(observed.ids[at]),
            label=observed.data_classes[observed.labels[at]],
            predicted=observed.net_classes[said[at]],
            pattern=pattern.name,
            question=pattern.question,
            stratum=str(names[at]),
            stratum_size=int(sizes[stratum]),
            probability=float(drawn[stratum] / sizes[stratum]),
        )
        for at, stratum in _drawn(observed.ids, strata.reshape(-1), drawn, f"{seed}, {pattern.name}")
    ]


def _drawn(
    ids: Shaped[np.ndarray, " n"], strata: Int64[np.ndarray, " n"], drawn: Int64[np.ndarray, " h"], seed: str
) -> list[tuple[int, int]]:
    """Place and stratum of the images that are drawn, first one of each stratum, then the others mixed.

    An image has one number, made of seed and id alone; those with the lowest of their stratum are drawn, so
    the order of the images changes nothing.
    """
    keys = np.array([seed_of("review", seed, name) for name in ids.tolist()])
    chosen = []
    for stratum, n in enumerate(drawn.tolist()):
        own = np.flatnonzero(strata == stratum)
        own = own[np.argsort(keys[own])][:n]
        chosen += [(rank > 0, seed_of("order", seed, ids[at]), at) for rank, at in enumerate(own.tolist())]
    return [(at, int(strata[at])) for _, _, at in sorted(chosen)]


def allocate(sizes: Int64[np.ndarray, " h"], favours: Sequence[float], count: int) -> Int64[np.ndarray, " h"]:
    """How many to draw of each stratum, `LEAST` to all of it; `count` in all where that can be.

    In proportion to favour times the root of the size. What a small stratum cannot give, the others do.
    """
    least = np.minimum(sizes, LEAST)
    wanted = np.asarray(favours) * np.sqrt(sizes)
    drawn = least.copy()
    for _ in range(min(count, int(sizes.sum())) - int(least.sum())):
        # One after the other to the stratum that is furthest below its part (Jefferson's method).
        room = np.where(drawn < sizes, wanted / (drawn + 1), -1)
        drawn[room.argmax()] += 1
    return np.asarray(drawn)


def _strata(observed: Observed, pattern: Pattern, count: int) -> Shaped[np.ndarray, " n"]:
    """Name of each image's stratum: "dog: wrong".

    Where strata of all classes would take more than half of `count`, only the suspected class keeps its own.
    """
    levels = np.array(LEVELS, dtype=object)[levels_of(observed, dict(pattern.about))]
    labels, names = observed.labels, np.array(observed.data_classes, dtype=object)
    if len(np.unique(labels)) * len(LEVELS) * LEAST > max(count / 2, 2 * len(LEVELS) * LEAST):
        names = np.where(names == dict(pattern.about).get("class"), names, OTHERS)
    return np.array([f"{name}: {level}" for name, level in zip(names[labels], levels, strict=True)])

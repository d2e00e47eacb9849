"""Judged images before and after, each with the maps of both classifiers; the page's script draws these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masktune.masking import Threshold
from masktune.report.page.gallery import MAPS, encoded, packed, size_of
from masktune.report.page.slider import cut_of
from masktune.trial.trialled import BeforeAfter, Trialled

_KINDS: Mapping[str, tuple[str, str]] = {
    "gained": ("Right now, wrong before", "What tuning gained."),
    "lost": ("Wrong now, right before", "What tuning lost."),
    "wrong": ("Wrong both times", "Perhaps called otherwise, but not better."),
    "right": ("Right both times", "Whether it looks elsewhere now."),
}
"""In the order in which they are shown."""
_FIRST = {"gained": 6, "lost": 6, "wrong": 3, "right": 3}
"""Images of each kind before the rest is folded away; these go onto paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One image; the number is its place in the script's data."""

    number: int
    shown: BeforeAfter
    jpeg: bytes | None
    """None in a report without pictures."""
    size: tuple[int, int]
    """Height and width."""


@dataclass(frozen=True, slots=True, eq=False)
class PairGroup:
    """Images of which the same became."""

    kind: str
    title: str
    what: str
    count: int
    """Of all judged images, shown or not."""
    pairs: tuple[Pair, ...]

    @property
    def first(self) -> int:
        """How many are shown before the rest is folded away."""
        return _FIRST[self.kind]


def pair_groups(trialled: Trialled, *, images: bool) -> list[PairGroup]:
    """The pictures by what became of them; groups without one are left out."""
    order = list(_KINDS)
    shown = sorted(trialled.shown, key=lambda one: order.index(one.kind))  # Stable: the record's order stays.
    jpegs: Sequence[bytes | None] = packed([one.jpeg for one in shown]) if images else [None] * len(shown)
    pairs = [
        Pair(number, one, jpeg, size_of(one.jpeg))
        for number, (one, jpeg) in enumerate(zip(shown, jpegs, strict=True))
    ]
    counts = counts_of(trialled)
    return [
        PairGroup(kind, title, what, counts[kind], tuple(one for one in pairs if one.shown.kind == kind))
        for kind, (title, what) in _KINDS.items()
        if any(one.shown.kind == kind for one in pairs)
    ]


def counts_of(trialled: Trialled) -> dict[str, int]:
    """Judged images by what became of them; none where MaskTune was not run."""
    if "masktune" not in trialled.predictions:
        return dict.fromkeys(_KINDS, 0)
    before, after = (trialled.predictions[arm]["validation"].correct for arm in ("untouched", "masktune"))
    return {
        "gained": int((~before & after).sum()),
        "lost": int((before & ~after).sum()),
        "wrong": int((~before & ~after).sum()),
        "right": int((before & after).sum()),
    }


def script_data(groups: Sequence[PairGroup], threshold: Threshold) -> Mapping[str, Any]:
    """Both maps of each image, in the order of their numbers, and how they are cut."""
    pairs = [pair for group in groups for pair in group.pairs]
    narrow = sum(2 * (one.shown.low_before.size + one.shown.low_after.size) for one in pairs) > MAPS
    return {
        "cut": cut_of(threshold),
        "pairs": [
            [
                {"size": list(pair.size), **encoded(low, narrow=narrow)}
                for low in (pair.shown.low_before, pair.shown.low_after)
            ]
            for pair in pairs
        ],
    }

"""Two scans of the same images: what differs between the runs, what got better and what worse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from masktune.errors import InputError
from masktune.evaluation import bootstrap_interval, holm, mcnemar, sign_flip
from masktune.evaluation.resampling import subject_sums
from masktune.findings.observed import Observed
from masktune.findings.shown import Scanned


@dataclass(frozen=True, slots=True)
class Change:
    """One rate before and after, on the same images."""

    name: str
    before: float
    after: float
    n: int
    """Images that both runs have."""
    low: float
    """Lower end of the 95 % paired bootstrap interval of after - before; over subjects where known."""
    high: float
    p_value: float
    """Exact McNemar, or sign flips over subjects; Holm's correction over all changes."""
    more_is_better: bool

    @property
    def verdict(self) -> str:
        """better, worse, or no evidence: at 5 % after the correction."""
        if self.p_value >= 0.05 or self.after == self.before:
            return "no evidence"
        return "better" if (self.after > self.before) == self.more_is_better else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came out of a comparison."""

    n: int
    """Images that both runs have."""
    only_before: int
    only_after: int
    differences: tuple[str, ...]
    """Every difference between the runs beside their numbers, one sentence each."""
    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    """Findings that fired before and fire no more, in words."""
    new: tuple[str, ...]
    """Findings that fire now and did not before."""
    gained: tuple[str, ...]
    """Ids of images that are right now and were wrong."""
    lost: tuple[str, ...]
    """Ids of images that were right and are wrong now."""


def compare_scans(
    before: Scanned, after: Scanned, records: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
) -> Compared:
    """Pair two scans by sample id.

    `records` are what the two `run.json` say, as plain values.

    Raises:
        InputError: no image is in both, or their classes differ.
    """
    first, second = before.observed, after.observed
    if first.data_classes != second.data_classes:
        raise InputError(
            f"expected two runs of the same classes, got {', '.join(first.data_classes)} and "
            f"{', '.join(second.data_classes)}"
        )
    common = np.intersect1d(first.ids, second.ids)
    if len(common) == 0:
        raise InputError("expected two runs with images in common, paired by id; they have none")
    rows = tuple(_rows(one, common) for one in (first, second))
    labels = first.labels[rows[0]], second.labels[rows[1]]
    changes = _corrected(list(_changes(first, second, rows)))
    right = [_right(one, at) for one, at in zip((first, second), rows, strict=True)]
    relabelled = int((labels[0] != labels[1]).sum())
    return Compared(
        n=len(common),
        only_before=len(first) - len(common),
        only_after=len(second) - len(common),
        differences=tuple(_differences(before, after, records, relabelled)),
        changes=changes,
        gone=_fired(before, after),
        new=_fired(after, before),
        gained=tuple(common[~right[0] & right[1]].tolist()),
        lost=tuple(common[right[0] & ~right[1]].tolist()),
    )


def _rows(observed: Observed, common: np.ndarray) -> np.ndarray:
    order = np.argsort(observed.ids)
    return np.asarray(order[np.searchsorted(observed.ids[order], common)])


def _right(observed: Observed, at: np.ndarray) -> Bool[np.ndarray, " m"]:
    if not observed.same_classes:
        return np.zeros(len(at), dtype=bool)
    return np.asarray(observed.predictions.correct[at])


def _changes(first: Observed, second: Observed, rows: tuple[np.ndarray, ...]) -> Iterator[Change]:
    subjects = None if first.predictions.subjects is None else first.predictions.subjects[rows[0]]
    if first.same_classes and second.same_classes:
        right = [_right(one, at) for one, at in zip((first, second), rows, strict=True)]
        yield _change("accuracy", right[0], right[1], subjects, more_is_better=True)
        labels = second.labels[rows[1]]
        for label, name in enumerate(second.data_classes):
            of = labels == label
            if of.any():
                chosen = None if subjects is None else subjects[of]
                yield _change(f"accuracy of {name}", right[0][of], right[1][of], chosen, more_is_better=True)
    flips = [one.flipped("salient")[at] for one, at in zip((first, second), rows, strict=True)]
    name = "flip rate, salient area hidden"
    yield _change(name, flips[0], flips[1], subjects, more_is_better=False)


def _change(
    name: str,
    before: Bool[np.ndarray, " m"],
    after: Bool[np.ndarray, " m"],
    subjects: np.ndarray | None,
    *,
    more_is_better: bool,
) -> Change:
    change: Float64[np.ndarray, " m"] = after.astype(float) - before
    if subjects is None:
        p_value = mcnemar(before, after)
    else:
        p_value = sign_flip(subject_sums(change, subjects).astype(np.int64))
    low, high = bootstrap_interval(change, subjects)
    rates = float(before.mean()), float(after.mean())
    return Change(name, *rates, len(change), low, high, p_value, more_is_better)


def _corrected(changes: list[Change]) -> tuple[Change, ...]:
    corrected = holm([change.p_value for change in changes])
    return tuple(replace(change, p_value=p) for change, p in zip(changes, corrected, strict=True))


def _differences(
    before: Scanned, after: Scanned, records: tuple[Mapping[str, Any], Mapping[str, Any]], relabelled: int
) -> Iterator[str]:
    if before.sha256 != after.sha256:
        yield f"other data: {_short(before.sha256)}, then {_short(after.sha256)}"
    if relabelled:
        yield f"{relabelled} images have another label; the new one counts"
    for name in sorted(set(before.settings) | set(after.settings)):
        yield from _unlike(name, before.settings.get(name), after.settings.get(name))
    first, second = (dict(record) for record in records)
    for name in ("weights_sha256", "threads", "device"):
        yield from _unlike(name, first.get(name), second.get(name))
    for part in ("settings", "versions"):
        told, now = first.get(part, {}), second.get(part, {})
        for name in sorted((set(told) | set(now)) - set(before.settings)):
            yield from _unlike(name, told.get(name), now.get(name))


def _unlike(name: str, before: object, after: object) -> Iterator[str]:
    if before != after:
        yield f"{name} was {_short(before)}, is {_short(after)}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fired(scanned: Scanned, other: Scanned) -> tuple[str, ...]:
    """Findings of one scan that fired and have no like in the other."""

    def key(finding: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
        return finding.code, tuple(sorted(finding.about.items()))

    firing = ("problem", "hint")
    known = {key(finding) for finding in other.findings if finding.verdict in firing}
    return tuple(
        f"{one.code} ({one.verdict}): {one.reason}"
        for one in scanned.findings
        if one.verdict in firing and key(one) not in known
    )

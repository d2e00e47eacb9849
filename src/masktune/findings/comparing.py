"""Two scans of the same images: what differs between the runs, what got better and what worse."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.errors import InputError
from masktune.evaluation import bootstrap_interval, holm, mcnemar, sign_flip
from masktune.evaluation.resampling import subject_sums
from masktune.findings.compared import Change, Compared, Difference, Moved, Part, Turn
from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.shown import Scanned

_FIRING = ("problem", "hint")

_TOLD = ("torch", "salient area")
"""What `Observed.about` repeats of versions and settings."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two scans, and where their common images are in each."""

    first: Observed
    second: Observed
    ids: np.ndarray
    rows: tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]

    @property
    def labels(self) -> Int64[np.ndarray, " m"]:
        return np.asarray(self.second.labels[self.rows[1]])

    @property
    def can_be_right(self) -> bool:
        return self.first.same_classes and self.second.same_classes

    @property
    def right(self) -> tuple[Bool[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        """Before and now, held against the new labels; needs `can_be_right`."""
        before, after = (said == self.labels for said in self.said)
        return before, after

    @property
    def said(self) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
        return self.first.predictions.predicted[self.rows[0]], self.second.predictions.predicted[self.rows[1]]


def compare_scans(
    before: Scanned, after: Scanned, records: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
) -> Compared:
    """Pair two scans by sample id.

    `records` are what the two `run.json` say, as plain values.

    Raises:
        InputError: no image is in both, or their classes differ.
    """
    pair = _paired(before.observed, after.observed)
    told = pair.first.labels[pair.rows[0]]
    return Compared(
        n=len(pair.ids),
        only_before=len(pair.first) - len(pair.ids),
        only_after=len(pair.second) - len(pair.ids),
        relabelled=int((told != pair.labels).sum()),
        differences=tuple(_differences(before, after, records)),
        changes=_corrected(list(_changes(pair))),
        turns=tuple(_turns(before, after)),
        moved=_moved(pair),
    )


def _paired(first: Observed, second: Observed) -> _Pair:
    if first.data_classes != second.data_classes:
        raise InputError(
            f"expected two runs of the same classes, got {', '.join(first.data_classes)} and "
            f"{', '.join(second.data_classes)}"
        )
    common = np.intersect1d(first.ids, second.ids)
    if len(common) == 0:
        raise InputError("expected two runs with images in common, paired by id; they have none")
    return _Pair(first, second, common, (_rows(first, common), _rows(second, common)))


def _rows(observed: Observed, common: np.ndarray) -> Int64[np.ndarray, " m"]:
    order = np.argsort(observed.ids)
    return np.asarray(order[np.searchsorted(observed.ids[order], common)])


def _changes(pair: _Pair) -> Iterator[Change]:
    told = pair.first.predictions.subjects
    subjects = None if told is None else told[pair.rows[0]]
    if pair.can_be_right:
        before, after = pair.right
        yield _change("accuracy", before, after, subjects, more_is_better=True)
        for label, name in enumerate(pair.second.data_classes):
            of = pair.labels == label
            if of.any():
                chosen = None if subjects is None else subjects[of]
                yield _change(f"accuracy of {name}", before[of], after[of], chosen, more_is_better=True)
    flips = pair.first.flipped("salient")[pair.rows[0]], pair.second.flipped("salient")[pair.rows[1]]
    yield _change("flip rate, salient area hidden", *flips, subjects, more_is_better=False)


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


def _moved(pair: _Pair) -> tuple[Moved, ...]:
    """Classes are compared by name: the two nets may have classes of their own."""
    names = [np.array(one.net_classes, dtype=object) for one in (pair.first, pair.second)]
    said = [own[numbers] for own, numbers in zip(names, pair.said, strict=True)]
    sure = [
        one.predictions.probabilities.max(1)[rows]
        for one, rows in zip((pair.first, pair.second), pair.rows, strict=True)
    ]
    kinds = np.full(len(pair.ids), "other", dtype=object)
    if pair.can_be_right:
        before, after = pair.right
        kinds[before & ~after], kinds[~before & after] = "lost", "gained"
    moved = [
        Moved(
            str(pair.ids[at]),
            pair.second.data_classes[pair.labels[at]],
            said[0][at],
            said[1][at],
            float(sure[0][at]),
            float(sure[1][at]),
            kinds[at],
        )
        for at in np.flatnonzero(said[0] != said[1])
    ]
    return tuple(sorted(moved, key=lambda one: (("lost", "gained", "other").index(one.kind), one.id)))


def _differences(
    before: Scanned, after: Scanned, records: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterator[Difference]:
    yield from _unlike("data", {"sha256 of all": before.sha256}, {"sha256 of all": after.sha256})
    yield from _unlike("weights", *(_only(record, "weights_sha256") for record in records))
    yield from _unlike("machine", *(_only(record, "device", "threads") for record in records))
    asked = [
        {**_how(scanned), **dict(record.get("settings", {})), **scanned.settings}
        for scanned, record in zip((before, after), records, strict=True)
    ]
    yield from _unlike("settings", *asked)
    yield from _unlike("version", *(record.get("versions", {}) for record in records))


def _only(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def _how(scanned: Scanned) -> dict[str, str]:
    """Model, input, layer and formula, as they were found."""
    return {name: text for name, text in scanned.observed.about.items() if name not in _TOLD}


def _unlike(part: Part, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(set(before) | set(after)):
        told, now = before.get(name), after.get(name)
        if told != now:
            yield Difference(part, name, _short(told), _short(now))


def _short(value: object) -> str:
    text = str(value)
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return f"{text[:12]}..."
    return text if len(text) <= 60 else f"{text[:57]}..."


def _turns(before: Scanned, after: Scanned) -> Iterator[Turn]:
    old, new = _firing(before), _firing(after)
    for key, finding in new.items():
        if key not in old:
            quiet, was = _quiet(before, finding.code)
            yield Turn("came", finding, quiet, was, finding.verdict)
    for key, finding in old.items():
        if key not in new:
            quiet, now = _quiet(after, finding.code)
            yield Turn("went", finding, quiet, finding.verdict, now)
    for key, finding in new.items():
        if key in old and old[key].verdict != finding.verdict:
            yield Turn("changed", finding, old[key], old[key].verdict, finding.verdict)
    for code in sorted({one.code for one in after.findings if one.verdict not in _FIRING}):
        (told, was), (said, now) = _quiet(before, code), _quiet(after, code)
        if told is not None and said is not None and was != now:
            yield Turn("changed", said, told, was, now)


def _firing(scanned: Scanned) -> dict[tuple[str, tuple[tuple[str, str], ...]], Finding]:
    return {
        (finding.code, tuple(sorted(finding.about.items()))): finding
        for finding in scanned.findings
        if finding.verdict in _FIRING
    }


def _quiet(scanned: Scanned, code: str) -> tuple[Finding | None, str]:
    """What is said of a question where it does not fire, and its verdict."""
    for finding in scanned.findings:
        if finding.code == code and finding.verdict not in _FIRING:
            return finding, finding.verdict
    return None, "not of this" if any(one.code == code for one in scanned.findings) else "not asked"

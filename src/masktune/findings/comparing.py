"""Two scans of the same images: what differs between the runs, what got better and what worse."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from masktune.evaluation import bootstrap_interval, holm, mcnemar, sign_flip
from masktune.evaluation.resampling import subject_sums
from masktune.findings.compared import Change, Compared, Moved, Turn
from masktune.findings.differing import differences_of
from masktune.findings.finding import Finding
from masktune.findings.pairing import Pair, paired
from masktune.findings.shown import Scanned

_FIRING = ("problem", "hint")

_SAME = ("class", "column", "place", "split", "other split")
"""What of `about` makes two findings of one code the same, whatever their value."""


def compare_scans(
    before: Scanned, after: Scanned, records: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
) -> Compared:
    """Pair two scans by sample id.

    `records` are what the two `run.json` say, as plain values.

    Raises:
        InputError: no image, or no class, is in both.
    """
    pair = paired(before.observed, after.observed)
    return Compared(
        n=len(pair.ids),
        only_before=len(pair.first) - len(pair.ids),
        only_after=len(pair.second) - len(pair.ids),
        relabelled=int((pair.labelled[0] != pair.labels).sum()),
        differences=tuple(differences_of(before, after, pair, records)),
        changes=_corrected(list(_changes(pair))),
        turns=tuple(_turns(before, after)),
        moved=_moved(pair),
    )


def _changes(pair: Pair) -> Iterator[Change]:
    old, new = pair.column("subjects")
    subjects = old if new is None else new
    if pair.can_be_right:
        before, after = pair.right
        yield _change("accuracy", before, after, subjects, more_is_better=True)
        for name in pair.second.data_classes:
            of = pair.labels == name
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


def _moved(pair: Pair) -> tuple[Moved, ...]:
    """Classes are compared by name: the two nets may have classes of their own."""
    said, labels = pair.said, pair.labels
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
            labels[at],
            said[0][at],
            said[1][at],
            float(sure[0][at]),
            float(sure[1][at]),
            kinds[at],
        )
        for at in np.flatnonzero(said[0] != said[1])
    ]
    return tuple(sorted(moved, key=lambda one: (("lost", "gained", "other").index(one.kind), one.id)))


def _turns(before: Scanned, after: Scanned) -> Iterator[Turn]:
    both, went, came = _matched(_firing(before), _firing(after))
    for finding in came:
        quiet, was = _quiet(before, finding.code)
        yield Turn("came", finding, quiet, was, finding.verdict)
    for finding in went:
        quiet, now = _quiet(after, finding.code)
        yield Turn("went", finding, quiet, finding.verdict, now)
    for old, new in both:
        if old.verdict != new.verdict or dict(old.about) != dict(new.about):
            yield Turn("changed", new, old, old.verdict, new.verdict)
    for code in sorted({one.code for one in after.findings if one.verdict not in _FIRING}):
        (told, was), (said, now) = _quiet(before, code), _quiet(after, code)
        if told is not None and said is not None and was != now:
            yield Turn("changed", said, told, was, now)


def _firing(scanned: Scanned) -> list[Finding]:
    return [finding for finding in scanned.findings if finding.verdict in _FIRING]


def _matched(
    old: Sequence[Finding], new: Sequence[Finding]
) -> tuple[list[tuple[Finding, Finding]], list[Finding], list[Finding]]:
    """Findings of both runs two by two, those that went, those that came.

    A column may have several values of one class: the same values find each other first.
    """
    pairs: dict[int, int] = {}  # From the new one's place to the old one's.
    for names in ((*_SAME, "value"), _SAME):
        free: dict[tuple[str, ...], list[int]] = {}
        for at, finding in enumerate(old):
            if at not in pairs.values():
                free.setdefault(_key(finding, names), []).append(at)
        for at, finding in enumerate(new):
            if at not in pairs and (alike := free.get(_key(finding, names))):
                pairs[at] = alike.pop(0)
    both = [(old[other], new[at]) for at, other in sorted(pairs.items())]
    went = [finding for at, finding in enumerate(old) if at not in pairs.values()]
    return both, went, [finding for at, finding in enumerate(new) if at not in pairs]


def _key(finding: Finding, names: Sequence[str]) -> tuple[str, ...]:
    return (finding.code, *(finding.about.get(name, "") for name in names))


def _quiet(scanned: Scanned, code: str) -> tuple[Finding | None, str]:
    """What is said of a question where it does not fire, and its verdict."""
    for finding in scanned.findings:
        if finding.code == code and finding.verdict not in _FIRING:
            return finding, finding.verdict
    return None, "not of this" if any(one.code == code for one in scanned.findings) else "not asked"

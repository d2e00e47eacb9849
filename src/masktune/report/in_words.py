"""A comparison in a few paragraphs: what differs, what got better, what got worse, what came and went."""

from collections.abc import Sequence

from masktune.findings.compared import Change, Compared, Turn
from masktune.report.page.numbers import points

_PARTS = {
    "data": "data",
    "split": "splits, subjects or groups",
    "weights": "weights",
    "settings": "settings",
    "machine": "machine",
    "version": "versions",
}
_NAMED = ("split", "settings", "machine", "version")
"""Parts of which what differs is named in the summary too."""
_TOLD = 3
"""New problems that the headline says; the page has all."""
_CAUTION = " Better numbers may then be the shortcut's."
_CAUSE = {"split": "data"}
"""Splits, subjects and groups are told by the data: not a second thing that can have moved the numbers."""


def summary_of_comparison(compared: Compared) -> tuple[str, ...]:
    """Paragraphs: better and worse, what differs, images, findings."""
    return (
        _headline(compared),
        _differing(compared),
        f"{_paired(compared)} {_moved(compared)}",
        _turned(compared),
    )


def change_in_points(change: Change) -> str:
    """How many percentage points a rate went up or down, with its interval: "+2.5 (−0.5 to +5.5)"."""
    return f"{points(change.after - change.before)} ({points(change.low)} to {points(change.high)})"


def _headline(compared: Compared) -> str:
    """New problems first: a classifier that leans on a mark is right more often where the mark is."""
    return " ".join(part for part in (_new_problems(compared), _better_or_worse(compared.changes)) if part)


def _new_problems(compared: Compared) -> str:
    found = compared.new_problems
    if not found:
        return ""
    told = "; ".join(f"{turn.finding.code}: {turn.finding.reason}" for turn in found[:_TOLD])
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    caution = "" if all(one.verdict != "better" for one in compared.changes) else _CAUTION
    return (
        f"The new run has {len(found)} new problem{'' if len(found) == 1 else 's'} ({told}{more}).{caution}"
    )


def _better_or_worse(changes: Sequence[Change]) -> str:
    better, worse = (_with(changes, verdict) for verdict in ("better", "worse"))
    if not (better or worse):
        of = (
            f"none of {len(changes)} numbers differs"
            if len(changes) > 1
            else "the one number does not differ"
        )
        return f"No evidence that the new run is better or worse: {of} by more than chance explains."
    return " ".join(
        f"{word}: {'; '.join(map(_sentence, some))}." if some else f"{word}: nothing that stands out."
        for word, some in (("Better", better), ("Worse", worse))
    )


def _with(changes: Sequence[Change], verdict: str) -> list[Change]:
    return [change for change in changes if change.verdict == verdict]


def _sentence(change: Change) -> str:
    return (
        f"{change.name} {100 * change.before:.1f} %, now {100 * change.after:.1f} %, "
        f"points {change_in_points(change)}"
    )


def _differing(compared: Compared) -> str:
    named: dict[str, list[str]] = {}
    for one in compared.differences:
        named.setdefault(one.part, []).append(one.name)
    if compared.only_before or compared.only_after or compared.relabelled:
        named.setdefault("data", [])
    if not named:
        return (
            "Nothing that is recorded differs between the runs: data, splits, subjects, groups, weights, "
            "settings, machine, versions."
        )
    parts = [
        f"{word} ({', '.join(named[part])})" if part in _NAMED else word
        for part, word in _PARTS.items()
        if part in named
    ]
    caution = ""
    if len({_CAUSE.get(part, part) for part in named} - {"version", "machine"}) > 1:
        caution = " More than one of these can have moved the numbers; two runs cannot tell which."
    if {"threshold", "saliency", "layer", "maps"} & set(named.get("settings", [])):
        caution += " The salient area was found in another way, so the flip rates are of different areas."
    return f"What differs between the runs: {'; '.join(parts)}.{caution}"


def _paired(compared: Compared) -> str:
    said = [f"{compared.n} images are in both runs, paired by id."]
    if compared.only_before or compared.only_after:
        said.append(f"{compared.only_before} are only in the old run, {compared.only_after} only in the new.")
    if compared.relabelled:
        said.append(f"{compared.relabelled} have another label now; the new one counts for both runs.")
    return " ".join(said)


def _moved(compared: Compared) -> str:
    lost, gained, other = (len(compared.moved_ids(kind)) for kind in ("lost", "gained", "other"))
    if not compared.moved:
        return "Each is called the same by both."
    parts = [
        (gained, "right now and wrong before"),
        (lost, "wrong now and right before"),
        (other, "neither"),
    ]
    said = ", ".join(f"{count} {words}" for count, words in parts if count)
    return f"{len(compared.moved)} are called otherwise now: {said}."


def _turned(compared: Compared) -> str:
    if not compared.turns:
        return "No finding came, went, or has another verdict or value."
    words = {"came": "Findings that came", "went": "that went", "changed": "with another verdict or value"}
    said = [f"{words[kind]}: {_codes(compared.turned(kind))}" for kind in ("came", "went", "changed")]
    return f"{'; '.join(said)}."


def _codes(turns: Sequence[Turn]) -> str:
    return ", ".join(dict.fromkeys(f"{turn.finding.code} ({_verdicts(turn)})" for turn in turns)) or "none"


def _verdicts(turn: Turn) -> str:
    if turn.was == turn.now:
        return f"{turn.now}, of another value"
    words = {"not of this": "fired on something else", "not_applicable": "not applicable"}
    return f"{words.get(turn.was, turn.was)}, then {words.get(turn.now, turn.now)}"

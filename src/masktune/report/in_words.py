"""A comparison in a few paragraphs: what differs, what got better, what got worse, what came and went."""

from collections.abc import Sequence

from masktune.findings.compared import Change, Compared, Turn

_PARTS = {
    "data": "data",
    "weights": "weights",
    "settings": "settings",
    "machine": "machine",
    "version": "versions",
}


def summary_of_comparison(compared: Compared) -> tuple[str, ...]:
    """Paragraphs: better and worse, what differs, images, findings."""
    return (
        _headline(compared.changes),
        _differing(compared),
        f"{_paired(compared)} {_moved(compared)}",
        _turned(compared),
    )


def points(change: Change) -> str:
    """How many percentage points a rate went up or down, with its interval."""
    interval = f"{100 * change.low:+.1f} to {100 * change.high:+.1f}"
    return f"{100 * (change.after - change.before):+.1f} ({interval})"


def _headline(changes: Sequence[Change]) -> str:
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
        f"{change.name} {100 * change.before:.1f} %, now {100 * change.after:.1f} %, points {points(change)}"
    )


def _differing(compared: Compared) -> str:
    named: dict[str, list[str]] = {}
    for one in compared.differences:
        named.setdefault(one.part, []).append(one.name)
    if compared.only_before or compared.only_after or compared.relabelled:
        named.setdefault("data", [])
    if not named:
        return (
            "Nothing that is recorded differs between the runs: data, weights, settings, machine, versions."
        )
    parts = [
        f"{word} ({', '.join(named[part])})" if part in ("settings", "machine", "version") else word
        for part, word in _PARTS.items()
        if part in named
    ]
    caution = ""
    if len(named.keys() - {"version", "machine"}) > 1:
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
        return "No finding came, went, or has another verdict."
    words = {"came": "Findings that came", "went": "that went", "changed": "with another verdict"}
    said = [f"{words[kind]}: {_codes(compared.turned(kind))}" for kind in ("came", "went", "changed")]
    return f"{'; '.join(said)}."


def _codes(turns: Sequence[Turn]) -> str:
    return ", ".join(dict.fromkeys(f"{turn.finding.code} ({_verdicts(turn)})" for turn in turns)) or "none"


def _verdicts(turn: Turn) -> str:
    return f"{turn.was}, then {turn.now}".replace("_", " ")

"""The page of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masktune.evaluation import Measure
from masktune.report.page.frame import Page, Section, render_page
from masktune.report.page.kind import Kind
from masktune.report.page.numbers import duration
from masktune.report.page.pairs import PairGroup, pair_groups, script_data
from masktune.report.page.slider import cut_of
from masktune.report.page.trial_plots import plots_of
from masktune.report.page.trial_veil import veiled
from masktune.report.page.trial_words import (
    ARMS,
    CANNOT,
    SCORES,
    advice,
    arm_of,
    capital,
    has_controls,
    is_capped,
    is_unknown,
    kind_of,
    looks,
    main_metrics,
    meaning,
    measured,
    metric_in_words,
    operating_point,
    parts_compared,
    power,
    sentence,
    title_of_verdict,
    worst_of,
)
from masktune.trial.changes import Changed
from masktune.trial.judging import REPEATS, SURE, Judged
from masktune.trial.licences import licences_of
from masktune.trial.trialled import Trialled

_STYLES = {"helped": "passed", "no_evidence": "not_applicable", "harmful": "problem"}
_WORST = "worst_group_accuracy"
"""Each arm's is of a group of its own, and all stand in one row."""
_LISTED = 12
"""Parts that got better, or worse, before the rest is folded away."""
_EQUAL = (
    "With each class given as often as it is true. A gain that vanishes here was a shift of the decision "
    "threshold"
)
_ROLES = {
    "train": "tuned on",
    "held back": "held back: rates are chosen there",
    "validation": "judged on",
    "test": "test",
    "calibration": "calibration: nobody reads them",
    "unused": "not used",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One number before and after, for a glance."""

    title: str
    before: Measure
    after: Measure
    where: str
    """The class or group that it is of; two, where it is of another one after."""


@dataclass(frozen=True, slots=True)
class Column:
    """What got better, or what got worse."""

    title: str
    style: str
    none: str
    """What is said where there is nothing."""
    shown: tuple[Changed, ...]
    """Sure ones first."""
    rest: tuple[Changed, ...]


def render_trial(
    trialled: Trialled,
    *,
    images: bool = True,
    pseudonymous: bool = False,
    command: str = "",
    made: str = "",
    versions: Mapping[str, str] | None = None,
) -> str:
    """The HTML of a trial, complete in itself.

    Args:
        trialled: what came out.
        images: whether the pictures are in it.
        pseudonymous: numbers instead of names; no paths, no values of columns.
        command: the line that made it; holds paths, so a pseudonymous page leaves it out.
        made: when, in words.
        versions: of the libraries, by name.
    """
    if pseudonymous:
        trialled, command = veiled(trialled), ""
    groups = pair_groups(trialled, images=images)
    page = Page(
        title=trialled.title,
        command="tune",
        kind=Kind(images=images, names=not pseudonymous),
        summary=(),
        sections=_sections(trialled, groups),
        facts=_facts(trialled, command, versions or {}),
        made=made,
        data=script_data(groups, trialled.threshold),
    )
    return render_page(page)


def _sections(trialled: Trialled, groups: Sequence[PairGroup]) -> list[Section]:
    effects = {"trialled": trialled, "power": power(trialled)}
    goes_by = f"What {'a verdict would go' if is_capped(trialled) else 'the verdict goes'} by"
    told = (
        ("verdict", "Verdict", _verdict(trialled)),
        ("arms", "All arms side by side", _arms(trialled)),
        ("scores", goes_by, _scores(trialled) if trialled.verdict.scores else None),
        ("changes", "What got worse, what got better", _changes(trialled) if trialled.changes else None),
        ("effects", "What these images could show", effects if trialled.effects else None),
        (
            "images",
            "Before and after",
            {"groups": groups, "cut": cut_of(trialled.threshold), "looks": looks(trialled)}
            if groups
            else None,
        ),
        ("division", "How the images were divided", _division(trialled)),
        ("rate", "How the learning rate was chosen", {"rate": trialled.rate}),
    )
    return [
        Section(name, title, f"trial_{name}.html.j2", context)
        for name, title, context in told
        if context is not None
    ]


def _verdict(trialled: Trialled) -> dict[str, Any]:
    word = trialled.verdict.word
    return {
        "style": "hint" if is_capped(trialled) and word == "no_evidence" else _STYLES[word],
        "word": title_of_verdict(trialled),
        "reason": sentence(trialled.verdict.reason),
        "capped": is_capped(trialled),
        "seen": sentence(trialled.seen),
        "seen_is_reason": is_unknown(trialled),
        "advice": advice(trialled),
        "tiles": _tiles(trialled),
        "notes": [sentence(note) for note in trialled.verdict.notes],
        "cannot": CANNOT,
    }


def _tiles(trialled: Trialled) -> list[Tile]:
    before, after = arm_of(trialled, "untouched"), arm_of(trialled, "masktune")
    if after is None or after.stopped is not None:
        return []
    tiles = []
    for metric, title in main_metrics(trialled).items():
        old, new = measured(before, metric), measured(after, metric)
        if before is not None and old is not None and new is not None:
            where = dict.fromkeys(worst_of(trialled, arm, metric) for arm in (before, after))
            tiles.append(Tile(capital(title), old, new, ", then ".join(where)))
    return tiles


def _arms(trialled: Trialled) -> dict[str, Any]:
    splits = [
        split for split in ("validation", "test") if any(split in arm.measures for arm in trialled.arms)
    ]
    return {
        "words": ARMS,
        "controls": has_controls(trialled),
        "tables": [(split, _table(trialled, split)) for split in splits],
        "all": [(split, _every_measure(trialled, split)) for split in splits],
        "stopped": [arm for arm in trialled.arms if arm.stopped is not None],
        "arms": trialled.arms,
        "has_groups": any(measured(arm, "worst_group_accuracy") is not None for arm in trialled.arms),
        "operating_point": operating_point(trialled),
    }


def _table(trialled: Trialled, split: str) -> dict[str, Any]:
    """The main numbers of each arm."""
    used = main_metrics(trialled, split)
    rows = [
        (
            arm,
            [(measured(arm, metric, split), worst_of(trialled, arm, metric, split)) for metric in used],
            duration(arm.seconds),
        )
        for arm in trialled.arms
    ]
    return {"titles": [capital(title) for title in used.values()], "rows": rows}


Cell = tuple[Measure | None, str]
"""A number, and the class or group that it is of where that differs from arm to arm."""


def _every_measure(trialled: Trialled, split: str) -> list[tuple[str, str, list[Cell]]]:
    """Each number that was measured: name, group, and what each arm has."""
    found = [
        {(one.metric, "" if one.metric == _WORST else one.group or ""): one for one in measures}
        for measures in (arm.measures.get(split, ()) for arm in trialled.arms)
    ]
    keys = dict.fromkeys(key for of_arm in found for key in of_arm)
    return [
        (
            metric_in_words(metric, trialled.classes),
            group,
            [
                (of_arm.get((metric, group)), "" if group else worst_of(trialled, arm, metric, split))
                for arm, of_arm in zip(trialled.arms, found, strict=True)
            ],
        )
        for metric, group in keys
    ]


def _scores(trialled: Trialled) -> dict[str, Any]:
    scores = trialled.verdict.scores
    return {
        "words": ARMS,
        "parts": [
            ("", [_score(one) for one in scores if not one.equal_shares]),
            (_EQUAL, [_score(one) for one in scores if one.equal_shares]),
        ],
        "controls": has_controls(trialled),
        "plots": plots_of(trialled),
        "conflicting": trialled.verdict.conflicting,
        "right_on_conflicting": trialled.verdict.right_on_conflicting,
        "repeats": REPEATS,
        "by_subject": trialled.subjects is not None,
    }


def _score(one: Judged) -> dict[str, Any]:
    return {"title": SCORES[one.name], "meaning": meaning(one.name), "style": _style(one), "judged": one}


def _style(one: Judged) -> str:
    """Marked is what is better, or worse, than all other arms, by more than chance."""
    gains = [gain.value for gain in one.gains]
    sure = one.corrected < SURE and one.over_untouched.p_value < SURE
    if sure and min(gains) > 0:
        return "sure passed"
    return "sure problem" if sure and max(gains) < 0 else ""


def _changes(trialled: Trialled) -> dict[str, Any]:
    better = [one for one in reversed(trialled.changes) if one.difference > 0]
    worse = [one for one in trialled.changes if one.difference < 0]
    return {
        "kind_of": kind_of,
        "told": parts_compared(trialled.changes),
        "same": len(trialled.changes) - len(better) - len(worse),
        "columns": [
            _column("What got worse", "problem", "No part got worse.", worse),
            _column("What got better", "passed", "No part got better.", better),
        ],
    }


def _column(title: str, style: str, none: str, changes: Sequence[Changed]) -> Column:
    ordered = tuple(sorted(changes, key=lambda one: not one.sure))
    shown = max(_LISTED, sum(one.sure for one in ordered))
    return Column(title, style, none, ordered[:shown], ordered[shown:])


def _division(trialled: Trialled) -> dict[str, Any]:
    return {
        "classes": trialled.classes,
        "rows": [
            (_ROLES.get(role, role), [of.get(name, 0) for name in trialled.classes], sum(of.values()))
            for role, of in trialled.counts.items()
        ],
        "subjects": trialled.subjects,
        "seen": sentence(trialled.seen),
        "notes": [sentence(note) for note in trialled.notes],
    }


def _facts(trialled: Trialled, command: str, versions: Mapping[str, str]) -> list[tuple[str, str]]:
    facts = [("command", command)] if command else []
    facts += [("sha256 of the data", trialled.sha256)] if trialled.sha256 else []
    facts += [("sha256 of the old weights", trialled.weights_sha256)]
    facts += list(trialled.about.items())
    facts += [(f"setting {name}", str(value)) for name, value in trialled.settings.items()]
    facts += [("licence", text) for text in trialled.licences or licences_of()]
    facts += [(f"version of {name}", version) for name, version in versions.items()]
    return facts

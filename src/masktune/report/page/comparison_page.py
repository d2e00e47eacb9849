"""The page of two runs."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from masktune.findings.compared import Compared, Difference, Moved, MovedKind, Part, TurnKind
from masktune.findings.shown import Shown
from masktune.report.page.frame import Page, Section, render_page
from masktune.report.page.gallery import Card, cards_of
from masktune.report.page.kind import Kind

LISTED = 500
"""Images that a list of one kind names; the tables of the runs have all."""
_PRINTED = 20
"""Pictures that go onto paper, of each kind."""

_PARTS: Mapping[Part, str] = {
    "data": "Data",
    "split": "Splits, subjects, groups",
    "weights": "Weights",
    "settings": "Settings",
    "machine": "Machine",
    "version": "Versions",
}
_VERDICTS = {
    "better": ("passed", "better", "better"),
    "worse": ("problem", "worse", "worse"),
    "no evidence": ("not_applicable", "without evidence", "without evidence"),
}
"""Style, and the words of one and of several."""
_TURNS: Sequence[tuple[TurnKind, str, str]] = (
    ("came", "Came", "They fire now, and did not before."),
    ("went", "Went", "They fired before, and do not now."),
    ("changed", "Another verdict or value", "Both runs have them."),
)
_KINDS: Sequence[tuple[MovedKind, str, str]] = (
    ("lost", "Wrong now, right before", "What the new run lost."),
    ("gained", "Right now, wrong before", "What the new run gained."),
    ("other", "Called otherwise, neither better nor worse", "Wrong both times, or it cannot be told."),
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs, as the foot of the page names it."""

    folder: str = ""
    """Empty in a report without names."""
    argv: tuple[str, ...] = ()
    """What was typed; likewise."""
    started: str = ""
    """The day."""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class MovedCard:
    """A picture of an image that gets another class."""

    moved: Moved
    card: Card
    printed: bool


def render_comparison(
    compared: Compared,
    shown: Sequence[Shown],
    *,
    name: str,
    kind: Kind,
    summary: Sequence[str],
    sides: tuple[Side, Side] = (Side(), Side()),
) -> str:
    """The HTML of a comparison, complete in itself.

    Args:
        compared: what came out, already without names where `kind` says so.
        shown: the gallery of the new run; those among them that are called otherwise are shown.
        name: of the data set.
        kind: what the page may hold.
        summary: paragraphs, plain text.
        sides: old run, new run.
    """
    moved = {one.id for one in compared.moved}
    cards = cards_of([one for one in shown if one.id in moved], images=True) if kind.images else []
    page = Page(
        title=f"{name}: two runs",
        command="report",
        kind=Kind(images=bool(cards), names=kind.names),
        summary=summary,
        sections=_sections(compared, {card.shown.id: card for card in cards}),
        tally=_tally(compared),
        facts=_facts(compared, sides),
        made=_made(sides),
    )
    return render_page(page)


def _sections(compared: Compared, cards: Mapping[str, Card]) -> list[Section]:
    differences = {"parts": _by_part(compared.differences), "compared": compared}
    changes = {"changes": compared.changes, "styles": {name: own[0] for name, own in _VERDICTS.items()}}
    turns = [(title, what, found) for kind, title, what in _TURNS if len(found := compared.turned(kind)) > 0]
    images = {"groups": _groups(compared, cards)}
    return [
        Section("changes", "What got better, what got worse", "compared_numbers.html.j2", changes),
        Section("differences", "What differs between the runs", "compared_runs.html.j2", differences),
        Section("findings", "Findings that came and went", "compared_findings.html.j2", {"groups": turns}),
        Section("images", "Images called otherwise", "compared_images.html.j2", images),
    ]


def _by_part(differences: Sequence[Difference]) -> list[tuple[str, list[Difference]]]:
    groups = [(title, [one for one in differences if one.part == part]) for part, title in _PARTS.items()]
    return [group for group in groups if group[1]]


def _groups(compared: Compared, cards: Mapping[str, Card]) -> list[dict[str, Any]]:
    groups = []
    for kind, title, what in _KINDS:
        moved = [one for one in compared.moved if one.kind == kind]
        shown = [one for one in moved if one.id in cards]
        if moved:
            groups.append(
                {
                    "id": kind,
                    "title": title,
                    "what": what,
                    "count": len(moved),
                    "listed": moved[:LISTED],
                    "cards": [
                        MovedCard(one, cards[one.id], printed=at < _PRINTED) for at, one in enumerate(shown)
                    ],
                }
            )
    return groups


def _tally(compared: Compared) -> list[tuple[str, str, int]]:
    counts = [
        (style, words[count != 1], count)
        for verdict, (style, *words) in _VERDICTS.items()
        for count in [sum(change.verdict == verdict for change in compared.changes)]
    ]
    moved, problems = len(compared.moved), len(compared.new_problems)
    if problems:
        counts.insert(0, ("problem", f"new problem{'' if problems == 1 else 's'}", problems))
    return [*counts, ("hint", f"image{'' if moved == 1 else 's'} called otherwise", moved)]


def _made(sides: tuple[Side, Side]) -> str:
    days = [side.started for side in sides]
    return f"Old run {days[0]}, new run {days[1]}" if all(days) else ""


def _facts(compared: Compared, sides: tuple[Side, Side]) -> list[tuple[str, str]]:
    facts = [("images in both", str(compared.n))]
    for word, side in zip(("old", "new"), sides, strict=True):
        told = {
            "folder": side.folder,
            "command": f"masktune {shlex.join(side.argv)}" if side.argv else "",
            "started": side.started,
        }
        told |= {f"version of {name}": version for name, version in side.versions.items()}
        facts += [(f"{word} run, {name}", value) for name, value in told.items() if value]
    return facts

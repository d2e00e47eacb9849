"""The page of a scan."""

from collections.abc import Mapping, Sequence
from typing import Any

from masktune.findings.finding import Finding, Verdict
from masktune.findings.shown import Scanned
from masktune.report.page.frame import Page, Section, render_page
from masktune.report.page.gallery import Card, cards_of, script_data
from masktune.report.page.kind import Kind
from masktune.report.page.plots import plots_of
from masktune.report.page.slider import Slider, slider_of
from masktune.report.page.veil import Veil

GROUPS: Sequence[tuple[Verdict, str, str]] = (
    ("problem", "Problems", "They want something done."),
    ("hint", "Hints", "They want a look."),
    ("passed", "Passed", "Asked, and nothing stood out."),
    ("not_applicable", "Not applicable", "Could not be asked of these data; each says what was missing."),
)
PICTURED = 4
"""Images beside a problem; the gallery has more."""
WORDS: Mapping[Verdict, tuple[str, str]] = {
    "problem": ("problem", "problems"),
    "hint": ("hint", "hints"),
    "passed": ("passed", "passed"),
    "not_applicable": ("not applicable", "not applicable"),
}


def render_scan(
    scanned: Scanned,
    *,
    images: bool = True,
    pseudonymous: bool = False,
    summary: Sequence[str],
    command: str = "",
    made: str = "",
    versions: Mapping[str, str] | None = None,
) -> str:
    """The HTML of a scan, complete in itself.

    Args:
        scanned: what came out.
        images: whether the pictures are in it.
        pseudonymous: numbers instead of names; no paths, no values of headers or columns.
        summary: paragraphs, plain text.
        command: the line that made it; holds paths, so a pseudonymous page leaves it out.
        made: when, in words.
        versions: of the libraries, by name.
    """
    hidden = dict(zip(scanned.observed.ids.tolist(), scanned.observed.hidden.tolist(), strict=True))
    hidden = {one.id: hidden[one.id] for one in scanned.shown}
    if pseudonymous:
        veil = Veil.of(scanned)
        hidden = {veil.numbers[sample]: share for sample, share in hidden.items()}
        scanned, summary, command = veil.scanned(scanned), [veil.text(text) for text in summary], ""
    slider = slider_of(scanned, hidden)
    cards = cards_of(scanned.shown, images=images, hidden=hidden)
    page = Page(
        title=scanned.name,
        command="scan",
        kind=Kind(images=images, names=not pseudonymous),
        summary=summary,
        sections=_sections(scanned, cards, slider),
        tally=_tally(scanned.findings),
        facts=_facts(scanned, command, versions or {}),
        made=made,
        data={**script_data(cards), "slider": slider.script_data()},
    )
    return render_page(page)


def _sections(scanned: Scanned, cards: Sequence[Card], slider: Slider) -> list[Section]:
    named = {code for card in cards for code in card.shown.findings}
    sections = [
        Section(
            "findings",
            "Findings",
            "findings.html.j2",
            {"groups": _grouped(scanned.findings, cards), "named": named, "muted": scanned.muted},
        ),
        Section(
            "plots",
            "Where it looks and what hangs on it",
            "plots.html.j2",
            {"plots": plots_of(scanned.observed)},
        ),
    ]
    if cards:
        sections.append(Section("gallery", "Gallery", "gallery.html.j2", _gallery(scanned, cards, slider)))
    return sections


def _grouped(
    findings: Sequence[Finding], cards: Sequence[Card]
) -> list[tuple[Verdict, str, str, list[tuple[Finding, list[Card]]]]]:
    """The verdicts that occur, with their findings; a problem with a few of its images."""
    pictured = {card.shown.id: card for card in cards if card.jpeg is not None}
    groups = []
    for verdict, title, what in GROUPS:
        own = [finding for finding in findings if finding.verdict == verdict]
        shown = [
            [pictured[one] for one in finding.samples if one in pictured][: PICTURED * (verdict == "problem")]
            for finding in own
        ]
        if own:
            groups.append((verdict, title, what, list(zip(own, shown, strict=True))))
    return groups


def _tally(findings: Sequence[Finding]) -> list[tuple[str, str, int]]:
    counts = [(verdict, sum(one.verdict == verdict for one in findings)) for verdict, _, _ in GROUPS]
    return [(verdict, WORDS[verdict][count != 1], count) for verdict, count in counts]


def _gallery(scanned: Scanned, cards: Sequence[Card], slider: Slider) -> dict[str, Any]:
    titles = {finding.code: finding.title for finding in scanned.findings}
    return {
        "cards": cards,
        "slider": slider,
        "all": len(scanned.observed),
        "same_classes": scanned.observed.same_classes,
        "labels": _in_use(card.shown.label for card in cards),
        "answers": _in_use(card.shown.predicted for card in cards),
        "findings": [
            (code, titles.get(code, ""))
            for code in sorted({c for card in cards for c in card.shown.findings})
        ],
    }


def _in_use(names: Any) -> list[str]:
    return sorted(set(names))


def _facts(scanned: Scanned, command: str, versions: Mapping[str, str]) -> list[tuple[str, str]]:
    facts = [("command", command)] if command else []
    facts += [("images", str(len(scanned.observed)))]
    facts += list(scanned.observed.about.items())
    facts += [(f"setting {name}", str(value)) for name, value in scanned.settings.items()]
    facts += [(f"version of {name}", version) for name, version in versions.items()]
    facts += [("noticed", note) for note in scanned.observed.notes]
    return facts

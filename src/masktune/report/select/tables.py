"""The tables of a selection, as text that Markdown, the page and the terminal show alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from masktune.abstention import ENSEMBLE, Areas, At, Measured, Selected
from masktune.evaluation import Rate
from masktune.report.page.numbers import DASH, percent, percent_between
from masktune.selective import KINDS, Found, GroupPart, worst_group
from masktune.selective.by_group import FEW


@dataclass(frozen=True, slots=True)
class SelectTable:
    """Cells as text."""

    id: str
    title: str
    told: tuple[str, ...]
    """What a person needs to read it, a sentence each."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(selected: Selected) -> list[SelectTable]:
    """All tables that there is something for."""
    found = [_areas(selected), _coverages(selected, "coverage"), _coverages(selected, "ranked")]
    found += [
        _risks(selected),
        _groups(selected),
        _classes(selected),
        _agreement(selected),
        _thresholds(selected),
    ]
    return [table for table in found if table.rows]


def spread(values: Sequence[float | None], digits: int = 1) -> str:
    """A share over seeds in per cent: its mean, and the standard deviation where there are several."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return DASH
    told = f"{np.mean(known):.{digits}f}"
    return told if len(known) == 1 else f"{told} ± {np.std(known, ddof=1):.{digits}f}"


def area(rate: Rate) -> str:
    """An area in per cent with its interval."""
    if rate.value is None:
        return DASH
    return f"{100 * rate.value:.2f} ({100 * (rate.low or 0):.2f} to {100 * (rate.high or 0):.2f})"


def change(rate: Rate) -> str:
    """A difference of areas in points, with its interval."""
    if rate.value is None or rate.low is None or rate.high is None:
        return DASH
    ends = f"({100 * rate.low:+.2f} to {100 * rate.high:+.2f})"
    return f"{100 * rate.value:+.2f} {ends}".replace("-", "−")


def _named(one: Areas) -> tuple[str, str]:
    return one.title, one.key[1]


def _areas(selected: Selected) -> SelectTable:
    base = selected.baseline
    ensemble = next(
        (one for one in selected.areas if one.key == (ENSEMBLE, selected.settings.scores[0])), None
    )
    held = [base, *([] if ensemble is None else [ensemble])]
    head = (
        "who decides",
        "score",
        "AURC",
        "E-AURC",
        "AUGRC",
        *(f"AURC against {_short(one)}" for one in held),
    )
    rows = tuple(
        (
            *_named(one),
            *map(area, one.mean),
            *(DASH if one is other else change(one.against[other.key]) for other in held),
        )
        for one in selected.areas
    )
    return SelectTable(
        "areas",
        "How well each score tells wrong answers from right ones",
        (
            "Areas in per cent, lower is better. AURC: selective risk (wrong among answered) over coverage.",
            "E-AURC: above the best order. AUGRC: generalised risk (answered and wrong among all).",
            "Means over seeds. Intervals (95 %) draw the test images again, for all lines together.",
            "Differences are about the same images; below 0 is better.",
        ),
        head,
        rows,
    )


def _short(one: Areas) -> str:
    return f"{one.key[0]}, {one.key[1]}"


def _at(one: Measured, kind: str, asked: float) -> At:
    found = one.at(kind, asked)
    assert found is not None
    return found


def _coverages(selected: Selected, kind: str) -> SelectTable:
    settings = selected.settings
    rows = []
    for one in selected.areas:
        seeds = selected.seeds_of(one)
        cells = []
        for asked in settings.coverage:
            found = [_at(measured, kind, float(asked)) for measured in seeds]
            risk = spread([at.risk.value for at in found], 2)
            reached = "" if kind == "ranked" else f" at {spread([at.coverage.value for at in found])}"
            cells.append(f"{risk}{reached}")
        rows.append((*_named(one), *cells))
    by_threshold = kind == "coverage"
    told = (
        f"Thresholds are those of {settings.calibrate}; wrong answers among answered images of "
        f"{settings.test} in per cent, and the coverage that came out."
        if by_threshold
        else f"The images of {settings.test} themselves are ranked, as many papers do; nobody can who must "
        "answer image by image. Wrong answers among answered images in per cent."
    )
    title = "Risk at the coverages asked for" if by_threshold else "The same, ranked on the test images"
    head = ("who decides", "score", *(f"{float(one):.0%}" for one in settings.coverage))
    return SelectTable(kind, title, (told,), head, tuple(rows))


def _risks(selected: Selected) -> SelectTable:
    settings = selected.settings
    kind = "empirical" if settings.empirical else "guaranteed"
    rows = []
    for one in selected.areas:
        for asked in settings.risk:
            found = [_at(measured, kind, float(asked)) for measured in selected.seeds_of(one)]
            rows.append(
                (
                    *_named(one),
                    f"{float(asked):.2%}",
                    spread([at.coverage.value for at in found]),
                    spread([at.risk.value for at in found], 2),
                    ", ".join(percent_between(at.risk.low, at.risk.high) for at in found),
                    *([] if settings.costs is None else [_costs(found)]),
                )
            )
    told = (
        "No guarantee: on other images the risk is larger about every second time."
        if settings.empirical
        else f"With a chance of {1 - settings.delta:.4g} over the calibration images, the risk of other "
        "images of the same kind is at most the one asked for; each line by itself."
    )
    head: tuple[str, ...] = ("who decides", "score", "risk asked for", "coverage, %", "risk on test, %")
    head += ("its 95 % interval, by seed",)
    head += () if settings.costs is None else ("mean cost of an answer",)
    title = "Coverage at an empirical risk" if settings.empirical else "Coverage at a guaranteed risk"
    return SelectTable("risks", title, (told,), head, tuple(rows))


def _costs(found: Sequence[At]) -> str:
    known = [at.cost for at in found if at.cost is not None]
    return f"{np.mean(known):.4g}" if known else DASH


def _groups(selected: Selected) -> SelectTable:
    kind, asked = selected.point
    told = (
        f"At {_in_words(kind, asked)}.",
        "Reference: the group's risk if as many right and wrong answers were given without regard to groups.",
        "A risk above it means that the score is worse for this group than for all.",
        f"Fewer than {FEW} answered images say little; intervals are exact, of the first seed.",
    )
    return _parts(selected, "groups", "Who pays: by group", told, lambda at: at.groups, kind, asked)


def _classes(selected: Selected) -> SelectTable:
    kind, asked = selected.point
    told = (f"At {_in_words(kind, asked)}, by true class.",)
    return _parts(selected, "classes", "By class", told, lambda at: at.classes, kind, asked)


def _parts(
    selected: Selected,
    place: str,
    title: str,
    told: tuple[str, ...],
    of: Callable[[At], Sequence[GroupPart]],
    kind: str,
    asked: float,
) -> SelectTable:
    rows = []
    for one in (selected.baseline, selected.headline):
        found = [_at(measured, kind, asked) for measured in selected.seeds_of(one)]
        for at, first in enumerate(of(found[0])):
            parts = [of(seed)[at] for seed in found]
            rows.append(
                (
                    *_named(one),
                    first.group,
                    f"{first.coverage.n:,}",
                    spread([part.coverage.value for part in parts]),
                    _risk_of(parts),
                    percent_between(first.risk.low, first.risk.high),
                    f"{first.risk.n:,}",
                    spread([part.reference for part in parts]),
                    spread([part.wrong_accepted.value for part in parts]),
                )
            )
    head = (
        "who decides",
        "score",
        "group" if place == "groups" else "class",
        "images",
        "answered, %",
        "risk, %",
        "its 95 % interval",
        "answered images",
        "reference, %",
        "of its mistakes answered, %",
    )
    return SelectTable(place, title, told, head, tuple(rows))


def _risk_of(parts: Sequence[GroupPart]) -> str:
    """Of a group over seeds; of few answers the interval alone says something."""
    if not parts[0].risk.n:
        return "none answered"
    return "few, see interval" if parts[0].few else spread([part.risk.value for part in parts])


def _in_words(kind: str, asked: float) -> str:
    return f"a coverage of {asked:.0%}" if kind == "coverage" else f"a risk of {asked:.2%} ({kind})"


def _agreement(selected: Selected) -> SelectTable:
    rows = []
    for one in selected.areas:
        seeds = selected.seeds_of(one)
        if one.key[1] != selected.settings.scores[0] or seeds[0].agreement is None:
            continue
        apart = [seed.wrong_where_not for seed in seeds]
        rows.append(
            (
                one.title,
                spread([seed.agreement.value for seed in seeds if seed.agreement]),
                spread([seed.wrong_where_agreed.value for seed in seeds if seed.wrong_where_agreed]),
                *(spread([pair[at].value for pair in apart if pair is not None]) for at in (0, 1)),
            )
        )
    head = (
        "who votes",
        "agree, %",
        "wrong where they agree, %",
        "first wrong where not, %",
        "second wrong where not, %",
    )
    return SelectTable("agreement", "Where two models agree", (), head, tuple(rows))


def _thresholds(selected: Selected) -> SelectTable:
    rows = []
    for one in (selected.baseline, selected.headline):
        for measured in selected.seeds_of(one):
            for at in measured.points:
                for label, found in enumerate(at.found):
                    of = f", class {label}" if len(at.found) > 1 else ""
                    rows.append(
                        (
                            *_named(one),
                            str(measured.line.seed),
                            f"{_in_words(at.kind, at.asked)}{of}",
                            _threshold(one.key[1], found.threshold),
                            f"{found.accepted:,} of {found.n:,}",
                            f"{found.wrong:,}",
                            _promised(found),
                        )
                    )
    head = ("who decides", "score", "seed", "asked for", "threshold", "calibration images answered", "wrong")
    return SelectTable(
        "thresholds",
        "Thresholds",
        ("An image is answered where its score is at least the threshold; predictors/ holds each as JSON.",),
        (*head, "of other images"),
        tuple(rows),
    )


def _threshold(score: str, value: float) -> str:
    """As it is compared, and as the number that people know the score by."""
    shown = float(KINDS[score].shown(np.array(value)))
    return f"{value:.6g}" if shown == value or np.isinf(value) else f"{value:.6g} (= {shown:.6g})"


def _promised(found: Found) -> str:
    """What holds for other images, in short."""
    if found.bound is not None:
        return f"risk at most {percent(found.bound, 2)}"
    if found.coverage_low is None:
        return "nothing"
    return f"{percent_between(found.coverage_low, found.coverage_high)} % answered"


def worst_of(selected: Selected, one: Areas) -> list[GroupPart]:
    """Each seed's group with the highest risk at the point by which groups are told."""
    kind, asked = selected.point
    found = [worst_group(list(_at(seed, kind, asked).groups)) for seed in selected.seeds_of(one)]
    return [part for part in found if part is not None]

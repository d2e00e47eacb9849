"""Risk over coverage: of each way to decide, and of each group."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from masktune.abstention import ENSEMBLE, GRID, Areas, Selected
from masktune.abstention.group_curves import GroupCurve, group_curves
from masktune.report.page.drawing import Plot, Theme, figure_of, in_both_themes
from masktune.report.page.numbers import percent
from masktune.report.page.paper import NARROW, SERIES, WIDE, share_axes, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = ("-", "-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
"""Eight lines, of which the last has the first one's colour."""


def shown_lines(selected: Selected) -> list[Areas]:
    """Those in the plot: the first model alone, MaskTune's vote, and what it must beat; at most eight."""
    base, vote, score = selected.baseline, selected.headline, selected.settings.scores[0]
    others = [
        one for one in selected.areas if one.key[1] == score and one is not vote and one.title != vote.title
    ]
    others.sort(key=lambda one: one.key[0] != ENSEMBLE)
    alone = [one for one in selected.areas if one.key == (vote.key[0], "sr")]
    return [base, vote, *others, *alone][: len(_DASHES)]


def plots_of(selected: Selected) -> list[Plot]:
    """The plots of the page."""
    lines = shown_lines(selected)
    found = [
        _plot(
            "risk-coverage",
            "Risk over coverage",
            "Left: wrong among answered images. Right: answered and wrong among all. Down is better. Lines "
            "are means over seeds, bands the 95 % interval over images of the first two.",
            lambda theme, width: draw_curves(lines, theme, width),
            ("who decides", "score", *(f"{share:.0%}" for share in _TOLD)),
            tuple(
                (one.title, one.key[1], *(percent(one.risk[0][_place(share)], 2) for share in _TOLD))
                for one in lines
            ),
        )
    ]
    groups = groups_shown(selected)
    if groups:
        found.append(
            _plot(
                "groups",
                "Who pays: risk of each group over the coverage of all",
                "A line is a group, dotted its risk if as many right and wrong answers were given without "
                "regard to groups. Above its dotted line a group is served worse than others by abstaining.",
                lambda theme, width: draw_groups(groups, theme, width),
                ("who decides", "group", "images", *(f"{share:.0%}" for share in _TOLD)),
                tuple(
                    (
                        title,
                        one.group,
                        f"{one.n:,}",
                        *(percent(one.risk[_place(share)], 1) for share in _TOLD),
                    )
                    for title, curves in groups
                    for one in curves
                ),
            )
        )
    return found


_TOLD = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Coverages in the table of a plot."""


def groups_shown(selected: Selected) -> list[tuple[str, list[GroupCurve]]]:
    """The first model alone, and the vote; nothing where groups are not known."""
    found = [
        (f"{one.title}, {one.key[1]}", group_curves(selected.seeds_of(one)))
        for one in (selected.baseline, selected.headline)
    ]
    return [(title, curves) for title, curves in found if curves]


def write_plots(selected: Selected, out: Path) -> list[str]:
    """SVG and PDF of each plot, dark on white; gives the names of the SVG files."""
    lines, groups = shown_lines(selected), groups_shown(selected)
    write_figure(out / "risk_coverage", lambda theme: draw_curves(lines, theme, WIDE))
    if not groups:
        return ["risk_coverage.svg"]
    write_figure(out / "risk_coverage_groups", lambda theme: draw_groups(groups, theme, WIDE))
    return ["risk_coverage.svg", "risk_coverage_groups.svg"]


def draw_curves(lines: Sequence[Areas], theme: Theme, width: float) -> "Figure":
    """Selective and generalised risk, side by side, or one below the other where it is narrow."""
    wide = width > NARROW
    figure = figure_of(width, 3.6 + 0.17 * len(lines) if wide else 6.4 + 0.2 * len(lines))
    axes = figure.subplots(1, 2) if wide else figure.subplots(2, 1)
    for axis, kind in zip(axes, ("risk", "joint"), strict=True):
        for at, one in reversed([*enumerate(lines)]):
            mean, low, high = getattr(one, kind)
            colour = _colour(at, theme)
            axis.plot(GRID, mean, color=colour, linestyle=_DASHES[at], linewidth=1.5, label=_label(one))
            if at < 2:
                axis.fill_between(GRID, low, high, color=colour, alpha=0.13, linewidth=0)
        _axes(axis, theme, "wrong among answered" if kind == "risk" else "answered and wrong among all")
    handles, names = axes[0].get_legend_handles_labels()
    _legend(figure, handles[::-1], names[::-1], theme, 2 if wide else 1)
    return figure


def draw_groups(groups: Sequence[tuple[str, list[GroupCurve]]], theme: Theme, width: float) -> "Figure":
    """A panel a way to decide."""
    wide = width > NARROW
    count = len(groups[0][1])
    figure = figure_of(width, 3.6 + 0.1 * count if wide else 6.4 + 0.2 * count)
    axes = np.atleast_1d(
        figure.subplots(1, len(groups), sharey=True) if wide else figure.subplots(len(groups), 1, sharey=True)
    )
    for axis, (title, curves) in zip(axes, groups, strict=True):
        for at, one in enumerate(curves):
            colour = _colour(at, theme)
            axis.plot(GRID, one.risk, color=colour, linewidth=1.5, label=f"{one.group} ({one.n:,})")
            axis.plot(GRID, one.reference, color=colour, linewidth=1, linestyle=":", alpha=0.8)
        axis.set_title(title, fontsize=9, color=theme.ink, loc="left")
        _axes(axis, theme, "wrong among answered")
    handles, names = axes[0].get_legend_handles_labels()
    _legend(figure, handles, names, theme, 2 if wide else 1)
    return figure


def _axes(axis: Any, theme: Theme, what: str) -> None:
    axis.set_xlim(GRID[0], 1.0)
    axis.set_ylim(bottom=0)
    share_axes(axis, theme, "coverage: share of images answered", what)


def _legend(
    figure: "Figure", handles: Sequence[Any], names: Sequence[str], theme: Theme, columns: int
) -> None:
    found = figure.legend(
        handles, names, loc="outside lower left", ncols=columns, frameon=False, fontsize=8, handlelength=3
    )
    for text in found.get_texts():
        text.set_color(theme.ink)


def _colour(at: int, theme: Theme) -> str:
    """The first is grey: what the others are held against."""
    series = SERIES[theme]
    return series[(at - 1) % len(series)]


def _label(one: Areas) -> str:
    return f"{one.title}, {one.key[1]}"


def _place(share: float) -> int:
    return int(np.argmin(np.abs(GRID - share)))


def _plot(
    place: str,
    title: str,
    caption: str,
    draw: Callable[[Theme, float], "Figure"],
    head: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
) -> Plot:
    light, dark = in_both_themes(lambda theme: draw(theme, WIDE))
    alt = f"{title}. " + "; ".join(", ".join(row) for row in rows)
    narrow = in_both_themes(lambda theme: draw(theme, NARROW))
    return Plot(place, title, caption, alt, light, dark, head, rows, narrow)

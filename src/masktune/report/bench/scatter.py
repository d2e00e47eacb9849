"""Every seed of every method, worst group against average: for the page, as SVG, and as PDF for a paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from masktune.bench import METHODS, Standings
from masktune.report.bench.columns import BenchTable
from masktune.report.page.drawing import Plot, Theme, figure_of, in_both_themes
from masktune.report.page.numbers import percent
from masktune.report.page.paper import NARROW, SERIES, WIDE, share_axes, write_figure
from masktune.report.page.plots import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_SIZES = {"*": 75.0, "P": 48.0, "X": 48.0}
_LINE = 0.19
"""Inches of a name."""
_LEAST_SPAN = 0.1
"""Of an axis: differences below a point must not look large."""


@dataclass(frozen=True, slots=True)
class Dots:
    """A method's seeds, rates as fractions."""

    method: str
    seeds: tuple[int, ...]
    averages: tuple[float, ...]
    worst: tuple[float, ...]


def dots_of(one: Standings) -> list[Dots]:
    """What there is to draw: methods of which worst group and average are known."""
    return [
        Dots(line.method, line.seeds, line.averages["accuracy"].values, line.worst.cell.values)
        for line in one.lines
        if line.worst is not None and "accuracy" in line.averages
    ]


def scatter_plot(table: BenchTable, place: str) -> Plot | None:
    """The plot of a page; None where no worst group is known. `place` is its id there."""
    dots = dots_of(table.of)
    if not dots:
        return None
    light, dark = in_both_themes(lambda theme: draw_scatter(dots, theme))
    told = "; ".join(
        f"{one.method}: average {_range(one.averages)}, worst group {_range(one.worst)}" for one in dots
    )
    return Plot(
        id=f"scatter-{place}",
        title=f"Every seed on {table.of.dataset}: worst group against average",
        caption="A dot is a method with one seed, on the test images. Up is better in the worst group, right "
        "is better on average. Thin lines tie a method's seeds together: long ones say that seeds decide.",
        alt=f"Scatter. {told}.",
        light=light,
        dark=dark,
        narrow=in_both_themes(lambda theme: draw_scatter(dots, theme, NARROW)),
        head=("method", "seed", "average accuracy", "worst group"),
        rows=tuple(
            (one.method, str(seed), percent(average, 1), percent(worst, 1))
            for one in dots
            for seed, average, worst in zip(one.seeds, one.averages, one.worst, strict=True)
        ),
    )


def write_scatter(one: Standings, stem: Path) -> bool:
    """Write STEM.svg and STEM.pdf, dark on white; False where there is nothing to draw."""
    dots = dots_of(one)
    if dots:
        write_figure(stem, lambda theme: draw_scatter(dots, theme))
    return bool(dots)


def draw_scatter(dots: Sequence[Dots], theme: Theme, width: float = WIDE) -> "Figure":
    """The figure; each method's name stands at its right, as high as its dots as far as there is room."""
    figure = figure_of(width, max(3.6, 0.9 + _LINE * len(dots)))
    axis = figure.subplots()
    _axes(axis, dots, theme, width)
    order = sorted(range(len(dots)), key=lambda at: float(np.mean(dots[at].worst)))
    low, high = axis.get_ylim()
    wanted = [(float(np.mean(dots[at].worst)) - low) / (high - low) for at in order]
    inches = figure.get_figheight() - 0.7
    heights = dict(zip(order, spread(wanted, _LINE / inches), strict=True))
    for at, one in enumerate(dots):
        _draw(axis, one, _look(one.method, at, theme), heights[at], theme)
    return figure


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Places in 0 to 1, in the order given (rising), at least `gap` apart and else near those wanted."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap) if places else max(place, 0.0))
    above = 1.0
    for at in range(len(places) - 1, -1, -1):
        places[at] = above = min(places[at], above)
        above -= gap
    return places


def _axes(axis: Any, dots: Sequence[Dots], theme: Theme, width: float) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlim(*_limits([value for one in dots for value in one.averages]))
    axis.set_ylim(*_limits([value for one in dots for value in one.worst]))
    share_axes(axis, theme, "average accuracy (raw mean)", "worst group")
    for of in (axis.xaxis, axis.yaxis):
        of.set_major_locator(MaxNLocator(5 if of is axis.yaxis or width > NARROW else 3))


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """All values with a margin, at least `_LEAST_SPAN` wide, hardly beyond 0 to 1."""
    low, high = min(values), max(values)
    margin = max(0.07 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    return max(low - margin, -0.03), min(high + margin, 1.03)


def _look(method: str, at: int, theme: Theme) -> dict[str, Any]:
    """Colour and marker: of our methods always the same, of others by their place in the table."""
    names = list(METHODS)
    number = names.index(method) if method in names else len(names) + at
    colours = SERIES[theme]
    marker = _MARKERS[number % len(_MARKERS)]
    return {"color": colours[number % len(colours)], "marker": marker, "s": _SIZES.get(marker, 34.0)}


def _draw(axis: Any, one: Dots, look: dict[str, Any], height: float, theme: Theme) -> None:
    """Dots, tied to their mean; beside the axes the name with its marker and a line to that mean."""
    axis.scatter(one.averages, one.worst, linewidths=0, alpha=0.9, zorder=3, **look)
    beside = axis.get_yaxis_transform()  # Across in axes, up in data.
    low, high = axis.get_ylim()
    level = low + height * (high - low)
    thin = {"color": look["color"], "alpha": 0.45, "linewidth": 0.7}
    middle = float(np.mean(one.averages)), float(np.mean(one.worst))
    for average, worst in zip(one.averages, one.worst, strict=True):
        axis.plot((middle[0], average), (middle[1], worst), zorder=2, **thin)
    axis.annotate(
        "",
        xy=middle,
        xytext=(1.015, level),
        textcoords=beside,
        arrowprops={"arrowstyle": "-", "shrinkB": 0, **thin},
        zorder=2,
    )
    axis.scatter([1.04], [level], transform=beside, clip_on=False, linewidths=0, **look)
    axis.text(1.075, level, short(one.method), transform=beside, va="center", fontsize=8, color=theme.ink)


def _range(values: Sequence[float]) -> str:
    """From the lowest to the highest."""
    low, high = percent(min(values), 1), percent(max(values), 1)
    return low if low == high else f"{low.removesuffix(' %')} to {high}"

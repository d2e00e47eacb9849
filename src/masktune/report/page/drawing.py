"""How plots are drawn: two themes, small multiples, bars with intervals, a matrix; SVG as text."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64

from masktune.evaluation import Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 6
_STYLE: Any = {  # Matplotlib's own type of it came late, and names three hundred keys.
    "svg.fonttype": "none",  # Text stays text: the reader's fonts show any script.
    "svg.hashsalt": "masktune",  # The same bytes for the same numbers.
    "text.parse_math": False,  # A dollar sign in a name is a dollar sign.
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
    "font.size": 9,
}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a plot on a page."""

    ink: str
    soft: str
    """Axes and intervals."""
    bars: tuple[str, str, str, str]
    """As it is; salient, random, least salient hidden."""
    low: str
    """Pale end of the scale of a matrix."""
    high: str
    on_high: str
    """Text on the strong end."""


LIGHT = Theme(
    "#1c2430", "#5b6675", ("#5b6675", "#2456a6", "#7ea2d8", "#b9c9e2"), "#f1f4f8", "#2456a6", "#ffffff"
)
DARK = Theme(
    "#e6e9ee", "#a3adba", ("#a3adba", "#8ab4f8", "#5479b4", "#3d5275"), "#262d37", "#8ab4f8", "#10141a"
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, what it says in words, and its numbers."""

    id: str
    title: str
    caption: str
    alt: str
    """In place of the picture."""
    light: str
    """SVG on a light page."""
    dark: str
    head: tuple[str, ...]
    """Columns of the table."""
    rows: tuple[tuple[str, ...], ...]
    narrow: tuple[str, str] | None = None
    """On a light and on a dark page that is narrow; None where the others do there too."""


def in_both_themes(draw: Callable[[Theme], "Figure"]) -> tuple[str, str]:
    """The SVG of a figure on a light and on a dark page."""
    return as_svg(lambda: draw(LIGHT)), as_svg(lambda: draw(DARK))


def as_svg(draw: Callable[[], "Figure"]) -> str:
    """The SVG of a figure, drawn and saved in our style."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Only the width of such letters is guessed; what is shown is up to the reader's fonts.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        file = io.StringIO()
        draw().savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()


def figure_of(width: float, height: float) -> "Figure":
    """An empty figure, sizes in inches, without a ground."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # Not pyplot: it keeps global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    FigureCanvasAgg(figure)
    return figure


def small_multiples(count: int) -> tuple["Figure", list[Any]]:
    """A figure with at least `count` square axes in rows."""
    across = min(count, _ACROSS)
    down = -(-count // across)
    figure = figure_of(1.6 * across, 2.0 * down)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    return figure, axes


def show_map(axis: Any, mean: Float64[np.ndarray, "h w"], top: float) -> None:
    """A heat map on the unit square, `top` the brightest."""
    axis.imshow(
        mean, cmap="inferno", vmin=0, vmax=max(top, 1e-6), extent=(0, 1, 1, 0), interpolation="nearest"
    )


def outline(axis: Any, box: tuple[float, float, float, float]) -> None:
    """A frame around top, left, bottom, right in shares; light on dark, so that any map shows it."""
    from matplotlib.patches import Rectangle

    top, left, bottom, right = box
    for colour, width in (("black", 3.0), ("#4ee1ff", 1.5)):
        axis.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=width)
        )


def draw_bars(axis: Any, bars: Sequence[tuple[str, Rate]], theme: Theme) -> None:
    """Lying bars from 0 to 1, the first at the top, each with its interval and its value.

    More bars than there are colours have one in common.
    """
    few = len(bars) <= len(theme.bars)
    colours = theme.bars[-len(bars) :] if few else theme.bars[-1:] * len(bars)
    for at, ((_, rate), colour) in enumerate(zip(bars, colours, strict=True)):
        value = rate.value or 0.0
        axis.barh(at, value, height=0.62, color=colour)
        end = value
        if rate.low is not None and rate.high is not None:
            axis.plot((rate.low, rate.high), (at, at), color=theme.ink, linewidth=1.2, solid_capstyle="butt")
            end = rate.high
        text = "–" if rate.value is None else f"{100 * rate.value:.0f} %"
        axis.text(end + 0.02, at, text, va="center", color=theme.ink)
    axis.set(xlim=(0, 1.16), ylim=(len(bars) - 0.5, -0.5), yticks=range(len(bars)), xticks=(0, 0.5, 1))
    axis.set_yticklabels([name for name, _ in bars], color=theme.ink)
    axis.set_xticklabels(("0", "50 %", "100 %"), color=theme.soft)
    _bare(axis, theme)


def draw_matrix(axis: Any, counts: Int64[np.ndarray, "k k"], names: Sequence[str], theme: Theme) -> None:
    """Counts shaded by their share of the row."""
    from matplotlib.colors import LinearSegmentedColormap

    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    colours = LinearSegmentedColormap.from_list("shares", [theme.low, theme.high])
    axis.imshow(shares, cmap=colours, vmin=0, vmax=1)
    places = range(len(names))
    axis.set(xticks=places, yticks=places)
    axis.set_yticklabels(names, color=theme.ink)
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(names) > 2 else {}
    axis.set_xticklabels(names, color=theme.ink, **turned)
    axis.set_ylabel("true class", color=theme.soft)
    axis.set_xlabel("called", color=theme.soft)
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column]:
            ink = theme.on_high if shares[row, column] > 0.5 else theme.ink
            axis.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
    _bare(axis, theme)


def _bare(axis: Any, theme: Theme) -> None:
    for side in axis.spines.values():
        side.set_visible(False)
    axis.tick_params(length=0, colors=theme.soft)
    axis.patch.set_alpha(0)
    for label in axis.get_yticklabels() + axis.get_xticklabels():
        label.set_color(theme.ink)

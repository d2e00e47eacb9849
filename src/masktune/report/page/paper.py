"""Plots that stand on a page and, as files of their own, in a paper: colours, axes of shares, SVG and PDF."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masktune.files import complete_file, write_text
from masktune.report.page.drawing import DARK, LIGHT, Theme, as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = {
    LIGHT: ("#0072b2", "#c2410c", "#007a5a", "#a3307c", "#7a5f00", "#2b8a99", "#4a4f57"),
    DARK: ("#6cb4ee", "#ff9a57", "#4fd1a5", "#f09acb", "#e0c341", "#84dbe8", "#c9cfd8"),
}
"""Told apart by the colour-blind too, each on its ground; two of one colour need another marker or dash."""

WIDE, NARROW = 8.4, 3.7
"""Inches; the second is a phone's."""

_PDF: Any = {
    "pdf.fonttype": 42,  # As journals want it: letters, not shapes.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
}


def share_axes(axis: Any, theme: Theme, across: str, up: str) -> None:
    """Axes of two shares in per cent: named, with a thin grid, without sides at the top and the right."""
    from matplotlib.ticker import FuncFormatter

    axis.set_xlabel(across, color=theme.ink)
    axis.set_ylabel(up, color=theme.ink)
    axis.patch.set_alpha(0)
    axis.grid(color=theme.soft, alpha=0.22, linewidth=0.6)
    axis.set_axisbelow(True)
    for name, side in axis.spines.items():
        side.set_visible(name in ("left", "bottom"))
        side.set_color(theme.soft)
    for of in (axis.xaxis, axis.yaxis):
        of.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axis.tick_params(length=2, color=theme.soft, labelcolor=theme.ink, labelsize=8)


def write_figure(stem: Path, draw: Callable[[Theme], "Figure"]) -> None:
    """Write STEM.svg and STEM.pdf of a figure, dark on white."""
    import matplotlib as mpl

    def on_white() -> "Figure":
        figure = draw(LIGHT)
        figure.patch.set(facecolor="white", alpha=1)
        return figure

    write_text(stem.with_name(f"{stem.name}.svg"), as_svg(on_white))
    with mpl.rc_context(_PDF), complete_file(stem.with_name(f"{stem.name}.pdf")) as part:
        on_white().savefig(part, format="pdf", metadata={"CreationDate": None})

"""`masks.png`: images, where the classifier looks, what is hidden, and what it says before and after.

Of a trial also where the tuned classifier looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from masktune.files import complete_file
from masktune.runs import Examples


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One classifier's view of the examples."""

    maps: Float32[np.ndarray, "n h w"]
    """In [0, 1]."""
    titles: Shaped[np.ndarray, " n"]
    """What stands above each map."""


def draw_examples(examples: Examples, path: Path, *, sides: Sequence[Side] = ()) -> None:
    """Draw as PNG, two examples a row: image, heat map over it, image with the hidden area outlined.

    Above them stand title and caption. `sides` are heat maps to show instead of the examples' own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # Not pyplot: it keeps global state.
    from matplotlib.figure import Figure

    count = len(examples.images)
    sides = sides or (Side(examples.maps, np.full(count, "where it looks")),)
    panels, rows, across = 2 + len(sides), (count + 1) // 2, min(count, 2)
    figure = Figure(figsize=(4.6 / 3 * panels * across, 1.7 * rows), layout="constrained")
    grid = figure.subplots(rows, panels * across, squeeze=False)
    for axis in grid.flat:
        axis.axis("off")
    for at in range(count):
        start = panels * (at % across)
        _draw(grid[at // across][start : start + panels], examples, at, sides)
    with complete_file(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format="png", dpi=110)


def _draw(axes: Any, examples: Examples, at: int, sides: Sequence[Side]) -> None:
    image, masked = (_to_show(stack[at]) for stack in (examples.images, examples.masked))
    first, *middle, last = axes
    _picture(first, image, str(examples.titles[at]))
    for axis, side in zip(middle, sides, strict=True):
        _picture(axis, image, str(side.titles[at]))
        axis.imshow(side.maps[at], cmap="jet", alpha=0.55, vmin=0, vmax=1)
    caption = str(examples.captions[at])
    _picture(last, masked, f"hidden; {caption}" if caption else "hidden")
    if examples.hidden[at].any():
        # Black on black shows nothing; an outline does.
        last.contour(examples.hidden[at], levels=[0.5], colors="cyan", linewidths=0.8)


def _picture(axis: Any, image: np.ndarray, title: str) -> None:
    axis.imshow(image, interpolation="nearest")
    axis.set_title(title, fontsize=7, parse_math=False)  # A dollar sign in a name is one.


def _to_show(image: UInt8[np.ndarray, "c h w"]) -> np.ndarray:
    return np.repeat(image, 3, axis=0).transpose(1, 2, 0) if len(image) == 1 else image[:3].transpose(1, 2, 0)

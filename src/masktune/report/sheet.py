"""`masks.png`: images, where the classifier looks, what is hidden, and what it says before and after."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from masktune.files import complete_file
from masktune.runs import Examples


def draw_examples(examples: Examples, path: Path) -> None:
    """Draw as PNG, two examples a row: image, heat map over it, image with the hidden area outlined.

    Above them stand title and caption.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # Not pyplot: it keeps global state.
    from matplotlib.figure import Figure

    count = len(examples.images)
    rows, across = (count + 1) // 2, min(count, 2)
    figure = Figure(figsize=(4.6 * across, 1.7 * rows), layout="constrained")
    grid = figure.subplots(rows, 3 * across, squeeze=False)
    for axis in grid.flat:
        axis.axis("off")
    for at in range(count):
        start = 3 * (at % across)
        _draw(grid[at // across][start : start + 3], examples, at)
    with complete_file(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format="png", dpi=110)


def _draw(axes: Any, examples: Examples, at: int) -> None:
    image, masked = (_to_show(stack[at]) for stack in (examples.images, examples.masked))
    for axis, shown in zip(axes, (image, image, masked), strict=True):
        axis.imshow(shown, interpolation="nearest")
    axes[1].imshow(examples.maps[at], cmap="jet", alpha=0.55, vmin=0, vmax=1)
    if examples.hidden[at].any():
        # Black on black shows nothing; an outline does.
        axes[2].contour(examples.hidden[at], levels=[0.5], colors="cyan", linewidths=0.8)
    said = f"hidden; {examples.captions[at]}"
    for axis, title in zip(axes, (str(examples.titles[at]), "where it looks", said), strict=True):
        axis.set_title(title, fontsize=7)


def _to_show(image: UInt8[np.ndarray, "c h w"]) -> np.ndarray:
    return np.repeat(image, 3, axis=0).transpose(1, 2, 0) if len(image) == 1 else image[:3].transpose(1, 2, 0)

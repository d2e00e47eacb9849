"""`masks.png`: images, where the classifier looks, what is hidden, and what it says before and after."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from masktune.bench import Examples
from masktune.files import complete_file


def draw_examples(examples: Examples, path: Path) -> None:
    """Draw one row an image, as PNG: image, heat map over it, image with the salient area hidden.

    Above each row stands its group, beside it the probability of the true class before and after tuning.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # Not pyplot: it keeps global state.
    from matplotlib.figure import Figure

    count = len(examples.images)
    figure = Figure(figsize=(6.4, 1.15 * count + 0.5), layout="constrained")
    axes = figure.subplots(count, 3, squeeze=False)
    for row in range(count):
        _draw_row(axes[row], examples, row)
    for axis, title in zip(axes[0], ("image", "where it looks", "hidden in tuning"), strict=True):
        axis.set_title(title, fontsize=9)
    with complete_file(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format="png", dpi=110)


def _draw_row(axes: Any, examples: Examples, row: int) -> None:
    image, masked = (_to_show(stack[row]) for stack in (examples.images, examples.masked))
    for axis, shown in zip(axes, (image, image, masked), strict=True):
        axis.imshow(shown, interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
    if examples.hidden[row].any():
        # Black on black shows nothing; an outline does.
        axes[2].contour(examples.hidden[row], levels=[0.5], colors="cyan", linewidths=0.8)
    axes[1].imshow(examples.maps[row], cmap="jet", alpha=0.55, vmin=0, vmax=1)
    axes[0].set_ylabel(str(examples.titles[row]), fontsize=7, rotation=0, ha="right", va="center")
    axes[2].yaxis.set_label_position("right")
    said = f"p(true class)\nbefore {examples.before[row]:.2f}\nafter {examples.after[row]:.2f}"
    axes[2].set_ylabel(said, fontsize=7, rotation=0, ha="left", va="center")


def _to_show(image: UInt8[np.ndarray, "c h w"]) -> np.ndarray:
    return np.repeat(image, 3, axis=0).transpose(1, 2, 0) if len(image) == 1 else image[:3].transpose(1, 2, 0)

"""Plots of what was observed, as SVG in light and dark, each with its words and its numbers.

Matplotlib is imported when something is drawn.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masktune.evaluation import Rate, group_accuracy, t_interval
from masktune.findings.mt003_leans_on import NAMES
from masktune.findings.observed import AREAS, Observed, Transplant
from masktune.findings.probing import rate
from masktune.findings.spots import place_of
from masktune.report.page.drawing import (
    Plot,
    Theme,
    draw_bars,
    draw_matrix,
    figure_of,
    in_both_themes,
    outline,
    show_map,
    small_multiples,
)
from masktune.report.page.numbers import DASH, interval, number, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 20
"""Classes up to which a confusion matrix can be read."""
MOST_MAPS = 11
"""Classes whose mean map is drawn, those given most often; all are in the table."""
MOST_GROUPS = 12
"""Groups whose accuracy is drawn, the worst first; all are in the table."""
_LETTERS = 22

Box = tuple[float, float, float, float]
"""Top, left, bottom, right, as shares."""


def plots_of(observed: Observed) -> tuple[Plot, ...]:
    """All plots that these data allow."""
    drawn = (
        mean_maps(observed),
        by_area(observed),
        by_group(observed),
        transplants(observed),
        confusion(observed),
    )
    return tuple(plot for plot in drawn if plot is not None)


def mean_maps(observed: Observed) -> Plot | None:
    """Mean saliency map of all images and of each class that is given, with the place of its peak."""
    chosen = list(_maps_by_class(observed))
    if not chosen:
        return None
    rows = tuple(
        (name, str(count), place_of_peak(mean), number(float(mean.max()))) for name, mean, count in chosen
    )
    shown = chosen[: MOST_MAPS + 1]
    left = len(chosen) - len(shown)
    more = f" The table has {left} more classes." if left else ""
    top = max(float(mean.max()) for _, mean, _ in chosen)
    drawn = [(mean, None, f"{short(name)}\n{count} images") for name, mean, count in shown]
    said = "; ".join(f"{short(name)}: highest at the {place}" for name, _, place, _ in rows[: len(shown)])
    return _plot(
        "mean-maps",
        "Where it looks on average",
        f"Mean saliency map of the images that are called each class. Bright: looked at in many.{more}",
        f"Mean heat maps. {said}.",
        lambda theme: _draw_maps(theme, drawn, top),
        ("class", "images", "place of the peak", "height of the peak, 0 to 1"),
        rows,
    )


def by_area(observed: Observed) -> Plot:
    """Accuracy and flip rate with each area hidden."""
    panels = [("share of answers that change", _flips(observed))]
    if observed.same_classes:
        panels.insert(0, ("accuracy", _accuracies(observed)))
    rows = tuple(
        (title, name, *_with_interval(value), str(value.n)) for title, bars in panels for name, value in bars
    )
    said = "; ".join(f"{title}, {name}: {_percent(value)}" for title, bars in panels for name, value in bars)
    return _plot(
        "by-area",
        "What hangs on the area it looks at",
        "The salient area, the same shape at a random place, and as many of the least salient pixels are "
        "hidden in turn. Lines: 95 % intervals.",
        f"Bars. {said}.",
        lambda theme: _draw_panels(theme, panels),
        ("what", "images", "value", "95 % interval", "n"),
        rows,
    )


def by_group(observed: Observed) -> Plot | None:
    """Accuracy of each group, the worst first; None where groups, or right and wrong, are not known."""
    if observed.predictions.groups is None or not observed.same_classes:
        return None
    found = sorted(group_accuracy(observed.predictions).items(), key=lambda one: one[1].value or 0.0)
    rows = tuple((name, *_with_interval(value), str(value.n)) for name, value in found)
    shown = [(short(name), value) for name, value in found[:MOST_GROUPS]]
    more = f" The table has {len(found) - len(shown)} more groups." if len(found) > len(shown) else ""
    return _plot(
        "by-group",
        "Accuracy by group",
        f"The worst first. Lines: 95 % intervals.{more}",
        f"Bars. {'; '.join(f'{name}: {_percent(value)}' for name, value in shown)}.",
        lambda theme: _draw_panels(theme, [("accuracy", shown)]),
        ("group", "accuracy", "95 % interval", "n"),
        rows,
    )


def confusion(observed: Observed) -> Plot | None:
    """How often each true class is called what; None with too many classes or classes of its own."""
    classes = observed.data_classes
    if not observed.same_classes or len(classes) > MOST_CLASSES:
        return None
    counts = confusion_counts(observed.labels, observed.predictions.predicted, len(classes))
    return _plot(
        "confusion",
        "What is taken for what",
        "Rows: the true class. Columns: what the classifier says. Shade: share of the row.",
        f"Confusion matrix. {_confused_most(counts, classes)}",
        lambda theme: _draw_confusion(theme, counts, [short(name) for name in classes]),
        ("true class", *(f"called {name}" for name in classes)),
        tuple((name, *map(str, row)) for name, row in zip(classes, counts.tolist(), strict=True)),
    )


def transplants(observed: Observed) -> Plot | None:
    """The spots that were tried, on the mean map of their class; None where none stood out."""
    tried = observed.transplants
    if not tried:
        return None
    names = observed.net_classes
    said = observed.predictions.predicted
    maps = [_mean(observed, said == one.spot.label) for one in tried]
    rows = tuple(_swap_in_numbers(one, names[one.spot.label]) for one in tried)
    drawn = [
        (mean, one.spot.box, f"{short(row[0])}\n{one.spot.place}")
        for mean, one, row in zip(maps, tried, rows, strict=True)
    ]
    told = "; ".join(f"{short(row[0])}, {row[1]}: gains {row[2]} ({row[3]})" for row in rows)
    return _plot(
        "transplants",
        "Places that were swapped between images",
        "The outlined place was filled from images of the class, in images of other classes (gain), and the "
        "other way round (loss). Both are changes of the class's probability beyond what pasting alone does.",
        f"Mean heat maps with the place outlined. {told}.",
        lambda theme: _draw_maps(theme, drawn),
        ("class", "place", "gain", "95 % interval", "loss", "95 % interval", "images that turn"),
        rows,
    )


def confusion_counts(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"], classes: int
) -> Int64[np.ndarray, "k k"]:
    """Images by true class (row) and given class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _confused_most(counts: Int64[np.ndarray, "k k"], classes: Sequence[str]) -> str:
    said = f"{np.trace(counts)} of {counts.sum()} images are on its diagonal, which is right."
    others = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    true, given = divmod(int(others.argmax()), len(counts))
    if not others.any():
        return said
    names = short(classes[true]), short(classes[given])
    return f"{said} Most often {names[0]} is called {names[1]}: {others[true, given]} times."


def place_of_peak(mean: Float64[np.ndarray, "h w"]) -> str:
    """Where a map is highest, in words; a dash where it is flat."""
    if mean.max() == mean.min():
        return DASH
    row, column = np.unravel_index(int(mean.argmax()), mean.shape)
    down, across = (float(row) + 0.5) / mean.shape[0], (float(column) + 0.5) / mean.shape[1]
    return place_of((down, across, down, across))


def short(name: str) -> str:
    """A name that fits beside a plot: one line, at most 22 letters wide, nothing that breaks an XML file."""
    clean = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in name)
    words = " ".join(clean.split())
    if _width(words) <= _LETTERS:
        return words
    fitting = next(at for at in range(len(words), 0, -1) if _width(words[:at]) < _LETTERS)
    return f"{words[:fitting]}…"


def _width(words: str) -> int:
    """In Latin letters: those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in words)


def _maps_by_class(observed: Observed) -> Iterator[tuple[str, Float64[np.ndarray, "h w"], int]]:
    """All images, then the given classes, those given most often first."""
    said, filled = observed.predictions.predicted, ~observed.empty
    if filled.any():
        yield "all images", _mean(observed, filled), int(filled.sum())
    labels, counts = np.unique(said[filled], return_counts=True)
    for label in labels[np.argsort(-counts, kind="stable")].tolist():
        chosen = (said == label) & filled
        yield observed.net_classes[label], _mean(observed, chosen), int(chosen.sum())


def _mean(observed: Observed, chosen: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, "h w"]:
    used = chosen & ~observed.empty
    if not used.any():
        return np.zeros(observed.low.shape[1:])
    return np.asarray(observed.low[used].mean(0, dtype=np.float64))


def _flips(observed: Observed) -> list[tuple[str, Rate]]:
    return [(f"{NAMES[area]} hidden", rate(observed.flipped(area), observed.units)) for area in AREAS]


def _accuracies(observed: Observed) -> list[tuple[str, Rate]]:
    said = {f"{NAMES[area]} hidden": observed.predictions_without(area) for area in AREAS}
    shown = {"as they are": observed.predictions, **said}
    return [(name, rate(predictions.correct, observed.units)) for name, predictions in shown.items()]


def _swap_in_numbers(one: Transplant, name: str) -> tuple[str, ...]:
    turned = percent(float(one.flipped_in.mean())) if len(one.flipped_in) else DASH
    gain, loss = (_with_interval(t_interval(values.tolist())) for values in (one.gain, one.loss))
    return (name, one.spot.place, *gain, *loss, turned)


def _with_interval(rate: Rate) -> tuple[str, str]:
    return number(rate.value), interval(rate.low, rate.high)


def _percent(rate: Rate) -> str:
    return DASH if rate.value is None else percent(rate.value)


def _draw_maps(
    theme: Theme, drawn: Sequence[tuple[Float64[np.ndarray, "h w"], Box | None, str]], top: float = 0
) -> "Figure":
    """Maps with a place and a title each; `top` is the brightest of all, 0 gives each its own."""
    figure, axes = small_multiples(len(drawn))
    for axis, (mean, box, title) in zip(axes, drawn, strict=False):
        show_map(axis, mean, top or float(mean.max()))
        if box is not None:
            outline(axis, box)
        axis.set_title(title, fontsize=8, color=theme.ink)
    return figure


def _draw_panels(theme: Theme, panels: Sequence[tuple[str, Sequence[tuple[str, Rate]]]]) -> "Figure":
    most = max(len(bars) for _, bars in panels)
    figure = figure_of(4.2 * len(panels), max(2.2, 0.7 + 0.3 * most))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, bars) in zip(axes, panels, strict=True):
        draw_bars(axis, bars, theme)
        axis.set_title(title, fontsize=9, color=theme.ink, loc="left")
    return figure


def _draw_confusion(theme: Theme, counts: Int64[np.ndarray, "k k"], names: list[str]) -> "Figure":
    beside, side = 0.085 * max(map(_width, names)), 0.45 * len(names)
    figure = figure_of(1.4 + beside + side, 1.2 + 0.7 * beside + side)
    draw_matrix(figure.subplots(), counts, names, theme)
    return figure


def _plot(
    name: str,
    title: str,
    caption: str,
    alt: str,
    draw: Callable[[Theme], "Figure"],
    head: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
) -> Plot:
    light, dark = in_both_themes(draw)
    return Plot(name, title, caption, alt, light, dark, head, rows)

"""Plot of the scores of a trial's arms, as SVG in light and dark, with its words and its numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masktune.report.page.drawing import Plot, Theme, figure_of, in_both_themes
from masktune.report.page.numbers import percent, percent_between
from masktune.report.page.trial_words import ARMS, SCORES, has_controls
from masktune.trial.judging import ArmScore, Judged
from masktune.trial.settings import ArmName
from masktune.trial.trialled import Trialled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 3
_NARROW = 3.6
"""Inches of one column, names of the arms included: a phone's width."""
_LEAST_SPAN = 0.1
"""Of an axis: differences below a point must not look large."""


def plots_of(trialled: Trialled) -> tuple[Plot, ...]:
    """One panel a score, the arms below each other; none where nothing was judged."""
    scores = [one for one in trialled.verdict.scores if "masktune" in one.arms]
    if not scores:
        return ()
    light, dark = in_both_themes(lambda theme: _draw(theme, scores))
    narrow = in_both_themes(lambda theme: _draw(theme, scores, across=1))
    against = "the best control" if has_controls(trialled) else "the old model"
    return (
        Plot(
            id="scores",
            title="Each score of each arm",
            caption=(
                f"Dots: the score, more is better. Lines: 95 % intervals. Dotted: {against}. "
                "Each axis has its own range."
            ),
            alt=f"Dots with intervals. {'; '.join(map(_in_words, scores))}.",
            light=light,
            dark=dark,
            narrow=narrow,
            head=("score", "arm", "value", "95 % interval", "worst in"),
            rows=tuple(_row(one, name, score) for one in scores for name, score in one.arms.items()),
        ),
    )


def title_of(one: Judged) -> str:
    """A score's name; of those at equal class shares with that."""
    return f"{SCORES[one.name]}{', equal shares' if one.equal_shares else ''}"


def _row(one: Judged, name: ArmName, score: ArmScore) -> tuple[str, ...]:
    value, ends = percent(score.value, 1), percent_between(score.low, score.high)
    return (title_of(one), ARMS[name], value, ends, score.cell)


def _in_words(one: Judged) -> str:
    arms = ", ".join(f"{ARMS[name]} {percent(score.value)}" for name, score in one.arms.items())
    return f"{title_of(one)}: {arms}"


def _draw(theme: Theme, scores: Sequence[Judged], across: int = _ACROSS) -> "Figure":
    across = min(across, len(scores))
    down = -(-len(scores) // across)
    arms = max(len(one.arms) for one in scores)
    width = _NARROW if across == 1 else 1.9 + 2.65 * across
    figure = figure_of(width, down * (0.75 + 0.27 * arms))
    axes = figure.subplots(down, across, squeeze=False, gridspec_kw={"hspace": 0.12, "wspace": 0.08})
    for axis in axes.flat[len(scores) :]:
        axis.axis("off")
    for at, (axis, one) in enumerate(zip(axes.flat, scores, strict=False)):
        _panel(axis, one, theme, named=at % across == 0)
        # In one column a long title has the room above the names of the arms.
        axis.set_title(title_of(one), fontsize=9, color=theme.ink, loc="right" if across == 1 else "left")
    return figure


def _panel(axis: Any, one: Judged, theme: Theme, *, named: bool) -> None:
    """The arms of one score, the first at the top; only panels at the left name them."""
    low, high = limits(one.arms)
    best = one.arms[one.over_control.over].value
    axis.axvline(100 * best, color=theme.soft, linewidth=0.8, linestyle=(0, (1, 2)))
    for at, (name, score) in enumerate(one.arms.items()):
        colour = theme.bars[1] if name == "masktune" else theme.bars[0]
        ends = 100 * score.low, 100 * score.high
        axis.plot(ends, (at, at), color=colour, linewidth=1.6, solid_capstyle="round")
        filled = theme.on_high if name == "untouched" else colour
        axis.plot(100 * score.value, at, "o", markersize=6, color=colour, markerfacecolor=filled)
    axis.set(xlim=(100 * low, 100 * high), ylim=(len(one.arms) - 0.5, -0.5), yticks=range(len(one.arms)))
    axis.set_yticklabels([ARMS[name] for name in one.arms] if named else [])
    _bare(axis, theme)


def limits(arms: Mapping[ArmName, ArmScore]) -> tuple[float, float]:
    """Ends of an axis that holds all intervals with a margin, at least ten points wide, inside 0 to 1."""
    ends = [end for one in arms.values() for end in (one.low, one.value, one.high) if math.isfinite(end)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = max(0.06 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    return max(low - margin, -0.02), min(high + margin, 1.02)


def _bare(axis: Any, theme: Theme) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, side in axis.spines.items():
        side.set_visible(name == "bottom")
        side.set_color(theme.soft)
    axis.patch.set_alpha(0)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.xaxis.set_major_formatter("{x:g} %")
    axis.tick_params(axis="x", length=2, colors=theme.soft, labelsize=8)
    axis.tick_params(axis="y", length=0, labelsize=9)
    for label in axis.get_yticklabels():
        label.set_color(theme.ink)

"""What a verdict without group labels goes by: six numbers of each arm, each the worst of its cells.

Labels of a shortcut are not needed for any of them. Where the untouched classifier looks is known; what an
arm still says when that place is hidden, or swapped with an image of another class, shows whether it has
found something else. `docs/results/verdict.md` says how well each of them tells.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64, Int64

from masktune.evaluation.class_shares import at_class_shares, true_shares
from masktune.evaluation.predictions import softmax
from masktune.trial.said import Said
from masktune.trial.settings import ArmName

ScoreName = Literal["swapped", "worst_class", "salient_hidden", "steady", "hardest_tenth", "inferred_groups"]

SCORES: tuple[ScoreName, ...] = get_args(ScoreName)

MEANINGS: Mapping[ScoreName, str] = {
    "swapped": "right although the place that the old model looked at, or the one that it looks at itself, "
    "comes from an image of another class (worst class)",
    "worst_class": "right on the images as they are (worst class)",
    "salient_hidden": "right when the place it looked at is hidden (worst class)",
    "steady": "answer unchanged when the place it looked at is hidden",
    "hardest_tenth": "probability of the true class on the tenth that the old model found hardest",
    "inferred_groups": "right within each class where the old model, with and without the place it looked "
    "at, agrees or disagrees (worst of these groups)",
}

HARDEST = 0.1
"""Share of the judged images on which the untouched classifier's loss is largest."""

LEAST = 10
"""Images of a cell below which it is left out: its worst is chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One number of each arm: of each cell the mean of the images' values, the worst cell counts."""

    name: ScoreName
    cells: Int64[np.ndarray, " n"]
    """The cell of each image; -1 where it is in none."""
    names: tuple[str, ...]
    """Of the cells."""
    values: Mapping[ArmName, Float64[np.ndarray, " n"]]
    """0 to 1, more is better."""
    equal_shares: bool = False
    """Whether each arm's answers were brought to the classes' true shares first."""
    units: Int64[np.ndarray, " n"] | None = None
    """The unit that each image is drawn with; None for its subject's, or its own."""


def scores_of(said: Said) -> list[Score]:
    """All scores of all arms, and those of right answers once more at equal class shares."""
    found = [_MADE[name](said, _as_it_is) for name in SCORES]
    return found + [_MADE[name](said, _at_true_shares) for name in ("swapped", "worst_class")]


Answers = Callable[[Said, Float32[np.ndarray, "n k"]], Int64[np.ndarray, " n"]]


def _as_it_is(said: Said, logits: Float32[np.ndarray, "n k"]) -> Int64[np.ndarray, " n"]:
    return np.asarray(logits.argmax(1))


def _at_true_shares(said: Said, logits: Float32[np.ndarray, "n k"]) -> Int64[np.ndarray, " n"]:
    """The answers with one constant per class added, so that each class is given as often as it is true."""
    whole = said.as_predictions(logits)
    return np.asarray(at_class_shares(whole, true_shares(whole)).predicted)


def _right(said: Said, logits: Float32[np.ndarray, "n k"], answers: Answers) -> Float64[np.ndarray, " n"]:
    return np.asarray(answers(said, logits) == said.labels, dtype=np.float64)


def _swapped(said: Said, answers: Answers) -> Score:
    values = {
        arm: np.minimum(*(_right(said, changed[of], answers) for of in ("other_class", "own_other_class")))
        for arm, changed in said.changed.items()
    }
    return Score("swapped", *_classes(said), values, answers is _at_true_shares, said.swap_units)


def _worst_class(said: Said, answers: Answers) -> Score:
    values = {arm: _right(said, said.plain[arm], answers) for arm in said.arms}
    return Score("worst_class", *_classes(said), values, answers is _at_true_shares)


def _salient_hidden(said: Said, answers: Answers) -> Score:
    values = {arm: _right(said, said.changed[arm]["salient"], answers) for arm in said.arms}
    return Score("salient_hidden", *_classes(said), values)


def _steady(said: Said, answers: Answers) -> Score:
    values = {
        arm: (said.plain[arm].argmax(1) == said.changed[arm]["salient"].argmax(1)).astype(np.float64)
        for arm in said.arms
    }
    return Score("steady", np.zeros(len(said), dtype=np.int64), ("all",), values)


def _hardest_tenth(said: Said, answers: Answers) -> Score:
    rows = np.arange(len(said))
    truth = {arm: softmax(logits)[rows, said.labels] for arm, logits in said.plain.items()}
    count = max(1, round(HARDEST * len(said)))
    cells = np.full(len(said), -1, dtype=np.int64)
    cells[np.argsort(truth["untouched"], kind="stable")[:count]] = 0
    return Score("hardest_tenth", cells, ("hardest tenth",), truth)


def _inferred_groups(said: Said, answers: Answers) -> Score:
    agree = said.plain["untouched"].argmax(1) == said.changed["untouched"]["salient"].argmax(1)
    words = ("where it changes its answer", "where it keeps its answer")
    names = tuple(f"{name}, {word}" for name in said.classes for word in words)
    cells = 2 * said.labels + agree
    few = np.bincount(cells, minlength=len(names)) < LEAST
    cells = np.where(few[cells], -1, cells)
    if (cells < 0).all():
        cells, names = np.zeros(len(said), dtype=np.int64), ("all",)
    values = {arm: _right(said, said.plain[arm], answers) for arm in said.arms}
    return Score("inferred_groups", cells, names, values)


def _classes(said: Said) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...]]:
    """Each class a cell; those of few images in none, unless all are."""
    few = np.bincount(said.labels, minlength=len(said.classes)) < LEAST
    if few[said.labels].all():
        return said.labels, said.classes
    return np.where(few[said.labels], -1, said.labels), said.classes


_MADE: Mapping[ScoreName, Callable[[Said, Answers], Score]] = {
    "swapped": _swapped,
    "worst_class": _worst_class,
    "salient_hidden": _salient_hidden,
    "steady": _steady,
    "hardest_tenth": _hardest_tenth,
    "inferred_groups": _inferred_groups,
}

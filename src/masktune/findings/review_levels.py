"""How much an image may matter for a suspected pattern: levels of suspicion, from what was observed."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.findings.column_values import MISSING
from masktune.findings.observed import Numbers, Observed, Words
from masktune.types import Number

LEVELS = ("typical", "unsure", "against", "wrong")
"""Least suspicious first. Wrong: not its true class. Against: the pattern speaks for another class, or is
missing in its own. Unsure: the class changes with the salient area hidden, or the margin is in the lowest
quarter of its class. An image has the last of those that hold."""

LOW = 0.25
"""Share of a class whose margin counts as low."""

TOUCHED = 128
"""A cell of the grid is hidden from here on, of 255: half of it."""


def levels_of(observed: Observed, about: Mapping[str, str]) -> Int64[np.ndarray, " n"]:
    """Index into `LEVELS` of each image, for a pattern that is about a class, a place, a column, a value."""
    levels = np.zeros(len(observed), dtype=np.int64)
    levels[_unsure(observed)] = 1
    levels[_against(observed, about)] = 2
    if observed.same_classes:
        levels[~observed.predictions.correct] = 3
    return levels


def _unsure(observed: Observed) -> Bool[np.ndarray, " n"]:
    unsure = np.zeros(len(observed), dtype=bool)
    if "salient" in observed.hidden_logits:
        unsure |= observed.flipped("salient")
    best = np.sort(observed.predictions.logits, axis=1)[:, -2:].astype(np.float64)
    margin = best[:, 1] - best[:, 0]
    for label in np.unique(observed.labels).tolist():
        own = observed.labels == label
        unsure[own] |= margin[own] < np.quantile(margin[own], LOW)
    return unsure


def _against(observed: Observed, about: Mapping[str, str]) -> Bool[np.ndarray, " n"]:
    """Images where the pattern's sign and the class do not go together."""
    nothing = np.zeros(len(observed), dtype=bool)
    known = {**observed.properties, **observed.facts, **observed.columns}
    place, column = about.get("place"), known.get(about.get("column", ""))
    if place:
        sign = _looks_at(observed, about)
    elif column is not None and about.get("value"):
        sign = has_value(column, about["value"])
    elif column is not None:
        return _rare_in_class(column, observed.labels)
    else:
        return nothing
    if about.get("class") not in observed.data_classes:
        return sign
    own = observed.labels == observed.data_classes.index(about["class"])
    return np.asarray(sign != own)


def has_value(column: Numbers | Words, value: str) -> Bool[np.ndarray, " n"]:
    """Whether a column has a value as findings name it: a word, a range "low to high", or "(missing)"."""
    words = column.astype(str)
    if value == MISSING:
        return np.isin(words, ("", "nan"))
    ends = value.split(" to ")
    try:
        low, high = float(ends[0]), float(ends[-1])
        # Ends are written with four digits, so numbers are held against them likewise.
        numbers = np.array([float(f"{float(word):.4g}") if word else np.nan for word in words.tolist()])
    except ValueError:
        return np.asarray(words == value)
    return np.asarray((numbers >= low) & (numbers <= high))


def _looks_at(observed: Observed, about: Mapping[str, str]) -> Bool[np.ndarray, " n"]:
    """Whether the salient mask touches the spot; any spot at that place, where the class's is not known."""
    names = observed.net_classes
    spots = [one.spot for one in observed.transplants if one.spot.place == about["place"]]
    own = [one for one in spots if names[one.label : one.label + 1] == (about.get("class"),)]
    inside = np.zeros(observed.where.shape[1:], dtype=bool)
    for box, hole in [(one.box, one.hole) for one in own or spots] or [(_box(about["place"]), None)]:
        cells = _cells(box, len(inside))
        if hole is not None:
            cells &= ~_cells(hole, len(inside))
        inside |= cells
    return np.asarray((observed.where[:, inside] >= TOUCHED).any(axis=1))


def _cells(box: tuple[Number, Number, Number, Number], side: int) -> Bool[np.ndarray, "g g"]:
    """The cells of a grid that a box touches."""
    top, left = (int(np.floor(edge * side)) for edge in box[:2])
    bottom, right = (int(np.ceil(edge * side)) for edge in box[2:])
    cells = np.zeros((side, side), dtype=bool)
    cells[top:bottom, left:right] = True
    return cells


def _box(place: str) -> tuple[float, float, float, float]:
    """The third of the picture, or the ninth, that words such as "top left corner" name."""
    third = {"top": (0.0, 1 / 3), "bottom": (2 / 3, 1.0), "left": (0.0, 1 / 3), "right": (2 / 3, 1.0)}
    words, whole = place.split(), (1 / 3, 2 / 3) if place == "centre" else (0.0, 1.0)
    down = next((third[word] for word in words if word in ("top", "bottom")), whole)
    across = next((third[word] for word in words if word in ("left", "right")), whole)
    return down[0], across[0], down[1], across[1]


def _rare_in_class(
    column: Shaped[np.ndarray, " n"], labels: Int64[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Images whose value is not the most frequent one of their class."""
    values, codes = np.unique(column.astype(str), return_inverse=True)
    codes = codes.reshape(-1)
    counts = np.zeros((int(labels.max()) + 1, len(values)), dtype=np.int64)
    np.add.at(counts, (labels, codes), 1)
    most = counts.argmax(axis=1)
    return np.asarray(codes != most[labels])

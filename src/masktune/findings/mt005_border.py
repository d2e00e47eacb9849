"""MT005: does the border tell the class?"""

from collections.abc import Callable

import numpy as np

from masktune.findings.finding import Finding, Question
from masktune.findings.observed import TINY, Observed
from masktune.findings.places import Part, ask_place
from masktune.findings.probing import Features, Tiny, cells, contrasts

WIDTH = 2
"""Of the ring, in cells of the tiny picture: a sixteenth of each side."""


def _strip(tiny: Tiny) -> Features:
    """A strip that lies: 2 cells high."""
    return np.concatenate([cells(tiny, (2, 2)), contrasts(tiny, (WIDTH, 4))], axis=1)


def _border(tiny: Tiny) -> Features:
    return np.concatenate([_strip(edge(tiny)) for edge in _EDGES.values()], axis=1)


_EDGES: dict[str, Callable[[Tiny], Tiny]] = {
    "top edge": lambda tiny: tiny[:, :WIDTH],
    "bottom edge": lambda tiny: tiny[:, -WIDTH:],
    "left edge": lambda tiny: tiny[:, :, :WIDTH].swapaxes(1, 2),
    "right edge": lambda tiny: tiny[:, :, -WIDTH:].swapaxes(1, 2),
}


def _middle_of(edge: Callable[[Tiny], Tiny]) -> Part:
    """Half of the edge: its ends are corners, and belong to two edges."""
    return lambda tiny: _strip(edge(tiny)[:, :, TINY // 4 : -TINY // 4])


PARTS: dict[str, Part] = {name: _middle_of(edge) for name, edge in _EDGES.items()}


def ask(observed: Observed) -> list[Finding]:
    """Probe the outermost ring of 2 of 32 cells."""
    return [ask_place(observed, QUESTION, "border", _border, PARTS)]


QUESTION = Question(code="MT005", title="Does the border alone tell the class?", ask=ask)

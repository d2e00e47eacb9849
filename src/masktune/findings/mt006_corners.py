"""Whether the corners of the picture tell the class: burnt-in letters, logos, dates, watermarks."""

import numpy as np

from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed
from masktune.findings.places import Part, ask_place
from masktune.findings.probing import Features, Tiny, cells, contrasts

SIDE = 8
"""Of a corner, in cells of the tiny picture: a quarter of each side."""


def _corner(tiny: Tiny) -> Features:
    """4 x 4 means, and the contrast within each quarter of the corner."""
    return np.concatenate([cells(tiny, (2, 2)), contrasts(tiny, (4, 4))], axis=1)


PARTS: dict[str, Part] = {
    "top left corner": lambda tiny: _corner(tiny[:, :SIDE, :SIDE]),
    "top right corner": lambda tiny: _corner(tiny[:, :SIDE, -SIDE:]),
    "bottom left corner": lambda tiny: _corner(tiny[:, -SIDE:, :SIDE]),
    "bottom right corner": lambda tiny: _corner(tiny[:, -SIDE:, -SIDE:]),
}


def _corners(tiny: Tiny) -> Features:
    return np.concatenate([part(tiny) for part in PARTS.values()], axis=1)


def ask(observed: Observed) -> list[Finding]:
    """Probe the four corners of 8 x 8 of 32 x 32 cells."""
    return [ask_place(observed, QUESTION, "corners", _corners, PARTS)]


QUESTION = Question(code="MT006", title="Do the corners alone tell the class?", ask=ask)

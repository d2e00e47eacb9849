"""MT005: does the border tell the class?"""

import numpy as np

from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed
from masktune.findings.places import Part, ask_place
from masktune.findings.probing import Features, Tiny, cells, contrasts

WIDTH = 2
"""Of the ring, in cells of the tiny picture: a sixteenth of each side."""


def _strip(tiny: Tiny) -> Features:
    """A strip that lies: 2 cells high."""
    return np.concatenate([cells(tiny, (2, 2)), contrasts(tiny, (WIDTH, 4))], axis=1)


PARTS: dict[str, Part] = {
    "top edge": lambda tiny: _strip(tiny[:, :WIDTH]),
    "bottom edge": lambda tiny: _strip(tiny[:, -WIDTH:]),
    "left edge": lambda tiny: _strip(tiny[:, :, :WIDTH].swapaxes(1, 2)),
    "right edge": lambda tiny: _strip(tiny[:, :, -WIDTH:].swapaxes(1, 2)),
}


def ask(observed: Observed) -> list[Finding]:
    """Probe the outermost ring of 2 of 32 cells."""
    return [ask_place(observed, QUESTION, "border", PARTS)]


QUESTION = Question(code="MT005", title="Does the border alone tell the class?", ask=ask)

"""Whether a picture of a few cells tells the class.

At most a hint, because the object is in the tiny picture too: MNIST's ones are told from the other digits by
4 x 4 cells (gain 0.87), and what misleads such a probe is harder for a sound classifier (area 0.76).
"""

import numpy as np

from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import Observed
from masktune.findings.places import NOTABLE, Asked, Part, rows_to_ask, whom
from masktune.findings.probing import cells

SIZES: dict[str, Part] = {
    "picture of 4 x 4 cells": lambda tiny: cells(tiny, (8, 8)),
    "picture of 8 x 8 cells": lambda tiny: np.concatenate([cells(tiny, (8, 8)), cells(tiny, (4, 4))], axis=1),
}


def ask(observed: Observed) -> list[Finding]:
    """Probe 4 x 4 cells, and where they do not suffice 8 x 8."""
    rows = rows_to_ask(observed)
    if isinstance(rows, str):
        return [QUESTION.finding("not_applicable", rows)]
    evidence: list[Evidence] = []
    for words, part in SIZES.items():
        asked = Asked.of(observed, part, rows)
        name = observed.data_classes[asked.label]
        evidence.extend(asked.evidence(words, name))
        if asked.low >= NOTABLE:
            break
    else:
        reason = "no class can be told well from a picture of few cells"
        return [QUESTION.finding("passed", reason, evidence=tuple(evidence))]
    return [
        QUESTION.finding(
            "hint",
            f"a {words} is enough to tell {whom(observed, asked)}; shape and detail are hardly needed",
            evidence=tuple(evidence),
            advice="Ask whether light, colour or background may differ by class as the object does. If not, "
            "collect images that break the tie, or mask the background and scan again.",
            about={"place": words} | ({"class": name} if len(asked.found.classes) > 2 else {}),
            samples=asked.misled(observed),
        )
    ]


QUESTION = Question(code="MT007", title="Does a tiny picture alone tell the class?", ask=ask)

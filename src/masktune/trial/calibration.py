"""How often the verdict was right where the truth is known, for whoever has to trust it.

Measured on the half of the kinds of data on which the rule was not chosen (`docs/results/verdict.md`); a test
holds these counts against that page.
"""

from masktune.evaluation import Rate, clopper_pearson

HELPED = (25, 34)
"""Trials in which MaskTune's worst group truly rose: said `helped`, of how many."""

DID_NOT = (0, 84)
"""Trials in which it did not: said `helped` all the same, of how many."""

HARMFUL = (0, 41)
"""Trials that were called `harmful`: those whose worst group truly rose over the old model's, of how many."""


MOST_CLASSES = 4
"""Classes of the trials beyond which the rates were not measured."""


def measured_in_words(classes: int) -> str:
    """Sentences with the rates and their exact intervals, for a trial of so many classes."""
    found, wrong, harm = (clopper_pearson(*counts) for counts in (HELPED, DID_NOT, HARMFUL))
    beyond = (
        f"; they had 2 to {MOST_CLASSES} classes, this one has {classes}" if classes > MOST_CLASSES else ""
    )
    return (
        "how far a verdict can be trusted, by trials whose groups it did not see: MaskTune truly helped only "
        f"on digits with squares, and was said to in {HELPED[0]} of {HELPED[1]} of these "
        f"({_percent(found)}); {DID_NOT[0]} of {DID_NOT[1]} without a gain were called helped "
        f"({_percent(wrong)}); of {HARMFUL[1]} called harmful {HARMFUL[0]} were better in their worst group "
        f"than the old model ({_percent(harm)}); on photos no true gain was seen, so how often one is found "
        f"there is open{beyond}"
    )


def _percent(rate: Rate) -> str:
    value, low, high = (100 * (one or 0.0) for one in (rate.value, rate.low, rate.high))
    return f"{value:.0f} %, {low:.0f} to {high:.0f}"

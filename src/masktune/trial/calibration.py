"""How often the verdict was right where the truth is known, for whoever has to trust it.

Measured on the half of the kinds of data on which the rule was not chosen (`docs/results/verdict.md`); a test
holds these counts against that page.
"""

from masktune.evaluation import Rate, clopper_pearson

HELPED = (30, 39)
"""Trials in which MaskTune's worst group truly rose: said `helped`, of how many."""

DID_NOT = (0, 72)
"""Trials in which it did not: said `helped` all the same, of how many."""


def measured_in_words() -> str:
    """One sentence with both rates and their exact intervals."""
    found, wrong = (clopper_pearson(*counts) for counts in (HELPED, DID_NOT))
    return (
        "how far this verdict can be trusted: on digits and made images whose groups it did not see it found "
        f"{HELPED[0]} of {HELPED[1]} true gains in the worst group ({_percent(found)}), and called "
        f"{DID_NOT[0]} of {DID_NOT[1]} trials without one helped ({_percent(wrong)})"
    )


def _percent(rate: Rate) -> str:
    value, low, high = (100 * (one or 0.0) for one in (rate.value, rate.low, rate.high))
    return f"{value:.0f} %, {low:.0f} to {high:.0f}"

"""MT002: a place that carries its class along."""

import numpy as np
import pytest

from findings.observations import observed, swapped
from masktune.findings.mt002_spot import QUESTION
from masktune.findings.swapped import is_part_of

CORNER, EDGE, CENTRE = "top left corner", "top edge", "centre"


def asked(place, gain, **given):
    one = swapped(place, gain, label=1, **given)
    return QUESTION.ask(observed(np.arange(40) % 2, transplants=(one,)))


def test_a_mark_is_told_once():
    """That it is missing speaks for the other class, its parts for its own; another mark is told beside."""
    found = QUESTION.ask(
        observed(
            np.arange(40) % 2,
            transplants=(
                swapped("border", 0.8, label=0, elsewhere=0.9),
                swapped(EDGE, 0.1, label=1, recurs=0.9),
                swapped(CORNER, 0.1, label=1),
                swapped("border", 0.8, label=1, recurs=0.9),
                swapped("bottom edge", 0.7, label=0, recurs=0.8),
            ),
        )
    )
    assert [(one.verdict, one.about["class"], one.about["place"]) for one in found] == [
        ("problem", "class 1", "border"),
        ("problem", "class 0", "bottom edge"),
    ]


@pytest.mark.parametrize(
    ("place", "whole", "within"),
    [
        ("top left corner", "top edge", True),
        ("top left corner", "left edge", True),
        ("top left corner", "right edge", False),
        ("top edge", "border", True),
        ("centre", "border", False),
        ("border", "top edge", False),
    ],
)
def test_what_lies_within_what(place, whole, within):
    assert is_part_of(place, whole) == within


def test_fires_on_a_corner_that_decides():
    (found,) = asked(CORNER, 0.8)
    assert found.verdict == "problem"
    assert found.about == {"class": "class 1", "place": "top left corner"}
    assert found.reason == (
        "the top left corner alone decides on 'class 1': pasted into images of other classes it turns 100 % "
        "of them"
    )
    gain = found.evidence[0]
    assert gain.value == pytest.approx(0.8)
    # Student's t for 20: 2.093 times the deviation 0.01026 over the root of 20.
    assert gain.low == pytest.approx(0.8 - 2.093 * 0.010260 / np.sqrt(20), abs=1e-5)
    assert set(found.samples) <= {f"out {i}" for i in range(20)}


@pytest.mark.parametrize(
    ("spot", "gain", "recurs", "elsewhere", "verdict"),
    [
        (CORNER, 0.1, 0.0, 0.0, "hint"),
        (CORNER, 0.02, 0.0, 0.0, "passed"),
        (CORNER, 0.02, 0.9, 0.0, "hint"),  # A mark that the classifier does not use, so far.
        (CORNER, 0.02, 0.9, 0.9, "passed"),  # All images have it.
        (EDGE, 0.8, 0.0, 0.0, "hint"),  # Heads lie at the top edge too.
        (EDGE, 0.8, 0.5, 0.0, "problem"),  # The same thing in every image.
        (EDGE, 0.8, 0.5, 0.6, "hint"),  # But the others have it as well.
        (CENTRE, 0.8, 0.0, 0.0, "passed"),
        (CENTRE, 0.8, 0.5, 0.0, "hint"),
    ],
)
def test_verdicts(spot, gain, recurs, elsewhere, verdict):
    (found,) = asked(spot, gain, recurs=recurs, elsewhere=elsewhere)
    assert found.verdict == verdict


def test_quiet_where_nothing_stands_out():
    (found,) = QUESTION.ask(observed(np.arange(40) % 2))
    assert found.verdict == "passed"
    assert found.reason == "no place stands out, neither in what is looked at nor in the pixels of a class"


def test_not_applicable_with_too_few_images():
    (found,) = asked(CORNER, 0.8, n=9)
    assert found.verdict == "not_applicable"
    assert found.reason.startswith("a place stood out in 1 cases, none with 10 images")

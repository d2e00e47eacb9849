"""MT002: a place that carries its class along."""

import numpy as np
import pytest

from findings.observations import observed
from masktune.findings.mt002_spot import QUESTION
from masktune.findings.observed import Spot, Transplant
from masktune.findings.swapped import is_part_of

CORNER = Spot(1, (0, 0, 0.2, 0.2), "top left corner")
EDGE = Spot(1, (0, 0.4, 0.2, 0.6), "top edge")
CENTRE = Spot(1, (0.4, 0.4, 0.6, 0.6), "centre")


def tried(spot, gain, *, recurs=0.0, elsewhere=0.0, n=20):
    """A transplant where every image gains and loses as much, give or take a hundredth."""
    change = gain + np.where(np.arange(n) % 2, 0.01, -0.01)
    return Transplant(
        spot=spot,
        gain=change,
        loss=change,
        flipped_in=change > 0.5,
        flipped_out=change > 0.5,
        ids_in=np.array([f"in {i}" for i in range(n)]),
        ids_out=np.array([f"out {i}" for i in range(n)]),
        recurs=recurs,
        recurs_elsewhere=elsewhere,
    )


def asked(*args, **given):
    return QUESTION.ask(observed(np.arange(40) % 2, transplants=(tried(*args, **given),)))


def test_a_mark_is_told_once():
    """That it is missing speaks for the other class, its parts for its own; another mark is told beside."""
    border = Spot(1, (0, 0, 1, 1), "border", (0.1, 0.1, 0.9, 0.9))
    missing = Spot(0, (0, 0, 1, 1), "border", (0.1, 0.1, 0.9, 0.9))
    of_other = Spot(0, (0.8, 0.4, 1, 0.6), "bottom edge")
    found = QUESTION.ask(
        observed(
            np.arange(40) % 2,
            transplants=(
                tried(missing, 0.8, elsewhere=0.9),
                tried(EDGE, 0.1, recurs=0.9),
                tried(CORNER, 0.1),
                tried(border, 0.8, recurs=0.9),
                tried(of_other, 0.7, recurs=0.8),
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

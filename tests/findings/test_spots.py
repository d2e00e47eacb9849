"""Candidates for places, on grids that a person can picture."""

import numpy as np
import pytest

from masktune.findings.observed import Spot
from masktune.findings.spots import find_spots, place_of


def grids(n, seed=0):
    """No image is looked at anywhere, and all pictures are noise."""
    random = np.random.default_rng(seed)
    return np.zeros((n, 16, 16), np.uint8), random.integers(90, 166, (n, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0, 0, 0.2, 0.2), "top left corner"),
        ((0, 0.8, 0.2, 1), "top right corner"),
        ((0.8, 0.4, 1, 0.6), "bottom edge"),
        ((0.4, 0.8, 0.6, 1), "right edge"),
        ((0.3, 0.3, 0.7, 0.7), "centre"),
        ((0, 0, 1, 1), "centre"),
    ],
)
def test_places_in_words(box, place):
    assert place_of(box) == place


def test_noise_has_no_spot():
    predicted = np.arange(200) % 2
    where, tiny = grids(200)
    assert find_spots(predicted, where, tiny) == ()


def test_where_a_class_is_looked_at():
    predicted = np.arange(100) % 2
    where, tiny = grids(100)
    where[predicted == 1, 12:14, 2:5] = 255
    assert find_spots(predicted, where, tiny) == (
        Spot(1, (12 / 16, 2 / 16, 14 / 16, 5 / 16), "bottom left corner"),
    )


def test_where_pixels_differ_though_nobody_looks():
    """Both classes have the place: one has something there, the other has not."""
    predicted = np.arange(100) % 2
    where, tiny = grids(100)
    tiny[predicted == 0, 1:5, 27:31] = 255
    found = find_spots(predicted, where, tiny)
    assert [(spot.label, spot.place) for spot in found] == [(0, "top right corner"), (1, "top right corner")]
    assert all(spot.box == (1 / 32, 27 / 32, 5 / 32, 31 / 32) for spot in found)


def test_a_brighter_class_is_no_place():
    predicted = np.arange(100) % 2
    where, tiny = grids(100)
    tiny[predicted == 0] += 60
    assert find_spots(predicted, where, tiny) == ()


def test_a_class_that_is_hardly_given_has_no_spot():
    predicted = np.zeros(100, np.int64)
    predicted[:9] = 1
    where, tiny = grids(100)
    where[:, 0:2, 0:2] = 255
    assert find_spots(predicted, where, tiny) == ()


def test_a_stripe_reaches_from_end_to_end_and_is_an_edge():
    predicted = np.arange(100) % 2
    for rows, columns, place, box in (
        (slice(0, 2), slice(None), "top edge", (0, 0, 2 / 16, 1)),
        (slice(None), slice(11, 16), "right edge", (0, 11 / 16, 1, 1)),
    ):
        where, tiny = grids(100)
        where[predicted == 0, rows, columns] = 255
        (spot,) = find_spots(predicted, where, tiny)
        assert (spot.place, spot.box) == (place, box)


def test_a_spot_that_is_wide_both_ways_is_cut_to_half_of_the_side():
    predicted = np.arange(100) % 2
    where, tiny = grids(100)
    where[predicted == 0, :6] = 255  # Higher than a third: the upper part of the picture, no stripe.
    (spot,) = find_spots(predicted, where, tiny)
    top, left, bottom, right = spot.box
    assert (top, bottom, right - left) == (0, 6 / 16, 0.5)


def test_a_frame_makes_the_border_a_spot_of_the_classes_that_differ_there():
    predicted = np.arange(100) % 2
    where, tiny = grids(100)
    framed = np.flatnonzero(predicted == 0)
    tiny[framed, :4] = tiny[framed, -4:] = 255
    tiny[framed, :, :4] = tiny[framed, :, -4:] = 255
    borders = [spot for spot in find_spots(predicted, where, tiny) if spot.place == "border"]
    assert [spot.label for spot in borders] == [0, 1]  # Both differ as much from the other.
    assert {spot.hole for spot in borders} == {(1 / 8, 1 / 8, 7 / 8, 7 / 8)}

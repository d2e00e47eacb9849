from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from masktune.errors import InputError
from masktune.testing import Marker

SIZE = (64, 96)
HERE = (0.0, 0.0)


def picture(pixels):
    return ["".join("#" if pixel else "." for pixel in row) for row in pixels]


def box(pixels):
    """Top, left, height and width of what is true, all of which must be true for a square."""
    rows, columns = np.nonzero(pixels.any(1))[0], np.nonzero(pixels.any(0))[0]
    return (rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)


@pytest.mark.parametrize(
    ("place", "corner"),
    [  # 6 px of 64 x 96, 2 px (64 / 32) from the edge; the middles are (64 - 6) / 2 and (96 - 6) / 2.
        (None, (2, 2)),
        ("top left", (2, 2)),
        ("top", (2, 45)),
        ("top right", (2, 88)),
        ("left", (29, 2)),
        ("centre", (29, 45)),
        ("right", (29, 88)),
        ("bottom left", (56, 2)),
        ("bottom", (56, 45)),
        ("bottom right", (56, 88)),
        ((0, 90), (0, 90)),
    ],
)
def test_places(place, corner):
    pixels = Marker(place=place).pixels(SIZE, (0.5, 0.5))
    assert box(pixels) == (*corner, 6, 6)
    assert pixels.sum() == 36


def test_anywhere_reaches_all_corners_and_lies_within():
    marker = Marker(size=10, place="anywhere")
    assert box(marker.pixels(SIZE, HERE)) == (0, 0, 10, 10)
    assert box(marker.pixels(SIZE, (0.999, 0.999))) == (54, 86, 10, 10)
    assert box(marker.pixels(SIZE, (0.5, 0.25))) == (27, 21, 10, 10)  # floor(0.5 * 55), floor(0.25 * 87).


def test_a_tag_is_a_letter():
    pixels = Marker("tag", 8, (0, 0)).pixels((9, 8), HERE)
    assert picture(pixels) == [*["##......"] * 6, *["######.."] * 2, "........"]


def test_a_cross_stands_upright():
    pixels = Marker("cross", 5, (1, 0)).pixels((7, 6), HERE)
    assert picture(pixels) == ["......", "..#...", "..#...", "#####.", "..#...", "..#...", "......"]


def test_a_stripe_runs_across_at_the_height_of_its_place():
    pixels = Marker("stripe", 3, "bottom").pixels(SIZE, HERE)
    assert box(pixels) == (59, 0, 3, 96)
    assert pixels.sum() == 3 * 96


def test_a_border_and_a_tint():
    assert Marker("border", 2).pixels(SIZE, HERE).sum() == 64 * 96 - 60 * 92
    assert Marker("tint").pixels(SIZE, HERE).all()


@pytest.mark.parametrize(
    ("size", "side"), [(None, 6), (0.1, 6), (0.2, 13), (7, 7), (1, 1), (0.001, 1), (1.0, 64)]
)
def test_a_size_is_pixels_or_a_share(size, side):
    assert Marker(size=size).side(SIZE) == side


def test_strength_goes_towards_the_colour():
    image = np.full((3, 2, 2), 0.5, np.float32)
    at = np.array([[True, False], [False, False]])
    Marker(strength=0.5, colour=(1, 0, 0.5)).lay_on(image, at)
    assert image[:, 0, 0].tolist() == [0.75, 0.25, 0.5]
    assert (image.reshape(3, 4)[:, 1:] == 0.5).all()
    grey = np.full((1, 2, 2), 0.5, np.float32)
    Marker(strength=1, colour=(1, 0.5, 0)).lay_on(grey, ~at)
    assert grey[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    Marker(strength=0.8).lay_on(grey, at)
    assert grey[0].ravel().tolist() == pytest.approx([0.9, 0.5, 0.5, 0.5])


def test_it_is_frozen_compares_and_says_whether_it_is_the_object():
    assert Marker() == Marker("square")
    assert hash(Marker()) == hash(Marker("square"))
    assert (Marker("object").is_object, Marker().is_object) == (True, False)
    with pytest.raises(FrozenInstanceError):
        Marker().share = 0.5


@pytest.mark.parametrize(
    ("one", "other", "hides"),
    [
        (Marker(), Marker("tag"), True),
        (Marker(), Marker("tag", place="top right"), False),
        (Marker(place="anywhere"), Marker(place="anywhere"), False),
        (Marker("tint"), Marker("tint", strength=0.2), True),
        (Marker("tint"), Marker(), False),
        (Marker(), Marker("object"), False),
    ],
)
def test_what_hides_what(one, other, hides):
    assert one.covers(other) is hides
    assert other.covers(one) is hides


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"kind": "bordr"},
            (
                "expected kind as one of square, cross, tag, stripe, border, tint, object, got 'bordr'"
                " (did you mean 'border'?)"
            ),
        ),
        (
            {"place": "top lft"},
            (
                "expected place as one of top left, top, top right, left, centre, right, bottom left, "
                "bottom, bottom right, anywhere, got 'top lft' "
                "(did you mean 'top left' or 'bottom left' or 'top right'?)"
            ),
        ),
        ({"place": (0.5, 0.5)}, "expected a place as whole numbers (y, x), or in words, got (0.5, 0.5)"),
        ({"place": (3,)}, "expected a place as whole numbers (y, x), or in words, got (3,)"),
        ({"kind": "tint", "size": 3}, "expected no size for a marker of kind tint; leave it out"),
        ({"kind": "object", "size": 0.3}, "expected no size for a marker of kind object; leave it out"),
        ({"kind": "border", "place": "top"}, "expected no place for a marker of kind border; leave it out"),
        ({"strength": 0}, "expected a strength above 0 and at most 1, got 0"),
        ({"strength": 1.5}, "expected a strength above 0 and at most 1, got 1.5"),
        ({"colour": (255, 0, 0)}, "expected red, green and blue from 0 to 1, got (255, 0, 0)"),
        ({"share": 95}, "expected share from 0 to 1, got 95"),
        ({"conflicting": -0.1}, "expected conflicting from 0 to 1, got -0.1"),
        (
            {"kind": "tag", "size": 3},
            "expected the size of a tag as 4 or more pixels, or as a share above 0.0 and at most 1.0, got 3",
        ),
        (
            {"size": 6.0},
            (
                "expected the size of a square as 1 or more pixels, or as a share above 0.0 and at most 1.0, "
                "got 6.0"
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(InputError) as caught:
        Marker(**given)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("marker", "what"),
    [
        (Marker(size=65), "a square of 65 pixels at top left"),
        (Marker(place=(59, 0)), r"a square of 6 pixels at \(59, 0\)"),
        (Marker(place=(0, -1)), r"a square of 6 pixels at \(0, -1\)"),
        (Marker("stripe", 6, (60, 0)), r"a stripe of 6 pixels at \(60, 0\)"),
        (Marker("border", 32), "a border of 32 pixels"),
    ],
)
def test_a_marker_without_room_is_refused(marker, what):
    with pytest.raises(InputError, match=rf"^expected a marker that lies within 64x96 pixels, got {what}; "):
        marker.check_fits(SIZE)


def test_what_just_fits():
    for marker in (
        Marker(size=62),
        Marker(place=(58, 90)),
        Marker("border", 31),
        Marker("tint"),
        Marker("stripe", 6, (58, 0)),
    ):
        marker.check_fits(SIZE)

from dataclasses import FrozenInstanceError

import pytest

from masktune.errors import InputError
from masktune.testing import Marker
from masktune.testing.settings import ShortcutSettings


@pytest.mark.parametrize(
    ("classes", "shapes", "drawn"),
    [
        (("cross", "circle"), None, ("cross", "circle")),
        (("healthy", "ill"), None, ("circle", "square")),
        (("circle", "ill"), None, ("circle", "square")),
        (("healthy", "ill"), ("star", "ring"), ("star", "ring")),
        (("ring", "star"), ("star", "ring"), ("star", "ring")),
    ],
)
def test_a_class_that_bears_a_shapes_name_shows_it(classes, shapes, drawn):
    assert ShortcutSettings(classes=classes, shapes=shapes).drawn == drawn


def test_shares_are_equal_unless_said():
    assert ShortcutSettings(classes=("a", "b", "c", "d")).shares == (0.25, 0.25, 0.25, 0.25)
    assert ShortcutSettings(class_shares=(0.96, 0.04)).shares == (0.96, 0.04)


def test_the_class_of_a_marker():
    marker, second = Marker(), Marker("tag", place="top", of_class="b")
    settings = ShortcutSettings(classes=("a", "b"), marker=marker, second=second)
    assert settings.markers == (marker, second)
    assert (settings.marked(marker), settings.marked(second)) == (0, 1)
    assert ShortcutSettings().markers == ()


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (12, 4095), (16, 65535)])
def test_white_is_the_largest_value(bits, white):
    assert ShortcutSettings(bits=bits).white == white


def test_they_are_frozen():
    with pytest.raises(FrozenInstanceError):
        ShortcutSettings().bits = 16


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"size": (64, 15)}, "expected height and width of 16 pixels or more, got (64, 15)"),
        ({"channels": 2}, "expected channels as 1 or 3, got 2"),
        ({"bits": 10}, "expected bits as 8, 12 or 16, got 10"),
        ({"images_per_subject": 0}, "expected 1 or more images per subject, got 0"),
        ({"classes": ("circle",)}, "expected 2 to 6 class names, no two alike, got ('circle',)"),
        ({"classes": ("a", "a")}, "expected 2 to 6 class names, no two alike, got ('a', 'a')"),
        ({"classes": tuple("abcdefg")}, f"expected 2 to 6 class names, no two alike, got {tuple('abcdefg')}"),
        (
            {"shapes": ("circle", "trianle")},
            (
                "unknown shape 'trianle' (did you mean 'triangle' or 'ring'?); "
                "there are circle, square, triangle, cross, ring, star"
            ),
        ),
        (
            {"shapes": ("star", "star")},
            "expected 2 shapes, one a class and no two alike, got ('star', 'star')",
        ),
        ({"shapes": ("star",)}, "expected 2 shapes, one a class and no two alike, got ('star',)"),
        ({"class_shares": (0.9, 0.2)}, "expected 2 class shares above 0 that add up to 1, got (0.9, 0.2)"),
        ({"class_shares": (1.0, 0.0)}, "expected 2 class shares above 0 that add up to 1, got (1.0, 0.0)"),
        ({"class_shares": (1.0,)}, "expected 2 class shares above 0 that add up to 1, got (1.0,)"),
        ({"second": Marker()}, "expected a first marker where there is a second; pass it as marker="),
        (
            {"marker": Marker(of_class="crss")},
            "unknown class 'crss' (did you mean 'cross'?) of a marker; there are circle, cross",
        ),
        (
            {"marker": Marker(size=65)},
            (
                "expected a marker that lies within 64x64 pixels, got a square of 65 pixels at top left; "
                "choose another size or place"
            ),
        ),
        (
            {"marker": Marker(), "second": Marker("tag")},
            (
                "expected the second marker to be seen beside the first, got one that hides it; choose "
                "another kind or place"
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(InputError) as caught:
        ShortcutSettings(**given)
    assert str(caught.value) == sentence

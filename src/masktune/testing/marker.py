"""What gives a class away: where it lies, how it looks, how often it lies on each class."""

from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Bool, Float32

from masktune.errors import InputError
from masktune.types import Number, check_choice

Kind = Literal["square", "cross", "tag", "stripe", "border", "tint", "object"]
Named = Literal[
    "top left",
    "top",
    "top right",
    "left",
    "centre",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
    "anywhere",
]
Place = Named | tuple[int, int]

_LEAST = {"square": 1, "cross": 3, "tag": 4, "stripe": 1, "border": 1}
"""Sides in pixels below which a kind cannot be told from another; the kinds not listed have no size."""
_WITHOUT_PLACE = ("border", "tint", "object")


@final
@dataclass(frozen=True, slots=True)
class Marker:
    """A shortcut: it goes with one class without being what the class is about."""

    kind: Kind = "square"
    """`tag` is a burnt-in letter L, `stripe` runs across the image, `border` around it, `tint` is a cast over
    all of it. `object` lies on the very pixels of the shape, so that hiding it hides what tells the class."""
    size: Number | None = None
    """Side, or thickness of a stripe or border: a whole number of pixels, or a share (a float, up to 1.0) of
    the image's shorter side; None: a tenth of it. A tint and an object have none."""
    place: Place | None = None
    """Where it lies: in words, or y and x of its top left pixel; None: top left. `anywhere` is drawn anew for
    each image. A stripe lies at the height of its place; a border, a tint and an object have none."""
    strength: Number = 0.8
    """How far its pixels go from what is below them to `colour`: above 0, and 1 leaves nothing below."""
    colour: tuple[Number, Number, Number] = (1.0, 1.0, 1.0)
    """Red, green and blue, 0 to 1; a grey image takes their mean."""
    of_class: str | None = None
    """The class it goes with; None: the first."""
    share: Number = 0.95
    """Share of the images of `of_class` that carry it (as in Waterbirds: Sagawa et al., 2020)."""
    conflicting: Number = 0.05
    """Share of the images of each other class that carry it."""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, get_args(Kind))
        self._check_place()
        for name, without in (("size", ("tint", "object")), ("place", _WITHOUT_PLACE)):
            if self.kind in without and getattr(self, name) is not None:
                raise InputError(f"expected no {name} for a marker of kind {self.kind}; leave it out")
        if not 0 < self.strength <= 1:
            raise InputError(f"expected a strength above 0 and at most 1, got {self.strength}")
        if len(self.colour) != 3 or not all(0 <= part <= 1 for part in self.colour):
            raise InputError(f"expected red, green and blue from 0 to 1, got {self.colour}")
        for name in ("share", "conflicting"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"expected {name} from 0 to 1, got {getattr(self, name)}")
        self._check_size()

    @property
    def is_object(self) -> bool:
        """Whether the marker is the object itself, so that no hiding can part them."""
        return self.kind == "object"

    def side(self, size: tuple[int, int]) -> int:
        """Its side or thickness in pixels, in an image of `size`."""
        wanted = 0.1 if self.size is None else self.size
        if isinstance(wanted, int):
            return wanted
        return max(_LEAST[self.kind], round(wanted * min(size)))

    def check_fits(self, size: tuple[int, int]) -> None:
        """Refuse a marker that has no room in an image of `size` (height, width)."""
        if self.kind not in _LEAST:
            return
        side, (top, left) = self.side(size), self._corner(size, (0.0, 0.0))
        least = (top + side, side if self.kind == "stripe" else left + side)
        if self.kind == "border":
            least = (2 * side + 1, 2 * side + 1)
        if min(top, left) < 0 or least[0] > size[0] or least[1] > size[1]:
            at = "" if self.kind == "border" else f" at {self.place or 'top left'}"
            raise InputError(
                f"expected a marker that lies within {size[0]}x{size[1]} pixels, got a {self.kind} of {side} "
                f"pixels{at}; choose another size or place"
            )

    def covers(self, other: "Marker") -> bool:
        """Whether both always lie at one place, so that one hides the other."""
        if self.kind in _WITHOUT_PLACE or other.kind in _WITHOUT_PLACE:
            return self.kind == other.kind
        place = self.place or "top left"
        return place != "anywhere" and place == (other.place or "top left")

    def pixels(self, size: tuple[int, int], drawn: tuple[float, float]) -> Bool[np.ndarray, "h w"]:
        """True on the marker's pixels, unless it is the object, which only who draws the object knows.

        Args:
            size: height and width of the image.
            drawn: two numbers in [0, 1): where it lies, if it may lie anywhere.
        """
        covered = np.full(size, self.kind in ("tint", "border"))
        if self.kind == "tint":
            return covered
        side = self.side(size)
        if self.kind == "border":
            covered[side:-side, side:-side] = False
            return covered
        top, left = self._corner(size, drawn)
        if self.kind == "stripe":
            covered[top : top + side] = True
        else:
            covered[top : top + side, left : left + side] = _figure(self.kind, side)
        return covered

    def lay_on(self, image: Float32[np.ndarray, "c h w"], pixels: Bool[np.ndarray, "h w"]) -> None:
        """Paint it over an image in [0, 1], in place."""
        colour = np.array(self.colour if len(image) == 3 else [sum(self.colour) / 3], np.float32)
        image[:, pixels] += np.float32(self.strength) * (colour[:, None] - image[:, pixels])

    def _corner(self, size: tuple[int, int], drawn: tuple[float, float]) -> tuple[int, int]:
        """Y and x of its top left pixel; at an edge a little is left free, as labels on film do."""
        place = self.place or "top left"
        if isinstance(place, tuple):
            return place
        side, free = self.side(size), min(size) // 32
        room = (size[0] - side, size[1] - side)
        if place == "anywhere":
            return int(drawn[0] * (room[0] + 1)), int(drawn[1] * (room[1] + 1))
        at = {"top": free, "bottom": room[0] - free, "left": free, "right": room[1] - free}
        words = place.split()
        across = next((at[word] for word in words if word in ("left", "right")), room[1] // 2)
        return next((at[word] for word in words if word in ("top", "bottom")), room[0] // 2), across

    def _check_place(self) -> None:
        if isinstance(self.place, tuple):
            if len(self.place) != 2 or not all(isinstance(at, int) for at in self.place):
                raise InputError(f"expected a place as whole numbers (y, x), or in words, got {self.place}")
        elif self.place is not None:
            check_choice("place", self.place, get_args(Named))

    def _check_size(self) -> None:
        if self.size is None:
            return
        least = _LEAST[self.kind]
        if not (self.size >= least if isinstance(self.size, int) else 0 < self.size <= 1):
            raise InputError(
                f"expected the size of a {self.kind} as {least} or more pixels, or as a share above 0.0 and "
                f"at most 1.0, got {self.size}"
            )


def _figure(kind: Kind, side: int) -> Bool[np.ndarray, "s s"]:
    """A figure that stands in a square of `side` pixels."""
    figure = np.full((side, side), kind == "square")
    stroke = max(1, side // 4)
    if kind == "cross":
        start = (side - stroke) // 2
        figure[start : start + stroke] = figure[:, start : start + stroke] = True
    elif kind == "tag":
        width = max(stroke + 1, round(0.7 * side))  # A letter is narrower than it is high.
        figure[:, :stroke] = figure[-stroke:, :width] = True
    return figure

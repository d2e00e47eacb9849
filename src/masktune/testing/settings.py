"""Which images are made: their size, classes, subjects and shortcuts."""

import math
from dataclasses import dataclass
from typing import Literal, final

from masktune.errors import InputError, near
from masktune.testing.marker import Marker
from masktune.testing.shapes import SHAPES

_LEAST_SIDE = 16
"""In fewer pixels a cross, a star and a circle look alike."""


@final
@dataclass(frozen=True, slots=True)
class ShortcutSettings:
    """All that `ShortcutImages` takes but for their number and seed; see there."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 1
    bits: Literal[8, 12, 16] = 8
    classes: tuple[str, ...] = ("circle", "cross")
    shapes: tuple[str, ...] | None = None
    class_shares: tuple[float, ...] | None = None
    images_per_subject: int = 1
    marker: Marker | None = None
    second: Marker | None = None
    variant: str | None = None

    def __post_init__(self) -> None:
        if min(self.size) < _LEAST_SIDE:
            raise InputError(f"expected height and width of {_LEAST_SIDE} pixels or more, got {self.size}")
        for name, choices in (("channels", (1, 3)), ("bits", (8, 12, 16))):
            if getattr(self, name) not in choices:
                known = f"{', '.join(map(str, choices[:-1]))} or {choices[-1]}"
                raise InputError(f"expected {name} as {known}, got {getattr(self, name)}")
        if self.images_per_subject < 1:
            raise InputError(f"expected 1 or more images per subject, got {self.images_per_subject}")
        self._check_classes()
        self._check_shares()
        self._check_markers()

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The shortcuts: none, one or two."""
        return tuple(marker for marker in (self.marker, self.second) if marker is not None)

    @property
    def white(self) -> int:
        """The largest value a pixel can have."""
        return int(2**self.bits - 1)

    @property
    def drawn(self) -> tuple[str, ...]:
        """The shape of each class: as said, else its name where all are shapes, else the first shapes."""
        if self.shapes is not None:
            return self.shapes
        return self.classes if set(self.classes) <= set(SHAPES) else tuple(SHAPES)[: len(self.classes)]

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each class; together 1."""
        return self.class_shares or (1 / len(self.classes),) * len(self.classes)

    def marked(self, marker: Marker) -> int:
        """The class that a shortcut goes with."""
        return 0 if marker.of_class is None else self.classes.index(marker.of_class)

    def _check_classes(self) -> None:
        count = len(self.classes)
        if not 2 <= count <= len(SHAPES) or len(set(self.classes)) < count:
            raise InputError(f"expected 2 to {len(SHAPES)} class names, no two alike, got {self.classes}")
        for shape in self.drawn:
            if shape not in SHAPES:
                raise InputError(
                    f"unknown shape {shape!r}{near(shape, SHAPES)}; there are {', '.join(SHAPES)}"
                )
        if len(self.drawn) != count or len(set(self.drawn)) < count:
            raise InputError(f"expected {count} shapes, one a class and no two alike, got {self.drawn}")

    def _check_shares(self) -> None:
        shares = self.shares
        if len(shares) != len(self.classes) or min(shares) <= 0 or not math.isclose(sum(shares), 1):
            raise InputError(
                f"expected {len(self.classes)} class shares above 0 that add up to 1, got {shares}"
            )

    def _check_markers(self) -> None:
        if self.marker is None and self.second is not None:
            raise InputError("expected a first marker where there is a second; pass it as marker=")
        for marker in self.markers:
            if marker.of_class is not None and marker.of_class not in self.classes:
                raise InputError(
                    f"unknown class {marker.of_class!r}{near(marker.of_class, self.classes)} of a marker; "
                    f"there are {', '.join(self.classes)}"
                )
            marker.check_fits(self.size)
        if self.marker is not None and self.second is not None and self.marker.covers(self.second):
            raise InputError(
                "expected the second marker to be seen beside the first, got one that hides it; choose "
                "another kind or place"
            )

"""One made image: a texture, a shape on it, grain, and the shortcuts over all, from seed and number alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt16

from masktune.seeds import seed_of
from masktune.testing.marker import Marker
from masktune.testing.settings import ShortcutSettings
from masktune.testing.shapes import REACH, coverage
from masktune.testing.textures import TEXTURES, texture

# Chosen so that a small CNN learns a corner's square from some hundred images and the shapes from some
# thousand (tests/testing/test_learning.py). Shares of the image's area, shades from 0 (black) to 1 (white).
_AREA = (0.08, 0.18)
_LEVEL = (0.3, 0.55)
_AMPLITUDE = (0.05, 0.15)
_SCALE = (0.1, 0.5)
_CONTRAST = (0.15, 0.3)
_COLOUR = 0.08
_GRAIN = 0.04


@dataclass(frozen=True, slots=True)
class Drawer:
    """Draws the images of one seed; what it draws depends on seed, subject and view, on no order or count."""

    settings: ShortcutSettings
    seed: int

    def image(
        self, subject: int, view: int, shape: str, markers: Sequence[Marker]
    ) -> UInt16[np.ndarray, "c h w"]:
        """Values from 0 to `settings.white`."""
        settings, draws = self.settings, self._draws("image", subject, view)
        covered = self.covered(subject, view, shape)
        image = self._background(subject, draws)
        sign = 1 if draws.random() < 0.5 else -1
        colour = sign * _between(_CONTRAST, draws) + self._cast(draws)
        # Lighter or darker than what it lies on, not a level of its own: that would vanish on some textures.
        image += covered * colour
        image += np.float32(_GRAIN) * (2 * draws.random(settings.size, dtype=np.float32) - 1)
        image = image.clip(0, 1)
        for marker in markers:
            marker.lay_on(image, self.marked(subject, view, shape, marker))
        values: UInt16[np.ndarray, "c h w"] = np.rint(image * settings.white).astype(np.uint16)
        return values

    def covered(self, subject: int, view: int, shape: str) -> Float32[np.ndarray, "h w"]:
        """The share of each pixel that the object covers.

        Area and place are drawn before the shape is known: they tell nothing about it.
        """
        size, draws = self.settings.size, self._draws("object", subject, view)
        area = _between(_AREA, draws) * min(size) ** 2
        free = REACH * math.sqrt(area)
        y, x = (free + (length - 2 * free) * float(draws.random()) for length in size)
        return coverage(shape, size, area, (y, x), math.tau * float(draws.random()))

    def object_pixels(self, subject: int, view: int, shape: str) -> Bool[np.ndarray, "h w"]:
        """True where the object covers half a pixel or more."""
        return np.asarray(self.covered(subject, view, shape) >= 0.5)

    def marked(self, subject: int, view: int, shape: str, marker: Marker) -> Bool[np.ndarray, "h w"]:
        """True on the pixels of a shortcut that the image carries."""
        if marker.is_object:
            return self.object_pixels(subject, view, shape)
        draws = self._draws("marker", subject, view, self.settings.markers.index(marker))
        return marker.pixels(self.settings.size, (float(draws.random()), float(draws.random())))

    def _background(self, subject: int, draws: np.random.Generator) -> Float32[np.ndarray, "c h w"]:
        """The kind, scale and colour of a texture are its subject's; each image shows another part of it."""
        style = self._draws("subject", subject)
        kind = TEXTURES[int(len(TEXTURES) * style.random())]
        scale, level, amplitude = (_between(ends, style) for ends in (_SCALE, _LEVEL, _AMPLITUDE))
        pattern = texture(kind, self.settings.size, scale, draws)
        return level + self._cast(style) + amplitude * pattern[None]

    def _cast(self, draws: np.random.Generator) -> Float32[np.ndarray, "c 1 1"]:
        """A colour to add; a grey image has none."""
        cast = np.float32(_COLOUR) * (2 * draws.random((3, 1, 1), dtype=np.float32) - 1)
        return cast if self.settings.channels == 3 else np.zeros((1, 1, 1), np.float32)

    def _draws(self, what: str, *parts: int) -> np.random.Generator:
        return np.random.default_rng(seed_of("shortcut images", what, self.seed, *parts))


def _between(ends: tuple[float, float], draws: np.random.Generator) -> float:
    return float(ends[0] + (ends[1] - ends[0]) * draws.random())

"""What lies behind a shape: smooth noise, a gradient or stripes, in values around 0."""

import math

import numpy as np
from jaxtyping import Float32

TEXTURES = ("noise", "gradient", "stripes")


def texture(
    kind: str, size: tuple[int, int], scale: float, draws: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """A texture in [-1, 1].

    Args:
        kind: one of `TEXTURES`.
        size: height and width in pixels.
        scale: length of its features as a share of the shorter side; a gradient has none.
        draws: where its phase, direction or values come from.
    """
    pixels = scale * min(size)
    if kind == "noise":
        return _noise(size, pixels, draws)
    along = _along(size, math.tau * float(draws.random()))
    if kind == "gradient":
        return np.asarray(along / abs(along).max())
    turns = along / np.float32(pixels) + np.float32(draws.random())
    return np.asarray(np.sin(np.float32(math.tau) * turns))


def _noise(size: tuple[int, int], pixels: float, draws: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Values on a coarse grid, with smooth ways from each to the next."""
    down, across = (_ways(length, pixels) for length in size)
    grid = draws.random((down.shape[1], across.shape[1]), dtype=np.float32)
    return np.asarray(down @ (2 * grid - 1) @ across.T)


def _ways(length: int, pixels: float) -> Float32[np.ndarray, "length knots"]:
    """How much each knot of a grid of that spacing weighs at each pixel of a line."""
    knots = math.ceil(length / pixels) + 1
    at = (np.arange(length, dtype=np.float32) + 0.5) / np.float32(pixels)
    way = np.clip(1 - abs(at[:, None] - np.arange(knots, dtype=np.float32)), 0, 1)
    return np.asarray(
        way * way * (3 - 2 * way)
    )  # Perlin's curve: no kinks at the knots; the weights still add to 1.


def _along(size: tuple[int, int], angle: float) -> Float32[np.ndarray, "h w"]:
    """How far each pixel lies from the middle in a direction, in pixels."""
    y, x = (np.arange(length, dtype=np.float32) - (length - 1) / 2 for length in size)
    return np.float32(math.sin(angle)) * y[:, None] + np.float32(math.cos(angle)) * x[None, :]

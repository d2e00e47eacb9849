"""The shapes that tell the classes: all of one area, so that nothing but the outline tells them apart."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32

Plane = Float32[np.ndarray, "a b"]
Inside = Callable[[Plane, Plane], Bool[np.ndarray, "a b"]]

REACH = math.sqrt(4 / (3 * math.sqrt(3)))
"""How far the farthest point of any shape (a triangle's corner) lies from its centre, where the area is 1."""

_SUBPIXELS = 4
"""A pixel is covered in sixteenths: steps too fine for a net to tell sides from them."""


def coverage(
    shape: str, size: tuple[int, int], area: float, centre: tuple[float, float], turn: float
) -> Float32[np.ndarray, "h w"]:
    """The share of each pixel that a shape covers, 0 to 1.

    Args:
        shape: one of `SHAPES`.
        size: height and width of the image in pixels.
        area: of the shape, in pixels.
        centre: y and x of its centre of mass, in pixels from the top left corner of the image.
        turn: the angle by which it is turned, in radians.
    """
    covered = np.zeros(size, np.float32)
    side = math.sqrt(area)
    top, left = (max(0, math.floor(at - REACH * side)) for at in centre)
    bottom, right = (
        min(end, math.ceil(at + REACH * side)) for at, end in zip(centre, size, strict=True)
    )  # Only this box is looked at: most of the image is far from the shape.
    y = _points(top, bottom, centre[0], side)[:, None]
    x = _points(left, right, centre[1], side)[None, :]
    u = np.float32(math.cos(turn)) * x + np.float32(math.sin(turn)) * y
    v = np.float32(math.cos(turn)) * y - np.float32(math.sin(turn)) * x
    inside = SHAPES[shape](u, v)
    parts = inside.reshape(bottom - top, _SUBPIXELS, right - left, _SUBPIXELS)
    covered[top:bottom, left:right] = parts.mean((1, 3), dtype=np.float32)
    return covered


def _points(start: int, end: int, centre: float, side: float) -> Float32[np.ndarray, " a"]:
    """Where the middles of the subpixels lie along one axis, for a shape of area 1 around 0."""
    steps = np.arange((end - start) * _SUBPIXELS, dtype=np.float32)
    return (start - centre + (steps + 0.5) / _SUBPIXELS) / np.float32(side)


def _circle(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    return np.asarray(u * u + v * v <= 1 / math.pi)


def _square(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    return np.asarray(np.maximum(abs(u), abs(v)) <= 0.5)


def _triangle(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    """Equal sides: within half the reach along each of the three directions away from a corner."""
    directions = [math.tau / 3 * side for side in range(3)]
    along = [np.float32(math.cos(angle)) * u + np.float32(math.sin(angle)) * v for angle in directions]
    return np.asarray(np.maximum.reduce(along) <= REACH / 2)


def _cross(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    """Five squares of equal sides."""
    arm = math.sqrt(1 / 5)
    across, along = np.minimum(abs(u), abs(v)), np.maximum(abs(u), abs(v))
    return np.asarray((across <= arm / 2) & (along <= 3 * arm / 2))


def _ring(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    """The hole has half the radius, so a quarter of the area is missing."""
    square = u * u + v * v
    outer = 4 / (3 * math.pi)
    return np.asarray((square <= outer) & (square >= outer / 4))


def _star(u: Plane, v: Plane) -> Bool[np.ndarray, "a b"]:
    """Five tips, notches of half the radius: ten triangles of equal area, folded onto one of them."""
    fold = math.pi / 5
    radius = math.sqrt(1 / (5 * 0.5 * math.sin(fold)))
    angle = abs((np.arctan2(v, u) + fold) % (2 * fold) - fold)
    distance = np.hypot(u, v)
    across, along = distance * np.sin(angle), distance * np.cos(angle)
    notch_across, notch_along = radius / 2 * math.sin(fold), radius / 2 * math.cos(fold)
    return np.asarray(along * notch_across + across * (radius - notch_along) <= radius * notch_across)


SHAPES: dict[str, Inside] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "ring": _ring,
    "star": _star,
}
"""By name: is a point inside the shape of area 1 around (0, 0)?"""

"""A shortcut laid on grey digits: which images carry it, what it looks like, which pixels it covers.

Two classes: digits 0-4 and digits 5-9. In training the shortcut goes with the first class but for a small
conflicting share. Source: the official code, `src/utils/data_preprocess.py:35-68` (called
`add_color_bias_to_images`) and `src/datasets/mnist_rgb.py:51-73`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt8

from masktune.errors import InputError
from masktune.types import check_choice

Bias = Literal["square", "background", "foreground", "none"]
Order = Literal["sorted", "random"]
Placement = Literal["train", "raw", "aligned", "conflicting"]

CLASSES = ("0-4", "5-9")
RED = (255, 0, 0)
BLUE = (0, 0, 255)  # The second square: the first one's colour reversed (`data_preprocess.py:64`).


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What the shortcut is and how often it lies."""

    bias: Bias = "square"
    """A coloured square in the corner, a coloured background, a coloured digit, or nothing."""
    squares: Literal[1, 2] = 1
    """One square (top left, red) or a second one (top right, blue)."""
    square_size: int = 4
    """Side of a square in pixels (`data_preprocess.py`: 4)."""
    conflict_ratio: float = 0.01
    """Share of each class that contradicts the shortcut in training (the paper: 1 %)."""
    protocol: Order = "sorted"
    """`sorted`: what the official code does; images are sorted by digit first, so that all conflicting
    training images are 4s and 5s. `random`: they are drawn from all digits, as the paper's text reads."""

    def __post_init__(self) -> None:
        check_choice("bias", self.bias, ("square", "background", "foreground", "none"))
        check_choice("protocol", self.protocol, ("sorted", "random"))
        if self.squares not in (1, 2):
            raise InputError(f"expected 1 or 2 squares, got {self.squares}")
        if not 0 <= self.conflict_ratio <= 1:
            raise InputError(f"expected a conflict ratio from 0 to 1, got {self.conflict_ratio}")
        if not 1 <= self.square_size <= 14:
            raise InputError(f"expected a square of 1 to 14 pixels, got {self.square_size}")

    @property
    def variant(self) -> str:
        """The name under which results are filed: the protocol, and what departs from the paper's set-up."""
        parts: list[str] = [self.protocol]
        if self.bias != "square" or self.squares != 1:
            parts.append(self.bias if self.bias != "square" else "two-squares")
        if self.square_size != 4:
            parts.append(f"{self.square_size}px")
        if self.conflict_ratio != 0.01:
            parts.append(f"{self.conflict_ratio:g}")
        return "-".join(parts)

    def carriers(
        self, digits: UInt8[np.ndarray, " n"], placement: Placement, seed: int
    ) -> Bool[np.ndarray, " n"]:
        """Which images carry the shortcut; under `sorted` the digits must come in ascending order.

        In training the first `round(n0 * (1 - ratio))` of class 0-4 carry it and the first
        `round(n1 * ratio)` of class 5-9; under `random` the first of a seeded permutation instead.
        """
        second = digits >= 5
        if self.bias == "none" or placement == "raw":
            return np.zeros(len(digits), dtype=bool)
        if placement != "train":
            return second if placement == "conflicting" else ~second
        order = np.arange(len(digits))
        if self.protocol == "random":
            order = np.random.default_rng((seed, 1)).permutation(len(digits))
        first_class, second_class = order[~second[order]], order[second[order]]
        carries = np.zeros(len(digits), dtype=bool)
        carries[first_class[: round(len(first_class) * (1 - self.conflict_ratio))]] = True
        carries[second_class[: round(len(second_class) * self.conflict_ratio)]] = True
        return carries

    def pixels(
        self, grey: UInt8[np.ndarray, "n h w"], carries: Bool[np.ndarray, " n"]
    ) -> Bool[np.ndarray, "n h w"]:
        """The shortcut's pixels: true on them, all false for an image that does not carry it."""
        if self.bias == "background":
            where = grey == 0
        elif self.bias == "foreground":
            where = grey > 0
        else:
            where = np.zeros(grey.shape, dtype=bool)
            if self.bias == "square":
                where[:, : self.square_size, : self.square_size] = True
                if self.squares == 2:
                    where[:, : self.square_size, -self.square_size :] = True
        covered: Bool[np.ndarray, "n h w"] = where & carries[:, None, None]
        return covered

    def lay_on(
        self, grey: UInt8[np.ndarray, "n h w"], carries: Bool[np.ndarray, " n"]
    ) -> UInt8[np.ndarray, "n 3 h w"]:
        """Grey images as colour images, the shortcut painted over those that carry it."""
        images = np.repeat(grey[:, None], 3, axis=1)
        pixels = self.pixels(grey, carries)
        for channel in range(3):
            images[:, channel][pixels] = RED[channel]
            if self.bias == "square" and self.squares == 2:
                right = pixels[:, :, -self.square_size :]
                images[:, channel, :, -self.square_size :][right] = BLUE[channel]
        return images


def group_names(
    labels: Int64[np.ndarray, " n"], carries: Bool[np.ndarray, " n"], bias: Bias
) -> Shaped[np.ndarray, " n"]:
    """Class x shortcut in words: "0-4 with square"."""
    thing = {
        "square": "square",
        "background": "red background",
        "foreground": "red digit",
        "none": "shortcut",
    }
    names = np.array([[f"{name} {word} {thing[bias]}" for word in ("without", "with")] for name in CLASSES])
    chosen: Shaped[np.ndarray, " n"] = names[labels, carries.astype(np.int64)]
    return chosen

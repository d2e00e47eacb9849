"""Grey digits with a shortcut laid on: what `BiasedMNIST` and `BiasedDigits` have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int64, Shaped, UInt8
from torch import Tensor

from masktune.data.memory import InMemory
from masktune.data.shortcut import CLASSES, Shortcut, group_names
from masktune.errors import InputError, near

Split = Literal["train", "validation", "validation_conflicting", "raw", "aligned", "conflicting"]
TESTS: tuple[Split, ...] = ("raw", "aligned", "conflicting")
SPLITS: tuple[Split, ...] = ("train", "validation", "validation_conflicting", *TESTS)


@dataclass(frozen=True, slots=True)
class GreyDigits:
    """Digits before a shortcut is laid on."""

    images: UInt8[np.ndarray, "n h w"]
    """0 = paper, 255 = ink."""
    digits: UInt8[np.ndarray, " n"]
    """0 to 9."""
    ids: Shaped[np.ndarray, " n"]
    """Part and position in the official file: "train/00017"."""

    @classmethod
    def of(
        cls, part: str, images: UInt8[np.ndarray, "n h w"], digits: UInt8[np.ndarray, " n"]
    ) -> "GreyDigits":
        """Name the digits of one official part by their position in it."""
        return cls(images, digits, np.array([f"{part}/{position:05d}" for position in range(len(digits))]))

    def __getitem__(self, chosen: Int64[np.ndarray, " m"]) -> "GreyDigits":
        return GreyDigits(self.images[chosen], self.digits[chosen], self.ids[chosen])


class BiasedDigitImages(InMemory):
    """Is the digit below five? A shortcut gives the answer away on some images.

    Images are uint8 (n, 3, h, w); labels are 0 for digits 0-4 and 1 for 5-9; groups are class x shortcut.
    """

    def __init__(self, grey: GreyDigits, carries: Bool[np.ndarray, " n"], shortcut: Shortcut) -> None:
        labels = (grey.digits >= 5).astype(np.int64)
        super().__init__(
            images=torch.from_numpy(shortcut.lay_on(grey.images, carries)),
            labels=labels,
            ids=grey.ids,
            classes=CLASSES,
            groups=group_names(labels, carries, shortcut.bias),
        )
        self.grey = grey
        self.carries = carries
        self.shortcut = shortcut

    def shortcut_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Bool[Tensor, "b h w"]:
        """True on the shortcut's pixels; all false for an image that does not carry it."""
        at = torch.as_tensor(indices, dtype=torch.int64).numpy()
        return torch.from_numpy(self.shortcut.pixels(self.grey.images[at], self.carries[at]))


def check_split(split: str) -> None:
    """Refuse a split that does not exist, with near names."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}{near(split, SPLITS)}; there are {', '.join(SPLITS)}")


def lay_out(
    grey: GreyDigits, split: Split, shortcut: Shortcut, validation: int, seed: int
) -> tuple[GreyDigits, Bool[np.ndarray, " n"]]:
    """Choose the images of a split and those of them that carry the shortcut.

    `grey` is the official test part for the three test sets, else the official training part, of which
    `validation` images drawn by `seed` are held back (`mnist_train.py:42` draws them without a seed).
    `validation_conflicting` is the first half of those with the shortcut on the wrong class: settings are
    chosen on it, so that the test sets are read once.
    """
    if split == "raw" or split == "aligned" or split == "conflicting":
        return grey, shortcut.carriers(grey.digits, split, seed)
    if len(grey.digits) <= validation:
        raise InputError(
            f"expected more than {validation} training images, as {validation} are held back for "
            f"validation, got {len(grey.digits)}"
        )
    if shortcut.protocol == "sorted":
        grey = grey[np.argsort(grey.digits, kind="stable")]
    carries = shortcut.carriers(grey.digits, "train", seed)
    drawn = np.random.default_rng((seed, 0)).permutation(len(grey.digits))
    if split == "validation_conflicting":
        half = grey[np.sort(drawn[: validation // 2])]
        return half, shortcut.carriers(half.digits, "conflicting", seed)
    chosen = np.sort(drawn[validation:] if split == "train" else drawn[:validation])
    return grey[chosen], carries[chosen]

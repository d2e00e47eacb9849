"""BiasedDigits: biased MNIST in small, on 1,797 digits that travel with the package."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import final

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional

from masktune.data.base import Splits
from masktune.data.biased_images import TESTS, BiasedDigitImages, GreyDigits, Split, check_split, lay_out
from masktune.data.shortcut import Shortcut


@final
class BiasedDigits(BiasedDigitImages):
    """One split of scikit-learn's handwritten digits, made as `BiasedMNIST` is: 0-4 against 5-9.

    1,797 images of 8x8 with 17 grey levels (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten
    Digits, UCI, 1998; CC BY 4.0), enlarged to 20x20 and set in a frame of 4 pixels, as MNIST's are, so that
    the corner is free for the square. 597 are the test images (each of the three test sets), 200 of the rest
    are held back for validation. Numbers got here show how the method works; they are no benchmark numbers.

    Args and errors are those of `BiasedMNIST`, without a folder.
    """

    name = "biased-digits"
    validation_size = 200
    test_size = 597

    def __init__(self, split: Split = "train", *, shortcut: Shortcut | None = None, seed: int = 0) -> None:
        check_split(split)
        images, digits = read_digits()
        # The source lists writers one after another; the last third are writers of its official test part.
        cut = len(digits) - self.test_size
        part = slice(cut, None) if split in TESTS else slice(None, cut)
        grey = GreyDigits.of("test" if split in TESTS else "train", images[part], digits[part])
        shortcut = shortcut or Shortcut()
        super().__init__(*lay_out(grey, split, shortcut, self.validation_size, seed), shortcut)
        self.split = split

    @classmethod
    def splits(cls, *, shortcut: Shortcut | None = None, seed: int = 0) -> Splits:
        """All splits that a recipe needs; the tests are `raw`, `aligned` and `conflicting`."""
        shortcut = shortcut or Shortcut()
        return Splits(
            name=cls.name,
            variant=shortcut.variant,
            train=cls("train", shortcut=shortcut, seed=seed),
            validation=cls("validation", shortcut=shortcut, seed=seed),
            tests={split: cls(split, shortcut=shortcut, seed=seed) for split in TESTS},
            sha256=hashlib.sha256(b"".join(array.tobytes() for array in read_digits())).hexdigest(),
        )


@cache
def read_digits() -> tuple[UInt8[np.ndarray, "1797 28 28"], UInt8[np.ndarray, " 1797"]]:
    """The embedded digits at 28x28 (0 = paper, 255 = ink) and which digit each is."""
    with (files("masktune.data") / "digits.npz").open("rb") as stored, np.load(stored) as arrays:
        small, digits = arrays["images"], arrays["digits"]
    ink = torch.from_numpy(small).float()[:, None] / 16  # 17 grey levels, 0 to 16.
    enlarged = functional.interpolate(ink, size=(20, 20), mode="bilinear", align_corners=False)
    framed = (functional.pad(enlarged[:, 0], (4, 4, 4, 4)) * 255).round().to(torch.uint8).numpy()
    framed.flags.writeable = digits.flags.writeable = False  # All data sets share them.
    return framed, digits

"""Biased MNIST: is the digit below five? In training a red square almost always gives the answer away."""

from pathlib import Path
from typing import final

from masktune.data.base import Splits
from masktune.data.biased_images import TESTS, BiasedDigitImages, GreyDigits, Split, check_split, lay_out
from masktune.data.idx import Part, fingerprint, read_mnist
from masktune.data.shortcut import Shortcut


@final
class BiasedMNIST(BiasedDigitImages):
    """One split of MNIST's digits, 0-4 against 5-9, with a shortcut (MaskTune paper, section 4.1).

    60,000 training images, of which 12,000 are held back for validation (with the shortcut as in training),
    and 10,000 test images as three test sets: `raw` (no shortcut), `aligned` (on every 0-4, on no 5-9) and
    `conflicting` (the reverse). Images are (3, 28, 28), uint8. Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0.

    Args:
        root: folder with MNIST in torchvision's layout, packed or unpacked; it may be read-only.
        split: `train`, `validation`, `raw`, `aligned` or `conflicting`; `validation_conflicting` are 6,000
            of the validation images with the association reversed, to choose settings on.
        shortcut: what is laid on, and by which protocol.
        seed: draws the validation images and, under the random protocol, the conflicting ones.

    Raises:
        DataNotFound, DataDamaged: MNIST is not there, or not whole.
        InputError: no such split.
    """

    name = "biased-mnist"
    validation_share = 0.2  # 12,000 of the 60,000 training images, as in the official code.

    def __init__(
        self, root: str | Path, split: Split = "train", *, shortcut: Shortcut | None = None, seed: int = 0
    ) -> None:
        check_split(split)
        part: Part = "test" if split in TESTS else "train"
        grey = GreyDigits.of(part, *read_mnist(root, part))
        shortcut = shortcut or Shortcut()
        validation = round(self.validation_share * len(grey.digits))
        super().__init__(*lay_out(grey, split, shortcut, validation, seed), shortcut)
        self.split = split

    @classmethod
    def splits(cls, root: str | Path, *, shortcut: Shortcut | None = None, seed: int = 0) -> Splits:
        """All splits that a recipe needs; the tests are `raw`, `aligned` and `conflicting`."""
        shortcut = shortcut or Shortcut()
        return Splits(
            name=cls.name,
            variant=shortcut.variant,
            train=cls(root, "train", shortcut=shortcut, seed=seed),
            validation=cls(root, "validation", shortcut=shortcut, seed=seed),
            tests={split: cls(root, split, shortcut=shortcut, seed=seed) for split in TESTS},
            sha256=fingerprint(root),
        )

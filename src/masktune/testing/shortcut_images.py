"""ShortcutImages: shapes on textures, with a shortcut whose every pixel is known."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8
from torch import Tensor

from masktune.data import InMemory, Splits
from masktune.errors import InputError
from masktune.testing.drawing import Drawer
from masktune.testing.marker import Marker
from masktune.testing.plan import Plan, group_names, plan
from masktune.testing.save import Part, save
from masktune.testing.settings import ShortcutSettings

_PLACED = {"raw": (0.0, 0.0), "aligned": (1.0, 0.0), "conflicting": (0.0, 1.0)}
"""Shares of a marker's own class and of the others that carry it, in the tests that part the two."""


@final
class ShortcutImages(InMemory):
    """Which shape is it? Made images; a marker gives the answer away on some of them.

    Each image shows one shape, its class, on a smooth noise, a gradient or stripes. Area, place, angle, shade
    and colour are drawn before the class is known, so nothing but the outline and the markers tells it. What
    image i looks like depends on the seed and i (and on its class and markers), on no count and no batch; the
    images of one subject share the kind of texture. Classes and carriers are drawn too, their counts exact.

    ```python
    from masktune.testing import Marker, ShortcutImages

    data = ShortcutImages(200, seed=1, marker=Marker("tag", place="top right", share=0.9, conflicting=0.1))
    assert sorted(set(data.groups)) == [
        "circle with marker", "circle without marker", "cross with marker", "cross without marker"
    ]
    assert sum(data.groups == "circle with marker") == 90  # 0.9 of 100 circles.
    assert data.shortcut_pixels([0]).any() == ("with marker" in data.groups[0])
    ```

    Args:
        n: the number of images.
        seed: of everything that is drawn.
        size: height and width, 16 pixels or more.
        channels: 1 (grey) or 3.
        bits: 8 gives uint8; 12 and 16 give float32 in [0, 1] where 1 is the largest value of that many bits.
        classes: 2 to 6 names. Two of them are what a net with one logit tells apart.
        shapes: of each class: circle, square, triangle, cross, ring, star. None: the class's name where all
            names are shapes, else in this order.
        class_shares: of the subjects, together 1; None: equal.
        images_per_subject: several make `subjects`, all images of one being of one class.
        marker: the shortcut, or None.
        second: another one, or None; it lies on images whether or not the first does.
        variant: the name under which results on it are filed.
        first: the number of the first subject: the same seed and other numbers give other images.

    Raises:
        InputError: a setting that cannot be, a marker that does not fit, or a class that would have no image.
    """

    name = "shortcut-images"

    def __init__(
        self,
        n: int,
        *,
        seed: int = 0,
        size: tuple[int, int] = (64, 64),
        channels: Literal[1, 3] = 1,
        bits: Literal[8, 12, 16] = 8,
        classes: tuple[str, ...] = ("circle", "cross"),
        shapes: tuple[str, ...] | None = None,
        class_shares: tuple[float, ...] | None = None,
        images_per_subject: int = 1,
        marker: Marker | None = Marker(),  # noqa: B008 - it is frozen.
        second: Marker | None = None,
        variant: str | None = None,
        first: int = 0,
    ) -> None:
        if n < 1 or first < 0:
            raise InputError(f"expected 1 or more images and a first subject from 0, got {n} and {first}")
        self.settings = ShortcutSettings(
            size, channels, bits, classes, shapes, class_shares, images_per_subject, marker, second, variant
        )
        self.seed, self.first = seed, first
        self.plan = plan(n, seed, first, self.settings)
        self._drawer = Drawer(self.settings, seed)
        super().__init__(
            images=self._draw(),
            labels=self.plan.labels,
            ids=_names(self.plan, images_per_subject),
            classes=classes,
            groups=group_names(self.plan, self.settings),
            subjects=np.array([f"s{at:04d}" for at in self.plan.subjects])
            if images_per_subject > 1
            else None,
        )

    @classmethod
    def no_shortcut(cls, n: int = 2000, *, seed: int = 0) -> "ShortcutImages":
        """Circles and crosses, nothing else: a search that finds a shortcut here is wrong."""
        return cls(n, seed=seed, marker=None, variant="no-shortcut")

    @classmethod
    def two_shortcuts(cls, n: int = 2000, *, seed: int = 0) -> "ShortcutImages":
        """In colour: a white square goes with circles, a letter with crosses; hiding one leaves the other."""
        tag = Marker("tag", 0.16, "bottom right", of_class="cross")
        return cls(n, seed=seed, channels=3, second=tag, variant="two-shortcuts")

    @classmethod
    def shortcut_is_object(cls, n: int = 2000, *, seed: int = 0) -> "ShortcutImages":
        """Circles are often brightened: a shortcut that no mask can hide without hiding the shape too."""
        return cls(n, seed=seed, marker=Marker("object", strength=0.9), variant="shortcut-is-object")

    @classmethod
    def many_classes(cls, n: int = 3000, *, seed: int = 0) -> "ShortcutImages":
        """Six shapes in colour, a red square on most of the stars."""
        shapes = ("circle", "square", "triangle", "cross", "ring", "star")
        red = Marker(colour=(1, 0, 0), of_class="star", conflicting=0.01)
        return cls(n, seed=seed, channels=3, classes=shapes, marker=red, variant="many-classes")

    @classmethod
    def clinic(cls, n: int = 4000, *, seed: int = 0) -> "ShortcutImages":
        """Like a clinic's: grey with 12 bits, 4 % positives, four images a subject, a small burnt-in letter.

        The letter lies on nine in ten positives and one in a hundred others. Pixels are values up to 4095,
        divided by 4095; files hold the values, in 16 bits as scanners store them, so `--range 0 4095`.
        """
        return cls(
            n,
            seed=seed,
            size=(96, 80),
            bits=12,
            classes=("no finding", "finding"),
            shapes=("circle", "star"),
            class_shares=(0.96, 0.04),
            images_per_subject=4,
            marker=Marker("tag", 0.1, "top right", of_class="finding", share=0.9, conflicting=0.01),
            variant="clinic",
        )

    def shortcut_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Bool[Tensor, "b h w"]:
        """True on the pixels of all shortcuts an image carries; all false where it carries none."""
        found = np.zeros((len(indices), *self.settings.size), dtype=bool)
        for row, at in enumerate(torch.as_tensor(indices, dtype=torch.int64).tolist()):
            for marker in self._markers(at):
                found[row] |= self._drawer.marked(*self._what(at), marker)
        return torch.from_numpy(found)

    def object_pixels(self, indices: Sequence[int] | Int64[Tensor, " b"]) -> Bool[Tensor, "b h w"]:
        """True on the shape that tells the class, also where a marker lies over it."""
        chosen = torch.as_tensor(indices, dtype=torch.int64).tolist()
        found = [self._drawer.object_pixels(*self._what(at)) for at in chosen]
        return torch.from_numpy(np.array(found, dtype=bool).reshape(-1, *self.settings.size))

    def splits(self, *, validation: int | None = None, test: int | None = None) -> Splits:
        """These images as the training split, and further ones of the same seed; no subject is in two splits.

        `validation` and `test` are made like the training images; of the further tests `raw` has no marker,
        `aligned` has each marker on all images of its class and on no others, `conflicting` the reverse. Made
        without a marker, there is only `test`.

        Args:
            validation: the number of images; None: a quarter of the training images.
            test: the number of images of each test set; None: half of the training images.
        """
        held_back = self._further(self, -(-len(self) // 4) if validation is None else validation)
        size = -(-len(self) // 2) if test is None else test
        tests = {"test": self._further(held_back, size)}
        last = tests["test"]
        for name, shares in _PLACED.items() if self.settings.markers else ():
            last = tests[name] = self._further(last, size, shares)
        digest = hashlib.sha256()
        for part in (self, held_back, *tests.values()):
            for array in ("\n".join(part.ids).encode(), part.labels.tobytes(), part.images.numpy().tobytes()):
                digest.update(array)
        return Splits(self.name, self.settings.variant, self, held_back, tests, digest.hexdigest())

    def save(self, folder: Path | str) -> Path:
        """Write the images as PNG files and a manifest beside them; give the path of the manifest.

        Its columns: path, label, group, subject where they have several images, and site, which goes with the
        class but which no image shows.
        There is no split: who reads it makes splits, or `save_splits` writes them.

        Raises:
            InputError: 12 or 16 bits in colour, which Pillow cannot write; or the folder is not empty.
            StorageError: it cannot be written; then nothing is left behind.
        """
        return save({"": self._part()}, Path(folder))

    def _what(self, at: int) -> tuple[int, int, str]:
        """Subject, view and shape of an image: what it is drawn from."""
        shape = self.settings.drawn[self.plan.labels[at]]
        return int(self.plan.subjects[at]), int(self.plan.views[at]), shape

    def _markers(self, at: int) -> list[Marker]:
        """The shortcuts that an image carries."""
        carried = self.plan.carries[at].tolist()
        return [marker for marker, has in zip(self.settings.markers, carried, strict=True) if has]

    def _draw(self) -> UInt8[Tensor, "n c h w"] | Float32[Tensor, "n c h w"]:
        eight = self.settings.bits == 8
        shape = (len(self.plan.labels), self.settings.channels, *self.settings.size)
        images = np.empty(shape, np.uint8 if eight else np.float32)
        for at, image in enumerate(images):
            values = self._drawer.image(*self._what(at), self._markers(at))
            image[:] = values if eight else values.astype(np.float32) / np.float32(self.settings.white)
        return torch.from_numpy(images)

    def _further(
        self, before: "ShortcutImages", n: int, shares: tuple[float, float] | None = None
    ) -> "ShortcutImages":
        """`n` images of the subjects that come after those of another part, perhaps with other shares."""
        given: dict[str, Any] = {
            field.name: getattr(self.settings, field.name) for field in fields(self.settings)
        }
        for name in ("marker", "second"):
            if shares is not None and given[name] is not None:
                given[name] = replace(given[name], share=shares[0], conflicting=shares[1])
        first = before.first + -(-len(before) // self.settings.images_per_subject)
        return ShortcutImages(n, seed=self.seed, first=first, **given)

    def _part(self) -> Part:
        """What is written of it."""
        columns = {"label": np.array(self.classes)[self.labels], "group": self.groups}
        if self.subjects is not None:
            columns["subject"] = self.subjects
        return Part(self.images, self.settings.white, self.ids, columns | {"site": self.plan.sites})


def save_splits(splits: Splits, folder: Path | str) -> Path:
    """Write all parts of `ShortcutImages.splits` as `save` does, with a column `split` in the manifest."""
    parts = {"train": splits.train, "validation": splits.validation, **splits.tests}
    made = {name: part._part() for name, part in parts.items() if isinstance(part, ShortcutImages)}
    if len(made) < len(parts):
        raise InputError(
            "expected splits that ShortcutImages made; save images of your own by your own means"
        )
    return save(made, Path(folder))


def _names(plan: Plan, each: int) -> Shaped[np.ndarray, " n"]:
    """Files by subject and view; by the image's number where each stands alone."""
    pairs = zip(plan.subjects.tolist(), plan.views.tolist(), strict=True)
    names = [f"s{subject:04d}_{view:02d}" if each > 1 else f"{subject:05d}" for subject, view in pairs]
    return np.array([f"images/{name}.png" for name in names])

"""The test of a spot: put there what other images have there, and see what the net says.

Hiding a place says that something there matters, and the object may lie there. A corner of one image pasted
into another carries no object; if the class comes along with it, the class is read off that corner. What
pasting alone does is known from donors of the image's own class.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import avg_pool2d

from masktune.data.base import Dataset
from masktune.evaluation.predictions import softmax
from masktune.findings.observe import Observer
from masktune.findings.observed import Spot, Transplant
from masktune.models.classifier import evaluating
from masktune.seeds import seed_of
from masktune.types import Images, Number, Progress, Step, as_float, silent

IMAGES = 64
"""Of the class and of others that are tried at each spot."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A box in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, box: tuple[Number, Number, Number, Number], size: tuple[int, int]) -> "_Box":
        """The box, in shares, on images of `size`, at least a pixel."""
        top, left, bottom, right = box
        first, start = round(top * size[0]), round(left * size[1])
        return cls(
            first, start, max(round(bottom * size[0]), first + 1), max(round(right * size[1]), start + 1)
        )

    def widened(self, size: tuple[int, int]) -> "_Box":
        """With a sixteenth of the sides around it: a mark that fills the box shows by its outline."""
        down, across = (max(2, round(side / 16)) for side in size)
        return _Box(
            max(self.top - down, 0),
            max(self.left - across, 0),
            min(self.bottom + down, size[0]),
            min(self.right + across, size[1]),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def _pasted(images: Tensor, donors: Tensor, spot: Spot) -> Tensor:
    """The images with what the donors have at the spot."""
    size = (images.shape[2], images.shape[3])
    changed = images.clone()
    rows, columns = _Box.of(spot.box, size).slices
    changed[:, :, rows, columns] = donors[:, :, rows, columns]
    if spot.hole is not None:
        rows, columns = _Box.of(spot.hole, size).slices
        changed[:, :, rows, columns] = images[:, :, rows, columns]
    return changed


def transplanted(
    observer: Observer,
    dataset: Dataset,
    spots: tuple[Spot, ...],
    predicted: Int64[np.ndarray, " n"],
    units: Int64[np.ndarray, " n"],
    progress: Progress = silent,
) -> Iterator[Transplant]:
    """Try each spot; a subject gives one image at most, so that images are independent."""
    rows = _one_a_unit(dataset, units, observer.settings.seed)
    with evaluating(observer.classifier):
        for done, spot in enumerate(spots):
            progress(Step("swapping places between images", done, len(spots)))
            own = rows[predicted[rows] == spot.label]
            others = rows[predicted[rows] != spot.label]
            count = min(len(own), len(others), IMAGES)  # As many of both: no donor serves twice.
            if count >= 2:
                yield _tried(observer, dataset, spot, own[:count], others[:count], predicted)
        progress(Step("swapping places between images", len(spots), max(len(spots), 1)))


def recurrence(images: Images, spot: Spot) -> float:
    """Mean correlation of what images show at a spot, two by two, after taking off what is smooth.

    0 for images that have nothing in common there, 1 for copies of one mark. With unit vectors u_i it is
    (|sum u_i|^2 - n) / (n (n - 1)), which needs no pairs.
    """
    size = (images.shape[2], images.shape[3])
    rows, columns = _Box.of(spot.box, size).widened(size).slices
    sharp = _sharp(as_float(images[:, :, rows, columns]))
    if spot.hole is not None:  # The box is the whole picture then.
        inner = _Box.of(spot.hole, size).slices
        kept = torch.ones(size, dtype=torch.bool)
        kept[inner] = False
        sharp = sharp[:, :, kept]
    flat = sharp.flatten(1).double()
    flat = flat - flat.mean(1, keepdim=True)
    norms = flat.norm(dim=1, keepdim=True)
    unit = (flat / norms.clamp_min(1e-9))[norms[:, 0] > 1e-6]
    n = len(unit)
    if n < 2:
        return 0.0
    return float((unit.sum(0).square().sum() - n) / (n * (n - 1)))


def _sharp(images: Float32[Tensor, "b c h w"]) -> Float32[Tensor, "b c h w"]:
    """Less its blurred self: edges of a mark stay, shades of a background go."""
    side = max(3, min(images.shape[2:]) // 2 * 2 - 1)
    side = min(side, 9)
    return images - avg_pool2d(images, side, 1, side // 2, count_include_pad=False)


def _one_a_unit(dataset: Dataset, units: Int64[np.ndarray, " n"], seed: int) -> Int64[np.ndarray, " m"]:
    """One position of each subject, in a seeded order that no listing changes."""
    keys = np.array([seed_of("transplant", seed, str(name)) for name in dataset.ids.tolist()], dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    first = np.unique(units[order], return_index=True)[1]
    return order[np.sort(first)]


def _tried(
    observer: Observer,
    dataset: Dataset,
    spot: Spot,
    own: Int64[np.ndarray, " m"],
    others: Int64[np.ndarray, " m"],
    predicted: Int64[np.ndarray, " n"],
) -> Transplant:
    of_own = dataset.__getitems__(torch.from_numpy(own)).images
    of_others = dataset.__getitems__(torch.from_numpy(others)).images
    # A donor of the same class: the next image of it, in the seeded order.
    next_own = of_own.roll(1, 0)
    next_others = of_others[torch.from_numpy(_next_of_class(predicted[others]))]
    score_in = _scores(observer, _pasted(of_others, of_own, spot), spot.label)
    control_in = _scores(observer, _pasted(of_others, next_others, spot), spot.label)
    score_out = _scores(observer, _pasted(of_own, of_others, spot), spot.label)
    control_out = _scores(observer, _pasted(of_own, next_own, spot), spot.label)
    return Transplant(
        spot=spot,
        gain=score_in.score - control_in.score,
        loss=control_out.score - score_out.score,
        flipped_in=score_in.given & ~control_in.given,
        flipped_out=~score_out.given & control_out.given,
        ids_in=dataset.ids[others],
        ids_out=dataset.ids[own],
        recurs=recurrence(of_own, spot),
        recurs_elsewhere=recurrence(of_others, spot),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    score: Float64[np.ndarray, " b"]
    """Probability of the spot's class."""
    given: Bool[np.ndarray, " b"]
    """Whether it is the class that is given."""


def _scores(observer: Observer, images: Images, label: int) -> _Scores:
    size = observer.settings.batch_size
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    logits = np.concatenate([observer.logits(part) for part in parts])
    return _Scores(softmax(logits)[:, label], logits.argmax(1) == label)


def _next_of_class(labels: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
    """For each image the next one of its class; itself where it is alone."""
    following = np.arange(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        following[members] = np.roll(members, 1)
    return following

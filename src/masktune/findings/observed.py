"""What was observed of a classifier and its images, before any question is asked: plain arrays, no images.

One row an image everywhere. Twenty thousand images take well below a gigabyte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int64, Shaped, UInt8

from masktune.evaluation import Predictions
from masktune.masking.areas import AREAS as AREAS  # Offered here too: what was observed is keyed by them.
from masktune.masking.areas import Area as Area
from masktune.types import Number

SAMPLES = 12
"""Images that a finding names at most."""

TINY = 32
"""Side of the tiny pictures."""

Numbers = Float64[np.ndarray, " n"]
Words = Shaped[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the net's input where a class is often looked at, whatever the image."""

    label: int
    """The predicted class that looks there."""
    box: tuple[Number, Number, Number, Number]
    """Top, left, bottom, right, as shares of height and width, 0 to 1."""
    place: str
    """In words: "top left corner"."""
    hole: tuple[Number, Number, Number, Number] | None = None
    """Of the border: the inner box that is none of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Transplant:
    """What happens when the pixels at a spot come from another image, all else kept.

    Of each image of other classes the spot was filled twice, once from a donor of the spot's class and once
    from a donor of its own class: the second says what pasting alone does. `keep` is the reverse: images of
    the spot's class whose spot was filled from other classes, and from their own.
    """

    spot: Spot
    gain: Float64[np.ndarray, " m"]
    """Score (probability) of the spot's class: with a donor of that class minus with one of the own class."""
    loss: Float64[np.ndarray, " k"]
    """The same of images of the spot's class: with a donor of their own class minus with one of another."""
    flipped_in: Bool[np.ndarray, " m"]
    """Became the spot's class by a donor of it, but not by one of their own class."""
    flipped_out: Bool[np.ndarray, " k"]
    """Stopped being the spot's class by a donor of another, but not by one of their own."""
    ids_in: Shaped[np.ndarray, " m"]
    ids_out: Shaped[np.ndarray, " k"]
    recurs: float
    """Mean correlation of the spot's class's images at the spot, two by two, after removing what is smooth:
    1 is the same mark in every image, 0 nothing in common."""
    recurs_elsewhere: float
    """The same of the images of other classes."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Observed:
    """All that the questions may look at.

    `predictions.labels` are the true classes. Where `same_classes` is false the net has its own classes: then
    they are what it gave, `data_labels` are the true ones, and nothing about right and wrong may be asked.
    """

    predictions: Predictions
    """Of the images as they are; ids, labels, groups, subjects and splits are in it, row i is image i."""
    data_classes: tuple[str, ...]
    """Names of the classes of the data."""
    same_classes: bool
    """Logits stand for the data's classes."""
    hidden_logits: Mapping[Area, Float32[np.ndarray, "n k"]]
    """Logits with that area black."""
    low: Float16[np.ndarray, "n h w"]
    """Saliency maps of the predicted class, scaled to [0, 1], at layer size."""
    empty: Bool[np.ndarray, " n"]
    """The map is zero everywhere."""
    hidden: Numbers
    """Share of the net's input that the salient mask hides."""
    where: UInt8[np.ndarray, "n 16 16"]
    """How much of each cell of a 16 x 16 grid the salient mask hides, 0 to 255."""
    tiny: UInt8[np.ndarray, "n 32 32 3"]
    """What the net sees, averaged down (area mean); grey images have three equal channels."""
    seen: Numbers
    """Share of the picture's area that lies in the net's input."""
    properties: Mapping[str, Numbers]
    """Image properties by name: brightness, contrast, ... NaN where one cannot be told."""
    facts: Mapping[str, Words]
    """What file names, headers, EXIF and DICOM tags say, by name ("folder", "EXIF Model", "file format"):
    strings, dtype object, "" where an image has none. Numbers among them are strings too."""
    columns: Mapping[str, Words]
    """The further columns of the manifest: strings, dtype object, "" where one is missing."""
    data_labels: Int64[np.ndarray, " n"] | None = None
    """True classes, indices into `data_classes`, where the net has its own classes."""
    transplants: tuple[Transplant, ...] = ()
    """One for each spot that was found."""
    digests: Words | None = None
    """sha256 of each file; None where images are no files."""
    notes: tuple[str, ...] = ()
    """What was noticed while the images and the model were opened."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Model, layer, formula, threshold: in words, for the report."""

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """True classes, indices into `data_classes`."""
        return self.predictions.labels if self.data_labels is None else self.data_labels

    @property
    def ids(self) -> Words:
        """Stable names."""
        return self.predictions.ids

    @property
    def net_classes(self) -> tuple[str, ...]:
        """Names of the logits."""
        return self.predictions.classes or self.data_classes

    def flipped(self, area: Area) -> Bool[np.ndarray, " n"]:
        """Which images get another class when that area is hidden."""
        return np.asarray(self.hidden_logits[area].argmax(axis=1) != self.predictions.predicted)

    def predictions_without(self, area: Area) -> Predictions:
        """What is said of the same images with that area hidden."""
        return replace(self.predictions, logits=self.hidden_logits[area])

    def subjects_of(self, chosen: Bool[np.ndarray, " n"]) -> Shaped[np.ndarray, " m"] | None:
        """Subjects of some images; None where each image stands alone."""
        subjects = self.predictions.subjects
        return None if subjects is None else subjects[chosen]

    def hardest(self, rows: Int64[np.ndarray, " m"]) -> tuple[str, ...]:
        """Ids of a dozen of these images, those with the least margin first where it is known."""
        if self.same_classes:
            rows = rows[np.argsort(self.margin[rows], kind="stable")]
        return tuple(self.ids[rows[:SAMPLES]].tolist())

    @property
    def units(self) -> Int64[np.ndarray, " n"]:
        """What is independent: a number for each image's subject, or for the image itself."""
        names = self.ids if self.predictions.subjects is None else self.predictions.subjects
        return np.asarray(np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64))

    @property
    def margin(self) -> Numbers:
        """Score of the true class minus the best other one, in logits; needs `same_classes`.

        The classifier's ease with an image: errors are below 0. Unlike right and wrong it still varies where
        accuracy is perfect, as it is on training images.
        """
        logits = self.predictions.logits.astype(np.float64)
        rows = np.arange(len(logits))
        own = logits[rows, self.labels]
        others = logits.copy()
        others[rows, self.labels] = -np.inf
        return np.asarray(own - others.max(axis=1))

"""What would suffice: can the class be told from a part of the picture alone?

A probe is a plain classifier of the label from a few numbers an image, asked only about images that it was
not fitted on. It says that a part suffices, not that the classifier uses it; for that, `followed` looks
whether images on which the probe errs are harder for the classifier too.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from masktune.errors import InputError
from masktune.evaluation import Predictions, Rate, accuracy, balanced_accuracy, weighted_mean
from masktune.evaluation.within import easier
from masktune.findings.observed import Numbers

FOLDS = 5
"""Parts; each is voted on by a probe that was fitted on the others."""

MOST = 5_000
"""Images that are used; more would narrow intervals that are already within 0.02."""

SHRINKAGE = 0.5
"""Share of the identity in the covariance.

By measurement: of a mark that is right about 76 % of 400 images a probe of the border gains 0.33 with the
shrinkage of Chen et al. (2010) and 0.44 with 0.5 (0.53 can be had); of a letter of 6 pixels that is right
about 90 % of 200 images 0.69 and 0.80. From 0.3 to 0.7 it makes little difference.
"""

Features = Float64[np.ndarray, "n f"]
Tiny = UInt8[np.ndarray, "n h w c"]
Whole = Int64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Held-out votes on n images."""

    labels: Whole
    """True classes."""
    units: Whole
    """Subjects, or the images themselves."""
    votes: Whole
    """The class that the probe gives each, fitted without it and its subject."""

    @property
    def classes(self) -> Int64[np.ndarray, " k"]:
        """The classes that have images."""
        return np.unique(self.labels)

    @property
    def accuracy(self) -> Rate:
        """Balanced accuracy, 0 to 1, where chance is 1 / number of classes; the interval is over units."""
        return _balanced(self.votes, self.labels, self.units)

    def told(self, label: int) -> Bool[np.ndarray, " n"]:
        """Where the vote is right about whether an image is of class `label`."""
        return np.asarray((self.votes == label) == (self.labels == label))

    def gain(self, label: int) -> Rate:
        """How far class `label` is told from all others: 0 chance, 1 perfect, below chance negative.

        Youden's index: share of its images that get a vote for it minus share of the other images that do.
        With two classes that is the way from chance to perfect that the balanced accuracy goes.
        """
        votes, labels = ((kind == label).astype(np.int64) for kind in (self.votes, self.labels))
        half = _balanced(votes, labels, self.units)
        value, low, high = (None if end is None else 2 * end - 1 for end in (half.value, half.low, half.high))
        return Rate(value, half.n, low, high)

    def best_told(self) -> int:
        """The class with the largest `gain`; of equal ones the first."""
        own = self.labels == self.classes[:, None]
        voted = self.votes == self.classes[:, None]
        gains = (own & voted).sum(axis=1) / own.sum(axis=1) - (~own & voted).sum(axis=1) / (~own).sum(axis=1)
        return int(self.classes[gains.argmax()])


def probe(features: Features, labels: Whole, units: Whole, *, seed: int = 0) -> Probe:
    """Cross-validated votes of a shrunken linear discriminant; no unit is in two folds.

    Args:
        features: finite numbers; a column that is constant on the training folds is left out there.
        labels: true classes, any whole numbers.
        units: a number for each image's subject, or for the image itself.
        seed: of the folds.

    Raises:
        InputError: there are not two classes.
    """
    if len(np.unique(labels)) < 2:
        raise InputError(f"expected images of two or more classes for a probe, got {len(np.unique(labels))}")
    folds = deal(units, labels, np.random.default_rng(seed))
    votes = np.empty(len(labels), dtype=np.int64)
    for fold in np.unique(folds):
        held = folds == fold
        votes[held] = discriminate(features[~held], labels[~held], features[held])
    return Probe(labels, units, votes)


def draw_by_class(labels: Whole, most: int, random: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """At most `most` rows, as many of each class as there are, at random within a class; ascending."""
    order = random.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    place = np.concatenate([np.arange(count) for count in counts])  # The how manieth of its class.
    return np.asarray(np.sort(by_class[np.argsort(place, kind="stable")[:most]]))


def deal(units: Whole, labels: Whole, random: np.random.Generator) -> Whole:
    """A fold for each image: units stay whole, and those of one class are dealt out in turn."""
    _, first, places = np.unique(units, return_index=True, return_inverse=True)
    order = random.permutation(len(first))
    order = order[np.argsort(labels[first][order], kind="stable")]
    folds = np.empty(len(first), dtype=np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return np.asarray(folds[places.reshape(-1)])


def discriminate(
    known: Float64[np.ndarray, "n f"], labels: Int64[np.ndarray, " n"], asked: Float64[np.ndarray, "m f"]
) -> Int64[np.ndarray, " m"]:
    """Classes of `asked` by a linear discriminant of `known` and its labels, all classes alike likely.

    Each class weighs the same in the covariance; `SHRINKAGE` mixes it with a multiple of the identity.
    """
    mean, spread = known.mean(axis=0), known.std(axis=0)
    varies = spread > 1e-9 * (1 + np.abs(mean))
    classes = np.unique(labels)
    if not varies.any():
        return np.full(len(asked), classes[0])
    known, asked = ((part[:, varies] - mean[varies]) / spread[varies] for part in (known, asked))
    centres = np.stack([known[labels == label].mean(axis=0) for label in classes])
    places = np.searchsorted(classes, labels)
    heavy = 1 / np.sqrt(np.bincount(places) * len(classes))  # Each class has the same weight in all.
    off = (known - centres[places]) * heavy[places, None]
    covariance = off.T @ off
    even = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    mixed = (1 - SHRINKAGE) * covariance + SHRINKAGE * even
    weights = np.linalg.solve(mixed, centres.T)
    offsets = (centres.T * weights).sum(axis=0) / 2
    return np.asarray(classes[(asked @ weights - offsets).argmax(axis=1)])


def _balanced(votes: Whole, truth: Whole, units: Whole) -> Rate:
    """Balanced accuracy of votes, by subject where units hold several images."""
    names, places = np.unique(np.concatenate([truth, votes]), return_inverse=True)
    labels, said = places.reshape(2, -1)
    return balanced_accuracy(_as_predictions(np.eye(max(len(names), 2))[said], labels, units))


def _as_predictions(scores: Float64[np.ndarray, "n k"], labels: Whole, units: Whole) -> Predictions:
    """For the measures of `evaluation`; units become subjects only where one holds several images."""
    alone = len(np.unique(units)) == len(units)
    return Predictions(
        logits=scores.astype(np.float32),
        labels=labels,
        ids=np.arange(len(labels)).astype(str),
        subjects=None if alone else units.astype(str),
    )


def followed(found: Probe, label: int, margin: Numbers) -> Rate:
    """Chance that of two images of one true class the one that the probe tells right is the easier one.

    Right is meant as in `Probe.told(label)`. 0.5 where the classifier does not care; 1 where every image that
    misleads the probe is harder for the classifier. The classes' areas under the curve are weighted by their
    pairs of a right and a wrong image; the value is None where no class has such a pair.

    Args:
        found: votes on the images.
        label: the class that is told from the others.
        margin: how easy each image is for the classifier, `Observed.margin`.
    """
    return easier(found.told(label), margin, found.labels, found.units)


def rate(which: Bool[np.ndarray, " n"], units: Whole) -> Rate:
    """Share of the images where `which` is true; Wilson's interval, or a bootstrap over units of several."""
    if not len(which):
        return Rate(None, 0)
    return accuracy(_as_predictions(np.eye(2)[which.astype(int)], np.ones(len(which), np.int64), units))


def rates_within(
    which: Bool[np.ndarray, " n"],
    labels: Whole,
    units: Whole,
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
) -> tuple[Rate, Rate]:
    """The share of `first` and of `second` where `which` is true, both with the same mix of classes.

    Over the classes that both have, weighted by how well each compares the two; None where there is none. Of
    several classes each counts with the larger distance to its interval's ends on both sides: a few images
    that are all right would else add nothing above, and the sum of many such classes would seem sure.
    """
    rates: tuple[list[Rate], list[Rate]] = ([], [])
    weights = []
    for label in np.unique(labels).tolist():
        pair = [(labels == label) & part for part in (first, second)]
        few, many = (int(own.sum()) for own in pair)
        if few and many:
            weights.append(few * many / (few + many))
            for kept, own in zip(rates, pair, strict=True):
                kept.append(rate(which[own], units[own]))
    if len(weights) > 1:
        rates = [_even(one) for one in rates[0]], [_even(one) for one in rates[1]]
    return weighted_mean(rates[0], weights), weighted_mean(rates[1], weights)


def _even(found: Rate) -> Rate:
    """With the larger of its two distances on both sides; the ends may leave [0, 1]."""
    if found.value is None or found.low is None or found.high is None:
        return found
    far = max(found.value - found.low, found.high - found.value)
    return Rate(found.value, found.n, found.value - far, found.value + far)


def cells(tiny: Tiny, side: tuple[int, int]) -> Features:
    """Means of cells of that height and width, 0 to 255; of grey pictures one channel is enough."""
    return np.asarray(_cut(tiny, side).mean(axis=(2, 4)).reshape(len(tiny), -1))


def contrasts(tiny: Tiny, side: tuple[int, int]) -> Features:
    """Greatest, least value and standard deviation of each cell.

    A small mark on varying ground moves no pixel's mean by much, but it is the brightest or darkest nearby.
    """
    cut = _cut(tiny, side)
    parts = (cut.max(axis=(2, 4)), cut.min(axis=(2, 4)), cut.std(axis=(2, 4)))
    return np.concatenate([part.reshape(len(tiny), -1) for part in parts], axis=1)


def _cut(tiny: Tiny, side: tuple[int, int]) -> Float64[np.ndarray, "n y a x b d"]:
    n, height, width, channels = tiny.shape
    grey = (tiny == tiny[..., :1]).all()
    kept = tiny[..., : 1 if grey else channels].astype(np.float64)
    shape = (n, height // side[0], side[0], width // side[1], side[1], kept.shape[-1])
    return np.asarray(kept.reshape(shape))

"""Accuracy by group where only a sample was labelled: a stratified sample, whose chances are known.

The images lie in strata h of N_h images, n_h of which were drawn without replacement, so that an image stands
for w = N_h / n_h. With d = 1 where an image is of the group and y = 1 where it is classified right:

    accuracy   p = sum(w d y) / sum(w d)                                          (Hajek's ratio)
    residual   z = w d (y - p) / sum(w d)
    variance   V = sum_h (1 - n_h / N_h) n_h / (n_h - 1) sum_i (z_i - mean_h z)^2
    as much as m images drawn plainly: m = p (1 - p) / V (t[m_g - 1] / t[df])^2, at most k
    interval   Clopper and Pearson's of m p successes in m

V is Taylor's, with the finite population correction (Sarndal, Swensson and Wretman 1992, 5.6). The interval
is Korn and Graubard's (1998, Survey Methodology 24, 193-201). Theirs has t's 97.5 % quantiles for the degrees
of freedom of a plain and of this sample; ours are those of the group: m_g labelled images in it, df = m_g
less the strata that they lie in, at least half of m_g. k is Kish's (sum w)^2 / sum w^2 over the group's
images, at most m_g: where few are labelled V is itself uncertain, and of a group that is all right or all
wrong it is 0. So no interval is narrower than if the group's labelled images had been drawn alone; where all
images are labelled it is Clopper and Pearson's.

No formula sees a stratum that stands for many images, holds some of the group and showed none. Weights that
differ a lot make that likely, so a draw must not favour too much (`findings.review.FAVOUR`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate
from masktune.evaluation.metrics import Measure
from masktune.evaluation.predictions import Predictions


@final
@dataclass(frozen=True, slots=True, eq=False)
class LabelledSample:
    """The groups of n labelled images, drawn by simple random sampling within strata.

    Raises:
        InputError: nothing labelled, an id twice, a stratum without a size or with more images than it has.
    """

    ids: Shaped[np.ndarray, " n"]
    """Names of the labelled images, each once."""
    groups: Shaped[np.ndarray, " n"]
    """Name of each one's group."""
    strata: Shaped[np.ndarray, " n"]
    """Name of the stratum that each was drawn from."""
    sizes: Mapping[str, int]
    """Images of each stratum in the whole data set, labelled or not; they sum to all images."""

    def __post_init__(self) -> None:
        if len(self.ids) == 0:
            raise InputError("expected at least one labelled image, got none")
        if len(np.unique(self.ids)) < len(self.ids):
            raise InputError("expected each labelled image once, got one twice")
        labelled = dict(zip(*_counts(self.strata), strict=True))
        for name in labelled | dict(self.sizes):
            if not 0 < labelled.get(name, 0) <= self.sizes.get(name, 0):
                raise InputError(
                    f"expected from 1 image to all of the stratum {name!r} as labelled, got "
                    f"{labelled.get(name, 0)} of {self.sizes.get(name, 0)}"
                )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def images(self) -> int:
        """All images that the sample stands for."""
        return sum(self.sizes.values())

    @property
    def weights(self) -> Float64[np.ndarray, " n"]:
        """How many images each one stands for; they sum to `images`."""
        names, counts = _counts(self.strata)
        each = {name: self.sizes[name] / count for name, count in zip(names, counts, strict=True)}
        return np.array([each[name] for name in self.strata.tolist()], dtype=np.float64)


@final
@dataclass(frozen=True, slots=True)
class WorstGroup:
    """The group with the lowest estimated accuracy."""

    name: str
    rate: Rate
    """With its own 95 % interval, which does not account for being picked as the worst."""
    simultaneous: Rate
    """The same with Bonferroni's interval: with 95 % all groups' such intervals hold at once, so this one
    holds whichever group was picked."""


def labelled_group_accuracy(
    correct: Bool[np.ndarray, " n"], sample: LabelledSample, *, simultaneous: bool = False
) -> dict[str, Rate]:
    """Estimated accuracy of each group, by sorted name; n is the labelled images of the group.

    Args:
        correct: for each image of the sample, in its order, whether it is classified right.
        sample: what was labelled.
        simultaneous: 95 % for all groups together (Bonferroni: 5 % shared out among them), not for each.
    """
    if len(correct) != len(sample):
        raise InputError(f"expected right or wrong for {len(sample)} labelled images, got {len(correct)}")
    names = np.unique(sample.groups).tolist()
    alpha = 0.05 / (len(names) if simultaneous else 1)
    design = _Design.of(sample)
    right = correct.astype(np.float64)
    return {name: design.rate(right, sample.groups == name, alpha) for name in names}


def labelled_worst_group(correct: Bool[np.ndarray, " n"], sample: LabelledSample) -> WorstGroup:
    """The group with the lowest estimated accuracy; of equal ones the first by name.

    Its `rate` is biased: of several groups the one that looks worst tends to look worse than it is, the more
    so the fewer of its images are labelled. `simultaneous` accounts for it.
    """
    rates = labelled_group_accuracy(correct, sample)
    name = min(rates, key=lambda group: (rates[group].value, group))
    together = labelled_group_accuracy(correct, sample, simultaneous=True)
    return WorstGroup(name, rates[name], together[name])


def group_shares(sample: LabelledSample) -> dict[str, Rate]:
    """Estimated share of all images that each group has, by sorted name; n is all labelled images.

    Times `sample.images` it is the size of the group.
    """
    design, everything = _Design.of(sample), np.ones(len(sample), dtype=bool)
    inside = {name: sample.groups == name for name in np.unique(sample.groups).tolist()}
    return {name: design.rate(here.astype(float), everything, 0.05) for name, here in inside.items()}


def rows_of_groups(predictions: Predictions, sample: LabelledSample) -> list[Measure]:
    """`worst_group_accuracy` and each `group_accuracy` of predictions on the labelled images, or on more.

    Raises:
        InputError: a labelled image has no prediction, or an id occurs twice among them.
    """
    correct = labelled_correct(predictions, sample)
    worst = labelled_worst_group(correct, sample)
    each = labelled_group_accuracy(correct, sample)
    measures = [Measure.of("worst_group_accuracy", worst.rate, worst.name)]
    return measures + [Measure.of("group_accuracy", rate, name) for name, rate in each.items()]


def labelled_correct(predictions: Predictions, sample: LabelledSample) -> Bool[np.ndarray, " m"]:
    """Right or wrong of the labelled images in the sample's order, from predictions on them, or on more.

    Raises:
        InputError: a labelled image has no prediction, or an id occurs twice among them.
    """
    places = {name: place for place, name in enumerate(predictions.ids.tolist())}
    if len(places) < len(predictions):
        raise InputError("expected predictions with each id once; select one split of them")
    missing = [name for name in sample.ids.tolist() if name not in places]
    if missing:
        raise InputError(
            f"expected a prediction for each labelled image, got none for {len(missing)} of {len(sample)}, "
            f"such as {missing[0]!r}; give the predictions on the images that were reviewed"
        )
    return np.asarray(predictions.correct[[places[name] for name in sample.ids.tolist()]])


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """What the formulas need of a sample."""

    weights: Float64[np.ndarray, " n"]
    strata: Int64[np.ndarray, " n"]
    sizes: Int64[np.ndarray, " h"]
    """N_h."""
    labelled: Int64[np.ndarray, " h"]
    """n_h."""

    @classmethod
    def of(cls, sample: LabelledSample) -> "_Design":
        names, strata, labelled = np.unique(sample.strata, return_inverse=True, return_counts=True)
        sizes = np.array([sample.sizes[name] for name in names.tolist()], dtype=np.int64)
        return cls(sample.weights, strata.reshape(-1), sizes, labelled)

    def rate(self, right: Float64[np.ndarray, " n"], inside: Bool[np.ndarray, " n"], alpha: float) -> Rate:
        """The mean of `right`, 0 or 1, over the images inside, with its interval."""
        weights = self.weights * inside
        value = float((weights * right).sum() / weights.sum())
        value = min(max(value, 0.0), 1.0)  # A sum of weights may exceed their sum by rounding.
        variance = self._variance(weights * (right - value) / weights.sum())
        low, high = _interval(value, self._effective(value, variance, inside), alpha)
        return Rate(value, int(inside.sum()), low, high)

    def _variance(self, residuals: Float64[np.ndarray, " n"]) -> float:
        means = np.bincount(self.strata, weights=residuals) / self.labelled
        # A stratum with one labelled image shows no spread: its residual is taken from 0, the mean of all.
        means[self.labelled == 1] = 0
        squares = np.bincount(self.strata, weights=(residuals - means[self.strata]) ** 2)
        factors = (1 - self.labelled / self.sizes) * self.labelled / np.maximum(self.labelled - 1, 1)
        return float((factors * squares).sum())

    def _effective(self, value: float, variance: float, inside: Bool[np.ndarray, " n"]) -> float:
        """How many images of a plain sample tell as much, at most Kish's number of those inside."""
        from scipy.stats import t

        n, weights = int(inside.sum()), self.weights[inside]
        most = float(weights.sum() ** 2 / (weights**2).sum())
        if n < 2 or variance <= value * (1 - value) * 1e-12:  # Where the value is 0 or 1 both are 0.
            return most
        freedom = max(n - len(np.unique(self.strata[inside])), n / 2)
        slack = (t.ppf(0.975, n - 1) / t.ppf(0.975, freedom)) ** 2
        return float(min(most, value * (1 - value) / variance * slack))


def _interval(value: float, n: float, alpha: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of level 1 - alpha; n need not be whole."""
    from scipy.stats import beta

    successes = value * n
    low = float(beta.ppf(alpha / 2, successes, n - successes + 1)) if value > 0 else 0.0
    high = float(beta.ppf(1 - alpha / 2, successes + 1, n - successes)) if value < 1 else 1.0
    # Of less than one image the quantiles may leave the value outside.
    return min(low, value), max(high, value)


def _counts(names: Shaped[np.ndarray, " n"]) -> tuple[list[str], list[int]]:
    unique, counts = np.unique(names, return_counts=True)
    return unique.tolist(), counts.tolist()

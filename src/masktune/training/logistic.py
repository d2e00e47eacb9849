"""Logistic regression with a penalty, the last layer of a net that stays as it is.

The objective is convex, so the answer depends on the data alone: no seed, no start, no order of the images.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from masktune.errors import InputError, MasktuneWarning
from masktune.training.last_layer import LastLayer, widened

Penalty = Literal["l1", "l2"]

STEPS = 50_000
"""After so many a fit is given up as it is, with a warning; features of 500 images take 100 to 300."""


def fit_standardised(
    features: Float[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    *,
    c: float,
    penalty: Penalty = "l1",
    weights: Float64[np.ndarray, " n"] | None = None,
) -> LastLayer:
    """`logistic` on features of mean 0 and standard deviation 1, as a layer on the features as they came.

    Mean and deviation are those of the images that are fitted, whatever their weights. A feature that is the
    same in all of them gets the coefficient 0.
    """
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    std = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), np.inf)
    fitted = logistic((values - mean) / std, labels, classes, c=c, penalty=penalty, weights=weights)
    weight = fitted.weight / std
    return LastLayer(weight, fitted.bias - weight @ mean)


def logistic(
    features: Float64[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    *,
    c: float,
    penalty: Penalty = "l1",
    weights: Float64[np.ndarray, " n"] | None = None,
    tolerance: float = 1e-5,
) -> LastLayer:
    """Make small  penalty(w) + c * sum_i weights_i * cross-entropy_i,  scikit-learn's objective.

    penalty(w) is the sum of absolute values (l1), or half the sum of squares (l2), of all coefficients but
    the intercepts. Two classes have one row of coefficients, of the second class's logit against 0; more
    have one each. By accelerated proximal gradient steps (FISTA, Beck and Teboulle 2009), as long as they
    may be, which start afresh whenever they turn back (O'Donoghue and Candès 2015).

    Args:
        features: of about the same size, else it takes long.
        labels: 0 to classes - 1, each of them there.
        classes: two or more.
        c: how much losses count against the penalty.
        penalty: which.
        weights: of the images, 0 or more; 1 each if not given.
        tolerance: of the end: no partial derivative, of the penalty's slope where that has a kink, is further
            from 0, beside the l1 penalty's own of 1, or what all losses count where that is less.

    Raises:
        InputError: a class without images, or with none of positive weight.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    _check(labels, weights, classes)
    x = np.hstack([features, np.ones((len(features), 1))])  # The last coefficient is the intercept.
    problem = _Problem(x, np.eye(classes)[labels], c * weights[:, None], penalty)
    tolerance *= min(1.0, float(problem.counted.sum()))
    found = _settled(problem, 1 if classes == 2 else classes, tolerance)
    return LastLayer(found[:, :-1], found[:, -1])


def _settled(problem: "_Problem", rows: int, tolerance: float) -> Float64[np.ndarray, "r d"]:
    """Coefficients at which a step moves none of them by more than the tolerance times its length."""
    now = ahead = np.zeros((rows, problem.x.shape[1]))
    of_now = of_ahead = problem.x @ now.T
    # A step that is never too long: a loss curves by at most half its image's squared size.
    length = safe = 2 / float((problem.counted * problem.x**2).sum())
    speed = 1.0
    for _ in range(STEPS):
        new, of_new, length = problem.step(ahead, of_ahead, 1.5 * length, safe)
        back = ahead - new
        if (back * (new - now)).sum() > 0:
            speed = 1.0
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        share = (speed - 1) / faster
        ahead, of_ahead = new + share * (new - now), of_new + share * (of_new - of_now)
        now, of_now, speed = new, of_new, faster
        if np.abs(back).max() <= tolerance * length:
            return now
    unsettled = f"a last layer was not settled after {STEPS} steps; a smaller C settles sooner"
    warnings.warn(unsettled, MasktuneWarning, stacklevel=3)
    return now


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """What is made small, as a function of coefficients, one row a score, and of the scores they give."""

    x: Float64[np.ndarray, "n d"]
    """The last column is 1."""
    true: Float64[np.ndarray, "n k"]
    """1 at the label."""
    counted: Float64[np.ndarray, "n 1"]
    """How much each loss counts."""
    penalty: Penalty

    def step(
        self, at: Float64[np.ndarray, "r d"], scores: Float64[np.ndarray, "n r"], length: float, safe: float
    ) -> tuple[Float64[np.ndarray, "r d"], Float64[np.ndarray, "n r"], float]:
        """Coefficients a step away, their scores, and the step's length, halved until it was not too long."""
        before = residuals(scores, self.true, self.counted)
        slope = before.T @ self.x
        while True:
            new = self._shrunk(at - length * slope, length)
            of_new = self.x @ new.T
            # Not by values of the losses: near the end their differences are rounding.
            after = residuals(of_new, self.true, self.counted)
            curved = ((after - before) * (of_new - scores)).sum()
            if length <= safe or curved * length <= ((new - at) ** 2).sum():
                return new, of_new, length
            length = max(length / 2, safe)

    def _shrunk(self, coefficients: Float64[np.ndarray, "r d"], length: float) -> Float64[np.ndarray, "r d"]:
        """The proximal step of the penalty; intercepts stay."""
        slopes = coefficients[:, :-1]
        if self.penalty == "l1":
            slopes = np.sign(slopes) * np.maximum(np.abs(slopes) - length, 0)
        else:
            slopes = slopes / (1 + length)
        return np.hstack([slopes, coefficients[:, -1:]])


def residuals(
    scores: Float64[np.ndarray, "n r"],
    true: Float64[np.ndarray, "n k"],
    counted: Float64[np.ndarray, "n 1"],
) -> Float64[np.ndarray, "n r"]:
    """Derivatives of the images' losses, each times what it counts, by the scores.

    `true` is 1 at the label, else 0.
    """
    probabilities = torch.from_numpy(widened(scores)).softmax(dim=1).numpy()
    return np.asarray((counted * (probabilities - true))[:, -scores.shape[1] :])


def mean_of(layers: Sequence[LastLayer]) -> LastLayer:
    """The layer whose coefficients are the means of theirs."""
    weight = np.mean([layer.weight for layer in layers], axis=0)
    return LastLayer(weight, np.mean([layer.bias for layer in layers], axis=0))


def _check(labels: Int64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], classes: int) -> None:
    counted = np.bincount(labels, weights, minlength=classes)
    if (counted <= 0).any():
        absent = int(np.flatnonzero(counted <= 0)[0])
        raise InputError(
            f"expected images of all {classes} classes to fit the last layer on, got none of class {absent}, "
            "counted from 0; add some, or leave the class out"
        )

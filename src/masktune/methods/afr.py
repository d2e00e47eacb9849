"""AFR: the last layer is tuned on images kept away from ERM, most of all on those that it gets wrong."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Bool, Float64

from masktune.data.base import Dataset, Subset
from masktune.data.splits import drawn_splits
from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.groups import check_selection
from masktune.methods.retrained import Base, Found, check_scoring
from masktune.seeds import seed_of
from masktune.training.last_layer import Features, LastLayer, last_layer_of
from masktune.training.logistic import residuals
from masktune.training.selection import score_by
from masktune.types import Progress, Selection, Step, Supervision, under


@final
@dataclass(frozen=True, slots=True)
class AFR:
    """Automatic feature reweighting (Qiu, Potapczynski, Izmailov and Wilson, ICML 2023).

    ERM trains on part of the training images. Of the others each weighs beta * exp(-gamma * p), where p is
    the probability that ERM gives its label, and beta 1 / the images of its class; the weights sum to 1.
    ERM's last layer descends on the weighted cross-entropy + lambda * its squared distance from the start.

    Departures: gamma and lambda come from lists for all data sets (theirs: a grid for each); every so many
    steps are scored (theirs: each).
    """

    name: ClassVar[str] = "afr"

    held_out: float = 0.2
    """Share of the training images, of each class, that ERM does not see (theirs: 0.2)."""
    gammas: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 15.0, 20.0)
    """What gamma is chosen from (theirs: 4 to 20 on Waterbirds, 1 to 3 on CelebA)."""
    penalties: tuple[float, ...] = (0.0, 0.001, 0.01, 0.1, 0.4)
    """What lambda is chosen from (theirs: 0 to 0.4 on Waterbirds, about 0.001 to 0.1 on CelebA)."""
    balanced: bool = True
    """Whether classes weigh alike before gamma; else beta is 1."""
    steps: int = 500
    """Of full-batch gradient descent (theirs: 500 on Waterbirds, 1000 on CelebA)."""
    every: int = 10
    """The layer is scored after so many steps, and after the last."""
    learning_rate: float = 0.01
    """Of the same (theirs: 0.01 on Waterbirds, 0.02 on CelebA); gradients are cut to a norm of 1."""
    selection: Selection = "worst_group"
    """The rule that chooses gamma, lambda and the step on validation (theirs: the worst group)."""

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise InputError(f"expected a share held out between 0 and 1, got {self.held_out}")
        for name in ("gammas", "penalties"):
            values = getattr(self, name)
            if not values or not all(0 <= value < math.inf for value in values):
                raise InputError(f"expected one of {name} or more, each 0 or above, got {values}")
        if self.steps < 1 or self.every < 1:
            raise InputError(f"expected at least 1 step, and every 1, got {self.steps} and {self.every}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"expected a positive learning rate, got {self.learning_rate}")
        check_scoring(self.selection)

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses: nothing else reads groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train by ERM on part of the images, then tune its last layer on the rest.

        Raises:
            InputError: too few training images to hold some out, or the rule needs group labels that
                validation does not have.
        """
        task = task.supervised_by(self.supervision)
        check_selection(self.selection, task.validation, self.name)
        held = held_out(task.train, self.held_out, seed_of(task.seed, self.name, "held out"))
        seen, unseen = (Subset(task.train, torch.from_numpy(np.flatnonzero(at))) for at in (~held, held))
        progress = under(self.name, task.progress)
        own = replace(task, train=seen, folder=task.file(self.name), shared=None, progress=progress)
        base = Base.of(own)
        known, judged = base.features(unseen), base.features(task.validation)
        start = last_layer_of(base.classifier)
        record = task.file(self.name, "weights.json")
        return base.with_layer(
            lambda: self._found(start, known, judged, progress), self.selection, record, images=len(known)
        )

    def _found(self, start: LastLayer, known: Features, judged: Features, progress: Progress) -> Found:
        """The layer that scores highest; of equal ones the first that was tried."""
        tuned, sizes = [], []
        for gamma in self.gammas:
            weights = weights_of_images(known, gamma, balanced=self.balanced)
            sizes.append({"gamma": gamma, "effective_images": 1 / float((weights**2).sum())})
            for penalty in self.penalties:
                steps = descended(start, known, weights, penalty, self.learning_rate)
                layer, step, score = self._best(steps, judged)
                tuned.append((layer, {"gamma": gamma, "lambda": penalty, "step": step, "score": score}))
                total = len(self.gammas) * len(self.penalties)
                progress(Step("tuning the last layer", len(tuned), total, unit="fits"))
        layer, taken = max(tuned, key=lambda one: one[1]["score"])
        tried = [told for _, told in tuned]
        said = {"selection": self.selection, "images": len(known), **taken, "sizes": sizes, "tried": tried}
        return layer, said

    def _best(self, steps: Iterator[LastLayer], judged: Features) -> tuple[LastLayer, int, float]:
        """Of those that are scored the layer that scores highest, after which step, and its score."""
        scored = []
        for number, layer in enumerate(islice(steps, self.steps), start=1):
            if number % self.every == 0 or number == self.steps:
                scored.append((layer, number, score_by(self.selection, judged.said_by(layer))))
        return max(scored, key=lambda one: one[2])


def held_out(data: Dataset, share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """True for the share of each class that is kept away from ERM; no subject is divided.

    Raises:
        InputError: no class has two images (or subjects).
    """
    names = data.ids if data.subjects is None else data.subjects
    held: Bool[np.ndarray, " n"] = drawn_splits(names, data.labels, {"held out": share}, seed) == "held out"
    if not held.any():
        raise InputError(
            f"expected training images of which some can be held out, got {len(data)} that are each the only "
            "one of their class or subject; add some"
        )
    return held


def weights_of_images(features: Features, gamma: float, *, balanced: bool) -> Float64[np.ndarray, " n"]:
    """1 / images of the class * exp(-gamma * p) of each image, p by the net itself; they sum to 1."""
    labels = features.said.labels
    p = features.said.probabilities[np.arange(len(labels)), labels]
    # What the powers are measured from drops out; so the largest of them is 1, however large gamma is.
    weights = np.exp(-gamma * (p - p.min()))
    if balanced:
        weights = weights / np.bincount(labels)[labels]
    return np.asarray(weights / weights.sum())


def descended(
    start: LastLayer,
    features: Features,
    weights: Float64[np.ndarray, " n"],
    penalty: float,
    learning_rate: float,
) -> Iterator[LastLayer]:
    """The layer after each step of gradient descent, without end.

    On the sum of weights * cross-entropy + penalty * the squared distance of all coefficients and intercepts
    from where they began; a gradient that is longer than 1 is cut to that.
    """
    x = np.hstack([features.values.astype(np.float64), np.ones((len(features), 1))])
    true = np.eye(features.said.logits.shape[1])[features.said.labels]
    first = now = np.column_stack([start.weight, start.bias])
    while True:
        slope = residuals(x @ now.T, true, weights[:, None]).T @ x + 2 * penalty * (now - first)
        now = now - learning_rate * slope / max(1.0, float(np.linalg.norm(slope)))
        yield LastLayer(now[:, :-1], now[:, -1])

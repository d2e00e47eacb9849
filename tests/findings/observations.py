"""Small `Observed` records, made by hand or drawn, for the tests of findings."""

from dataclasses import dataclass

import numpy as np

from masktune.evaluation import Predictions
from masktune.findings.observed import Observed, Spot, Transplant


def observed(
    labels,
    logits=None,
    *,
    tiny=None,
    classes=None,
    subjects=None,
    splits=None,
    ids=None,
    salient=None,
    same_classes=True,
    **more,
):
    """What is not given is plain: right and certain logits, grey pictures, nothing hidden, all seen.

    `salient` are the logits with the salient area hidden; `more` are further fields of `Observed`.
    """
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    classes = classes or tuple(f"class {i}" for i in range(max(2, int(labels.max(initial=0)) + 1)))
    logits = 4 * np.eye(len(classes))[labels] if logits is None else np.asarray(logits)
    logits = logits.astype(np.float32)
    given = {
        "predictions": Predictions(
            logits=logits,
            labels=labels if same_classes else logits.argmax(1).astype(np.int64),
            ids=np.array([f"{i:05d}.png" for i in range(n)] if ids is None else ids, dtype=str),
            subjects=None if subjects is None else np.asarray(subjects, dtype=str),
            splits=None if splits is None else np.asarray(splits, dtype=str),
        ),
        "data_classes": tuple(classes),
        "data_labels": None if same_classes else labels,
        "same_classes": same_classes,
        "hidden_logits": {"salient": np.asarray(logits if salient is None else salient).astype(np.float32)},
        "low": np.zeros((n, 4, 4), np.float16),
        "empty": np.zeros(n, bool),
        "hidden": np.zeros(n),
        "where": np.zeros((n, 16, 16), np.uint8),
        "tiny": np.full((n, 32, 32, 3), 128, np.uint8) if tiny is None else tiny,
        "seen": np.ones(n),
        "properties": {},
        "facts": {},
        "columns": {},
    }
    return Observed(**(given | more))


def noise(n, seed, *, grey=False):
    """Tiny pictures: a smooth random ground, another one each, with some grain on it; no class in it."""
    random = np.random.default_rng(seed)
    coarse = random.integers(40, 216, size=(n, 4, 4, 1 if grey else 3))
    smooth = coarse.repeat(8, axis=1).repeat(8, axis=2)
    grain = random.integers(-20, 21, size=(n, 32, 32, smooth.shape[-1]))
    return np.broadcast_to(smooth + grain, (n, 32, 32, 3)).astype(np.uint8)


@dataclass(frozen=True)
class Clean:
    """A set with nothing wrong with it, whose classifier is right on most images."""

    n: int = 300
    classes: int = 2
    seed: int = 0
    ease: float = 2.0
    """Mean of the true class's logit above the others, whose deviation is 1."""

    def observed(self, **more):
        random = np.random.default_rng([self.seed, self.n, self.classes])
        labels = random.permutation(np.arange(self.n) % self.classes)
        logits = random.normal(size=(self.n, self.classes)) + self.ease * np.eye(self.classes)[labels]
        salient = random.normal(size=logits.shape) + self.ease / 2 * np.eye(self.classes)[labels]
        given = {
            "tiny": noise(self.n, self.seed),
            "seen": random.uniform(0.85, 1, self.n),
            "salient": salient,
        }
        return observed(labels, logits, **(given | more))


def swapped(place, gain=0.8, *, label=0, recurs=0.0, elsewhere=0.0, n=20, box=(0, 0, 0.2, 0.2)):
    """A place that was swapped: every image gains and loses as much, give or take a hundredth."""
    change = gain + np.where(np.arange(n) % 2, 0.01, -0.01)
    return Transplant(
        spot=Spot(label, box, place),
        gain=change,
        loss=change,
        flipped_in=change > 0.5,
        flipped_out=change > 0.5,
        ids_in=np.array([f"in {i}" for i in range(n)]),
        ids_out=np.array([f"out {i}" for i in range(n)]),
        recurs=recurs,
        recurs_elsewhere=elsewhere,
    )


def marked(n, *, seed=0, share=0.95, side=3, at=(1, 1), clean=None):
    """A clean set of two classes where a white square lies on `share` of class 0 and 1 - `share` of class 1.

    The logits go with the mark: its images lean to class 0.
    """
    random = np.random.default_rng([seed, n])
    labels = random.permutation(np.arange(n) % 2)
    carries = random.random(n) < np.where(labels == 0, share, 1 - share)
    tiny = noise(n, seed) if clean is None else clean.copy()
    tiny[carries, at[0] : at[0] + side, at[1] : at[1] + side] = 250
    logits = random.normal(size=(n, 2)) + 3 * np.eye(2)[np.where(carries, 0, 1)]
    return labels, carries, tiny, logits


def tiny_of(data):
    """Tiny pictures of `ShortcutImages` of 8 bits whose sides are multiples of 32."""
    images = data.images.numpy()
    n, channels, height, width = images.shape
    cells = images.reshape(n, channels, 32, height // 32, 32, width // 32).mean((3, 5)).round()
    return np.broadcast_to(cells.transpose(0, 2, 3, 1), (n, 32, 32, 3)).astype(np.uint8)

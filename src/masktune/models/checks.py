"""Wrong preprocessing looks like a bad model: what gives it away, each as a sentence or None."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Int64

from masktune.errors import InputError
from masktune.evaluation import Predictions, wilson
from masktune.seeds import seed_of
from masktune.types import Images, View

_CHANCE = 0.05
"""Above this p-value an accuracy is not told from guessing."""
_JUMP = 1e-3
"""The p-value below which another order of the classes is not an accident: half a sample has many orders."""
_SURELY = 1e-3
"""The p-value below which an accuracy is not the one that was expected."""
_NARROW = 0.1
"""Share of the value range below which images are nearly one grey."""
_UNSEEN = 0.05
"""A centre crop that loses less than this on average is not worth a line."""


def suspicions(
    predictions: Predictions | None, images: Iterable[Images] = (), views: Sequence[View] = ()
) -> tuple[str, ...]:
    """All that looks like wrong preprocessing or another order of the classes, one sentence each.

    Args:
        predictions: on labelled images, some hundred of them or more; None where the logits stand for other
            classes than the labels.
        images: batches in pixel space, as the classifier gets them.
        views: which part of each source they show.
    """
    found = [narrow_range(images), unseen_share(views)]
    if predictions is not None:
        # An accuracy near chance has its reason where another order is right.
        found.insert(0, other_order(predictions) or near_chance(predictions))
    return tuple(sentence for sentence in found if sentence is not None)


def near_chance(predictions: Predictions) -> str | None:
    """Whether the accuracy is no better than that of always saying the commonest class.

    An exact one-sided binomial test against the commonest class's share. That, and not 1/K, is what chance
    can reach: on 90 % negatives 0.9 takes no sight. It is never below 1/K. But on such data a good classifier
    may stay below the share too (4 % positives, found with some false alarms), so one whose predictions hang
    together with the labels is not called blind.
    """
    from scipy.stats import binomtest

    n = len(predictions)
    if n == 0:
        return None
    right, share = int(predictions.correct.sum()), _commonest(predictions)
    if binomtest(right, n, share, alternative="greater").pvalue < _CHANCE or _sees(predictions):
        return None
    return (
        f"the accuracy, {right / n:.3f} on {n} images, is no better than always saying the commonest class "
        f"({share:.3f}); check --mean, --std, --range, --input-size and --channels against the training code"
    )


def other_order(predictions: Predictions) -> str | None:
    """Whether the classifier is good under another order of its classes, as happens to sorted folder names.

    The best order is sought on one half of the images and judged on the other, so that with many classes
    chance does not look like a jump: where the two orders differ in being right, the other one has to win
    more often than a fair coin would (McNemar's exact test).
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import binomtest

    seeking, judging = _halves(predictions)
    counts = _counts(predictions, seeking)
    _, order = linear_sum_assignment(-counts)  # Row: what is predicted. Column: what it should be called.
    renamed = order[predictions.predicted[judging]]
    labels = predictions.labels[judging]
    before, after = predictions.predicted[judging] == labels, renamed == labels
    wins, losses = int((after & ~before).sum()), int((before & ~after).sum())
    if wins + losses == 0 or binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue >= _JUMP:
        return None
    share = _commonest(predictions)
    if binomtest(int(after.sum()), len(after), share, alternative="greater").pvalue >= _JUMP:
        return None  # Saying one class better than another is no order.
    names = predictions.classes or tuple(map(str, range(len(order))))
    typed = ",".join(names[place] for place in order)
    return (
        f"the accuracy jumps from {before.mean():.3f} to {after.mean():.3f} ({len(labels)} images) when the "
        f"classes stand in another order; if that is the order of training, pass --classes {typed}"
    )


def narrow_range(batches: Iterable[Images]) -> str | None:
    """Whether all images together use less than a tenth of what lies between black and white.

    Typical are X-rays with 12 bits in files of 16. All of them together: one dark picture is no sign.
    """
    low, high = 1.0, 0.0
    for images in batches:
        if images.numel():
            white = 255 if images.dtype == torch.uint8 else 1
            least, greatest = (float(end) / white for end in images.aminmax())
            low, high = min(low, least), max(high, greatest)
    if high < low or high - low >= _NARROW:
        return None
    return (
        f"the images use {high - low:.1%} of the range of values ({low:.4f} to {high:.4f} of 0 to 1): nearly "
        "one grey; say what is black and white: --range LO HI in the files' own units (0 4095 for 12 bits), "
        "or --range percentile"
    )


def unseen_share(views: Sequence[View]) -> str | None:
    """How much of the pictures the crop cuts away, where it is more than a twentieth on average."""
    unseen = [1 - view.seen for view in views]
    if not unseen or (mean := sum(unseen) / len(unseen)) < _UNSEEN:
        return None
    return (
        f"the net never sees {mean:.1%} of the pictures' area (up to {max(unseen):.1%}): the crop cuts it "
        "away; --resize squash or pad shows all of it"
    )


def expected_accuracy(predictions: Predictions, expected: float) -> None:
    """Refuse to go on with a classifier that is not as good, or as bad, as the user knows it to be.

    Raises:
        InputError: with that accuracy a result as far off would come up once in a thousand data sets (exact
            binomial test): an interval of 95 % would stop one honest user in twenty.
    """
    from scipy.stats import binomtest

    if not 0 <= expected <= 1:
        raise InputError(f"expected an accuracy from 0 to 1 in --expect, got {expected:g}")
    rate = wilson(int(predictions.correct.sum()), len(predictions))
    if rate.value is None or rate.low is None or rate.high is None:
        raise InputError("expected predictions on at least one image to check the accuracy, got none")
    if binomtest(int(predictions.correct.sum()), len(predictions), expected).pvalue < _SURELY:
        raise InputError(
            f"expected an accuracy of {expected:g}, got {rate.value:.4f} on {rate.n} images (95 %: "
            f"{rate.low:.4f} to {rate.high:.4f}); check the weights, the order of --classes, and --mean, "
            "--std, --range, --resize against the training code"
        )


def _commonest(predictions: Predictions) -> float:
    counts = np.bincount(predictions.labels, minlength=predictions.logits.shape[1])
    return float(counts.max() / len(predictions))


def _sees(predictions: Predictions) -> bool:
    """Whether predictions and labels hang together: more right answers than with the labels shuffled.

    Under shuffling the number of right answers has a known mean and variance (Hoeffding 1951), and is nearly
    normal.
    """
    from scipy.stats import norm

    n, k = len(predictions), predictions.logits.shape[1]
    if n < 2:
        return False
    said, true = (np.bincount(of, minlength=k) / n for of in (predictions.predicted, predictions.labels))
    mean = float((said * true).sum())
    variance = float((mean**2 + mean - (said * true * (said + true)).sum()) / (n - 1))
    if variance <= 0:
        return False
    excess = (float(predictions.correct.mean()) - mean) / np.sqrt(variance)
    return bool(norm.sf(excess) < _CHANCE)


def _counts(predictions: Predictions, chosen: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, "k k"]:
    """How often each class (row) was predicted where another (column) is true."""
    k = predictions.logits.shape[1]
    cells = predictions.predicted[chosen] * k + predictions.labels[chosen]
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def _halves(predictions: Predictions) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " r"]]:
    """Two halves that depend on the images' names alone; the images of one subject stay together."""
    keys = predictions.ids if predictions.subjects is None else predictions.subjects
    first = np.array([seed_of("other order", key) % 2 == 0 for key in keys.tolist()], dtype=bool)
    return np.flatnonzero(first), np.flatnonzero(~first)

"""95 % intervals of any numbers of a curve, and of their differences: the images are drawn again.

Scores are sorted once. A draw says how often each image comes, so that the curve of a draw needs no sorting.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate
from masktune.evaluation.resampling import draws, percentiles
from masktune.selective.curve import Curve, Ranked

Numbers = Callable[[Curve], Sequence[float | None]]
"""Several numbers of one curve, always as many; None where undefined."""

REPEATS = 1000
"""Draws behind an interval."""


def intervals(
    scores: Float64[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    numbers: Numbers,
    *,
    subjects: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
    repeats: int = REPEATS,
) -> list[Rate]:
    """Numbers of a curve with 95 % percentile intervals, over images or, where known, subjects.

    Args:
        scores: larger is surer.
        wrong: where the answer is.
        numbers: what to compute of a curve, once for the images and once for each draw.
        subjects: who or what each image shows; all images of a subject are drawn together.
        seed: of the draws.
        repeats: how many.

    Raises:
        InputError: as `curve`.
    """
    whole, drawn = drawn_curves(
        [(scores, wrong)], lambda one: _array(numbers(one)), subjects=subjects, seed=seed, repeats=repeats
    )
    return [
        rate_of(value, column, len(scores)) for value, column in zip(whole[0], drawn[:, 0].T, strict=True)
    ]


def drawn_curves(
    parts: Sequence[tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]],
    numbers: Callable[[Curve], Float64[np.ndarray, " c"]],
    *,
    subjects: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
    repeats: int = REPEATS,
) -> tuple[Float64[np.ndarray, "p c"], Float64[np.ndarray, "r p c"]]:
    """Numbers of several curves over the same images, and of the same draws of these: for differences.

    Args:
        parts: scores and wrong answers, image by image the same in each.
        numbers: c numbers of a curve.
        subjects: as in `intervals`.
        seed: likewise.
        repeats: r, how many draws.

    Raises:
        InputError: no parts, or different numbers of images.
    """
    sizes = {len(scores) for scores, _ in parts}
    if len(sizes) != 1:
        raise InputError(f"expected parts with the same images, got {sorted(sizes)} of them")
    (n,) = sizes
    ranked = [Ranked.of(scores, wrong) for scores, wrong in parts]

    def of(times: Float64[np.ndarray, " n"]) -> np.ndarray:
        return np.stack([numbers(one.curve(times)) for one in ranked])

    return of(np.ones(n)), np.stack([of(times) for times in _draws(n, subjects, seed, repeats)])


def rate_of(value: float, drawn: Float64[np.ndarray, " r"], n: int) -> Rate:
    """A number of n images with the 95 % interval of its draws; NaN is undefined."""
    if np.isnan(value):
        return Rate(None, n)
    return Rate(float(value), n) if np.isnan(drawn).all() else Rate(float(value), n, *percentiles(drawn))


def _draws(
    n: int, subjects: Shaped[np.ndarray, " n"] | None, seed: int, repeats: int
) -> Iterator[Float64[np.ndarray, " n"]]:
    """How often each image comes in a draw of images, or of whole subjects."""
    units = np.arange(n) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    for times in draws(int(units.max()) + 1, seed, repeats):
        yield times[units].astype(np.float64)


def _array(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

"""Of each way to decide over its seeds: areas under risk, curves, and differences on the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from masktune.abstention.measured import Measured
from masktune.abstention.settings import SelectSettings
from masktune.evaluation import Rate
from masktune.selective import augrc, aurc, drawn_curves
from masktune.selective.curve import Curve
from masktune.selective.metrics import best_aurc
from masktune.selective.resampled import rate_of


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Of a line over all its seeds: areas with intervals, curves with bands."""

    key: tuple[str, str]
    title: str
    seeds: tuple[int, ...]
    by_seed: tuple[tuple[Rate, ...], ...]
    """Of each seed: AURC, E-AURC, AUGRC."""
    mean: tuple[Rate, ...]
    """The same, mean over seeds, with the interval over images."""
    against: Mapping[tuple[str, str], Rate]
    """AURC minus that of other lines on the same draws, mean over the seeds of both; negative is better."""
    risk: Float64[np.ndarray, "3 g"]
    """At `GRID`: selective risk, mean over seeds, and the ends of its interval."""
    joint: Float64[np.ndarray, "3 g"]
    """Likewise generalised risk."""


GRID = np.linspace(0.05, 1.0, 39)
"""Coverages of a plot, every 2.5 %; the last is exactly 1."""

AREAS = ("aurc", "e_aurc", "augrc")
"""As they stand in results."""


def numbers(found: Curve) -> np.ndarray:
    """The areas, then selective and generalised risk at `GRID`."""
    at = np.searchsorted(found.accepted, np.ceil(GRID * found.n - 1e-9))
    area = aurc(found)
    areas = np.array([area, area - best_aurc(found), augrc(found)])
    return np.asarray(np.concatenate([areas, found.risk[at], found.joint[at]]))


def areas_of(all_measured: Sequence[Measured], settings: SelectSettings) -> list[Areas]:
    """Of each line over its seeds; the images of all lines and seeds are drawn together."""
    parts = [(one.scored.scores, one.wrong) for one in all_measured]
    subjects = all_measured[0].test.subjects
    whole, drawn = drawn_curves(parts, numbers, subjects=subjects, seed=settings.seed, repeats=settings.draws)
    keys = list(dict.fromkeys(one.line.key for one in all_measured))
    places = {key: [at for at, one in enumerate(all_measured) if one.line.key == key] for key in keys}
    n = len(all_measured[0].test)
    return [_areas(key, keys, places, all_measured, whole, drawn, n) for key in keys]


def _areas(
    key: tuple[str, str],
    keys: list[tuple[str, str]],
    places: Mapping[tuple[str, str], list[int]],
    all_measured: Sequence[Measured],
    whole: np.ndarray,
    drawn: np.ndarray,
    n: int,
) -> Areas:
    mine = places[key]
    k = len(AREAS)
    mean, means = whole[mine].mean(axis=0), drawn[:, mine].mean(axis=1)
    ends = np.quantile(means[:, k:], (0.025, 0.975), axis=0)
    band = np.concatenate([mean[None, k:], ends])
    against = {}
    for other in keys:
        value = mean[0] - whole[places[other]].mean(axis=0)[0]
        differences = means[:, 0] - drawn[:, places[other]].mean(axis=1)[:, 0]
        against[other] = rate_of(value, differences, n)
    return Areas(
        key,
        all_measured[mine[0]].line.title,
        tuple(all_measured[at].line.seed for at in mine),
        tuple(tuple(rate_of(whole[at, i], drawn[:, at, i], n) for i in range(k)) for at in mine),
        tuple(rate_of(mean[i], means[:, i], n) for i in range(k)),
        against,
        band[:, : len(GRID)],
        band[:, len(GRID) :],
    )

"""The numbers of each line: thresholds of calibration images, what they do on test images, whole curves."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from masktune.abstention.lines import Line
from masktune.abstention.settings import SelectSettings
from masktune.abstention.voters import Brought, Voter
from masktune.data.names import first_three
from masktune.errors import InputError, MasktuneWarning
from masktune.evaluation import Predictions, Rate
from masktune.evaluation.intervals import clopper_pearson, wilson
from masktune.evaluation.predictions import match
from masktune.selective import (
    Decisions,
    EmpiricalRisk,
    Found,
    GroupPart,
    GuaranteedRisk,
    Parentage,
    Point,
    Scored,
    SelectivePredictor,
    TargetCoverage,
    augrc,
    aurc,
    curve,
    drawn_curves,
    fit_temperature,
    risk_at_coverage,
)
from masktune.selective.curve import Curve
from masktune.selective.metrics import best_aurc
from masktune.selective.predictor import Role
from masktune.selective.thresholds import Rule


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """What one threshold does on the test images."""

    asked: float
    """The coverage or risk."""
    kind: str
    """`coverage`, `guaranteed`, `empirical`; `ranked`: by ranking the test images themselves."""
    coverage: Rate
    risk: Rate
    found: tuple[Found, ...] = ()
    """The threshold, or one a predicted class; none where test images are ranked."""
    groups: tuple[GroupPart, ...] = ()
    """By group, where known."""
    classes: tuple[GroupPart, ...] = ()
    """By true class."""
    cost: float | None = None
    """Mean cost of an answer, where mistakes have costs."""
    predictor: SelectivePredictor | None = None
    """That can be saved."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A line, and its numbers on the test images."""

    line: Line
    test: Predictions
    """What the first model says: labels, groups, subjects."""
    scored: Scored
    wrong: Bool[np.ndarray, " n"]
    curve: Curve
    points: tuple[At, ...]
    agreement: Rate | None
    """Where both models say the same."""
    wrong_where_agreed: Rate | None
    wrong_where_not: tuple[Rate, Rate] | None
    """Of the first and of the second model, where they disagree."""

    def at(self, kind: str, asked: float) -> At | None:
        """The point that was asked for."""
        return next((one for one in self.points if (one.kind, one.asked) == (kind, asked)), None)


class Answers:
    """What each voter says of a split, read once, in one order of the images."""

    def __init__(self, brought: Brought, settings: SelectSettings) -> None:
        self.settings = settings
        self.role: Role = brought.role(settings.calibrate)
        self._said: dict[tuple[int, str, str], Predictions] = {}
        self._heat: dict[tuple[int, str], float] = {}

    def of(self, voter: Voter, split: str) -> Predictions:
        """Its predictions, images in the order of the first voter that was asked."""
        key = voter.seed, voter.method, split
        if key not in self._said:
            found = voter.says(split)
            firsts = [one for (_, _, name), one in self._said.items() if name == split]
            self._said[key] = match(firsts[0], found) if firsts else found
        return self._said[key]

    def temperature(self, voter: Voter) -> float:
        """That of its logits; 1 where none is to be fitted."""
        key = voter.seed, voter.method
        if self.settings.temperature is None:
            return 1.0
        if key not in self._heat:
            self._heat[key] = fit_temperature(voter.says(self.settings.temperature))
        return self._heat[key]


def check_apart(line: Line, answers: Answers) -> None:
    """Refuse images that are in both splits.

    Raises:
        InputError: some are.
    """
    settings = answers.settings
    calibration, test = (answers.of(line.first, split) for split in (settings.calibrate, settings.test))
    shared = sorted({*calibration.ids.tolist()} & {*test.ids.tolist()})
    if shared:
        raise InputError(
            f"expected different images to calibrate on and to test on, but {len(shared)} are in both "
            f"{settings.calibrate} and {settings.test}: {first_three(shared)}"
        )
    if calibration.subjects is not None and test.subjects is not None:
        both = sorted({*calibration.subjects.tolist()} & {*test.subjects.tolist()})
        if both:
            warnings.warn(
                f"{len(both)} subjects have images in both {settings.calibrate} and {settings.test} "
                f"({first_three(both)}), so the test looks easier than new subjects are",
                MasktuneWarning,
                stacklevel=2,
            )


def measured(line: Line, answers: Answers) -> Measured:
    """The numbers of a line.

    Raises:
        InputError: a guarantee on images that are not unread, or a coverage out of reach.
        CannotCertify: too few calibration images for a risk.
    """
    settings = answers.settings
    second = line.second
    heat = answers.temperature(line.first), 1.0 if second is None else answers.temperature(second)
    score = replace(line.score, temperatures=heat, costs=settings.costs)
    test = answers.of(line.first, settings.test)
    other = None if second is None else answers.of(second, settings.test)
    calibration = answers.of(line.first, settings.calibrate)
    partner = None if second is None else answers.of(second, settings.calibrate)
    seen = score.of(calibration, partner)
    scored = score.of(test, other)
    wrong = scored.labels != test.labels
    found = curve(scored.scores, wrong)
    points = [_ranked(found, coverage) for coverage in settings.coverage]
    for kind, rule in _rules(settings):
        ready = SelectivePredictor(score, rule, settings.per_class and kind != "empirical").calibrated(
            seen, calibration, role=answers.role, weights=_parentage(line), seed=settings.seed
        )
        points.append(_judged(kind, ready, ready.decide(scored), test, settings))
    told = _told_of_agreement(test, other, scored)
    return Measured(line, test, scored, wrong, found, tuple(points), *told)


def _rules(settings: SelectSettings) -> list[tuple[str, Rule]]:
    rules: list[tuple[str, Rule]] = [("coverage", TargetCoverage(one)) for one in settings.coverage]
    for risk in settings.risk:
        if settings.empirical:
            rules.append(("empirical", EmpiricalRisk(risk)))
        else:
            rule = GuaranteedRisk(risk, settings.delta, settings.method, starts=settings.starts)
            rules.append(("guaranteed", rule))
    return rules


def _parentage(line: Line) -> Parentage:
    second = line.second
    return Parentage(
        line.first.weights_sha256,
        None if second is None else second.weights_sha256,
        None if second is None else second.tuned_from,
    )


def _ranked(found: Curve, coverage: float) -> At:
    point: Point = risk_at_coverage(found, coverage)
    n = round(found.n)
    return At(coverage, "ranked", wilson(point.accepted, n), clopper_pearson(point.wrong, point.accepted))


def _judged(
    kind: str, ready: SelectivePredictor, said: Decisions, test: Predictions, settings: SelectSettings
) -> At:
    judged = ready.judged(said, test)
    return At(
        float(ready.rule.target),
        kind,
        judged.coverage,
        judged.risk,
        ready.found,
        tuple(judged.groups),
        tuple(judged.classes),
        None if settings.costs is None else mean_cost(test, said, settings.costs),
        ready,
    )


def mean_cost(test: Predictions, said: Decisions, costs: tuple[float, float]) -> float | None:
    """Of an answer, by the costs of a false positive and a false negative; None where there is none."""
    if not said.accepted.any():
        return None
    labels, truth = said.labels[said.accepted], test.labels[said.accepted]
    total = costs[0] * ((labels == 1) & (truth == 0)).sum() + costs[1] * ((labels == 0) & (truth == 1)).sum()
    return float(total / len(labels))


def _told_of_agreement(
    test: Predictions, other: Predictions | None, scored: Scored
) -> tuple[Rate | None, Rate | None, tuple[Rate, Rate] | None]:
    if other is None or scored.agree is None:
        return None, None, None
    agree = scored.agree
    apart = ~agree
    wrong = test.predicted != test.labels, match(test, other).predicted != test.labels
    return (
        wilson(int(agree.sum()), len(test)),
        wilson(int((wrong[0] & agree).sum()), int(agree.sum())),
        (
            wilson(int((wrong[0] & apart).sum()), int(apart.sum())),
            wilson(int((wrong[1] & apart).sum()), int(apart.sum())),
        ),
    )


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


GRID = np.arange(0.05, 1.0001, 0.025)
"""Coverages of a plot."""

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
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    band = np.stack([mean, low, high])[:, k:]
    against = {}
    for other in keys:
        value = mean[0] - whole[places[other]].mean(axis=0)[0]
        differences = means[:, 0] - drawn[:, places[other]].mean(axis=1)[:, 0]
        against[other] = _rate(value, differences, n)
    return Areas(
        key,
        all_measured[mine[0]].line.title,
        tuple(all_measured[at].line.seed for at in mine),
        tuple(tuple(_rate(whole[at, i], drawn[:, at, i], n) for i in range(k)) for at in mine),
        tuple(_rate(mean[i], means[:, i], n) for i in range(k)),
        against,
        band[:, : len(GRID)],
        band[:, len(GRID) :],
    )


def _rate(value: float, drawn: Float64[np.ndarray, " r"], n: int) -> Rate:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Rate(float(value), n, float(low), float(high))

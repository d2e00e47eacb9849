"""The numbers of each line: thresholds of calibration images, what they do on test images, whole curves."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from masktune.abstention.answers import Answers
from masktune.abstention.lines import Line
from masktune.abstention.settings import SelectSettings
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
    curve,
    risk_at_coverage,
)
from masktune.selective.curve import Curve
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

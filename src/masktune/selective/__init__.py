"""When to abstain: how sure classifiers are, from which score on they answer, and what that promises."""

from masktune.selective.binomial import accepted_needed, upper_bound
from masktune.selective.by_group import GroupPart, by_group, worst_group
from masktune.selective.curve import Curve, curve
from masktune.selective.metrics import (
    Point,
    augrc,
    aurc,
    coverage_at_risk,
    e_aurc,
    failure_auroc,
    n_aurc,
    risk_at_coverage,
)
from masktune.selective.predictor import Decisions, Judged, Parentage, SelectivePredictor
from masktune.selective.resampled import drawn_curves, intervals
from masktune.selective.scores import KINDS, Score, Scored
from masktune.selective.temperature import fit_temperature
from masktune.selective.thresholds import EmpiricalRisk, Found, GuaranteedRisk, JointError, TargetCoverage

__all__ = [
    "KINDS",
    "Curve",
    "Decisions",
    "EmpiricalRisk",
    "Found",
    "GroupPart",
    "GuaranteedRisk",
    "JointError",
    "Judged",
    "Parentage",
    "Point",
    "Score",
    "Scored",
    "SelectivePredictor",
    "TargetCoverage",
    "accepted_needed",
    "augrc",
    "aurc",
    "by_group",
    "coverage_at_risk",
    "curve",
    "drawn_curves",
    "e_aurc",
    "failure_auroc",
    "fit_temperature",
    "intervals",
    "n_aurc",
    "risk_at_coverage",
    "upper_bound",
    "worst_group",
]

"""The controlled trial on one's own data: arms, guard, verdict."""

from masktune.trial.estimate import TrialEstimate, estimate_trial
from masktune.trial.given import Given, given_of, given_parts
from masktune.trial.power import effects_in_words
from masktune.trial.rates import rule_in_words
from masktune.trial.run import given_to_tune, is_finished, title_of, tune_run
from masktune.trial.settings import ARMS, ArmName, TrialSettings
from masktune.trial.trial import Outcome, check_start, effects_of, run_trial
from masktune.trial.trialled import Trialled
from masktune.trial.verdict import Verdict

__all__ = [
    "ARMS",
    "ArmName",
    "Given",
    "Outcome",
    "TrialEstimate",
    "TrialSettings",
    "Trialled",
    "Verdict",
    "check_start",
    "effects_in_words",
    "effects_of",
    "estimate_trial",
    "given_of",
    "given_parts",
    "given_to_tune",
    "is_finished",
    "rule_in_words",
    "run_trial",
    "title_of",
    "tune_run",
]

"""The workflow of `select`: whose answers there are, what votes, how good each is when it may abstain."""

from masktune.abstention.answers import Answers
from masktune.abstention.areas import AREAS, GRID, Areas
from masktune.abstention.lines import ENSEMBLE, Line, lines_of
from masktune.abstention.measured import At, Measured
from masktune.abstention.select import PREDICTORS, Selected, run_select, select
from masktune.abstention.settings import COVERAGES, SCORES, SelectSettings
from masktune.abstention.voters import Brought, Voter, bring

__all__ = [
    "AREAS",
    "COVERAGES",
    "ENSEMBLE",
    "GRID",
    "PREDICTORS",
    "SCORES",
    "Answers",
    "Areas",
    "At",
    "Brought",
    "Line",
    "Measured",
    "SelectSettings",
    "Selected",
    "Voter",
    "bring",
    "lines_of",
    "run_select",
    "select",
]

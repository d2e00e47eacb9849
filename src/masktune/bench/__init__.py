"""Recipes of the paper's experiments, how they are run, and their tables as records."""

from masktune.bench.bench import Bench
from masktune.bench.bench_estimate import BenchEstimate, estimate_bench
from masktune.bench.celeba import celeba
from masktune.bench.digits import biased_digits, biased_mnist
from masktune.bench.estimate import Estimate, estimate
from masktune.bench.imported import Imported
from masktune.bench.in9 import in9
from masktune.bench.job import Job
from masktune.bench.jobs import Engine, Outcome, in_process
from masktune.bench.on_ray import OnRay
from masktune.bench.own import OwnTraining
from masktune.bench.photos import Photos
from masktune.bench.plan import Budget, Plan
from masktune.bench.recipe import METHODS, Choices, PresetName, Recipe
from masktune.bench.run import run_recipe
from masktune.bench.run_bench import Benched, open_bench, run_bench, run_one
from masktune.bench.search import Search, Try
from masktune.bench.selective import SELECTIVE, FromNothing, NetName, selective
from masktune.bench.shown import Column, Published, Shown, Status
from masktune.bench.sources import Common, Source
from masktune.bench.standings import Against, Standing, Standings, Worst, standings
from masktune.bench.tables import (
    Cell,
    Difference,
    GroupTable,
    Line,
    differences,
    group_tables,
    table,
    worst_groups,
)
from masktune.bench.waterbirds import waterbirds

__all__ = [
    "METHODS",
    "SELECTIVE",
    "Against",
    "Bench",
    "BenchEstimate",
    "Benched",
    "Budget",
    "Cell",
    "Choices",
    "Column",
    "Common",
    "Difference",
    "Engine",
    "Estimate",
    "FromNothing",
    "GroupTable",
    "Imported",
    "Job",
    "Line",
    "NetName",
    "OnRay",
    "Outcome",
    "OwnTraining",
    "Photos",
    "Plan",
    "PresetName",
    "Published",
    "Recipe",
    "Search",
    "Shown",
    "Source",
    "Standing",
    "Standings",
    "Status",
    "Try",
    "Worst",
    "biased_digits",
    "biased_mnist",
    "celeba",
    "differences",
    "estimate",
    "estimate_bench",
    "group_tables",
    "in9",
    "in_process",
    "open_bench",
    "run_bench",
    "run_one",
    "run_recipe",
    "selective",
    "standings",
    "table",
    "waterbirds",
    "worst_groups",
]

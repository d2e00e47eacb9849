"""Recipes of the paper's experiments, how they are run, and their tables as records."""

from masktune.bench.celeba import celeba
from masktune.bench.digits import biased_digits, biased_mnist
from masktune.bench.estimate import Estimate, estimate
from masktune.bench.in9 import in9
from masktune.bench.photos import Photos
from masktune.bench.recipe import METHODS, Choices, PresetName, Recipe
from masktune.bench.run import run_recipe
from masktune.bench.shown import Column, Published, Shown, Status
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
    "Cell",
    "Choices",
    "Column",
    "Difference",
    "Estimate",
    "GroupTable",
    "Line",
    "Photos",
    "PresetName",
    "Published",
    "Recipe",
    "Shown",
    "Status",
    "biased_digits",
    "biased_mnist",
    "celeba",
    "differences",
    "estimate",
    "group_tables",
    "in9",
    "run_recipe",
    "table",
    "waterbirds",
    "worst_groups",
]

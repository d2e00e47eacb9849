"""Recipes of the paper's experiments, how they are run, and their tables as records."""

from masktune.bench.digits import biased_digits, biased_mnist
from masktune.bench.estimate import Estimate, estimate
from masktune.bench.recipe import METHODS, Choices, PresetName, Published, Recipe
from masktune.bench.run import run_recipe
from masktune.bench.tables import Cell, Difference, Line, differences, table

__all__ = [
    "METHODS",
    "Cell",
    "Choices",
    "Difference",
    "Estimate",
    "Line",
    "PresetName",
    "Published",
    "Recipe",
    "biased_digits",
    "biased_mnist",
    "differences",
    "estimate",
    "run_recipe",
    "table",
]

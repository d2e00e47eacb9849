"""How long a recipe will take, from a few timed steps; nothing is written."""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import torch

from masktune.bench.recipe import FIVE_ARMS, TRAININGS, Recipe
from masktune.bench.run import resolved
from masktune.data import Splits, Subset, batches
from masktune.models.predict import predict
from masktune.training.checkpoints import TrainState
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.loop import Work, train
from masktune.training.together import at_once

STEPS = 10
"""Timed steps."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will do."""

    settings: dict[str, Any]
    """What the run would be made with, resolved."""
    threads: int
    """Of the CPU."""
    device: str
    images: dict[str, int]
    """Images by split."""
    training_speed: float
    """Images a second."""
    prediction_speed: float
    """Images a second; making maps costs about as much."""
    seconds: float
    """Of the whole run, all seeds and methods."""
    megabytes: float
    """On disk at the end, about."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Of a recipe's net on this machine."""

    training: float
    """Images a second."""
    prediction: float
    """Images a second."""
    threads: int
    """Of the CPU, with which they were measured."""


def speeds_of(recipe: Recipe, splits: Splits, here: Processes = ALONE) -> Speeds:
    """Time a few steps of the recipe's net on its own data."""
    with cpu_threads(recipe.threads):
        threads = torch.get_num_threads()
        return Speeds(_training_speed(recipe, splits, here), _prediction_speed(recipe, splits, here), threads)


def seconds_of(recipe: Recipe, splits: Splits, speeds: Speeds, methods: Collection[str]) -> float:
    """How long these methods take with one seed; stage 1 is counted where it is one of them.

    A method of somebody's own counts as one training.
    """
    n_train, n_validation = len(splits.train), len(splits.validation)
    n_tests = sum(len(test) for test in splits.tests.values())
    rounds = recipe.masktune.rounds * recipe.masktune.epochs
    tuned = sum(name in FIVE_ARMS and name != "erm" for name in methods)
    trained_too = sum(TRAININGS.get(name, 1) for name in methods if name not in FIVE_ARMS)
    trainings = trained_too + ("erm" in methods)
    trained = n_train * (recipe.training.epochs * trainings + rounds * tuned)
    read = n_validation * recipe.training.epochs * trainings
    read += (n_validation + n_tests) * len(methods)
    read += n_train * recipe.masktune.rounds * (tuned > 0)  # Maps.
    return float(trained / speeds.training + read / speeds.prediction)


def megabytes_of(recipe: Recipe, splits: Splits, methods: Collection[str]) -> float:
    """What these methods leave on the disk with one seed, about."""
    images = len(splits.validation) + sum(len(test) for test in splits.tests.values())
    logits = 60 * images * len(methods)  # Two logits, a label, a name, a group.
    weights = 4 * sum(value.numel() for value in recipe.build(0).state_dict().values())
    # Weights and momentum: two checkpoints of a training, one of a tuning; and the final weights.
    tuned = sum(name in FIVE_ARMS and name != "erm" for name in methods)
    kept = sum(TRAININGS.get(name, 1) > 0 for name in methods if name not in FIVE_ARMS)
    megabytes = (logits + weights * (4 * (kept + ("erm" in methods)) + 2 * tuned + len(methods))) / 1e6
    return float(megabytes)


def estimate(recipe: Recipe, here: Processes = ALONE) -> Estimate:
    """Time a few steps of the recipe's net on its own data and add up what the run consists of."""
    splits = recipe.splits(recipe.choices.seeds[0])
    recipe = resolved(recipe, splits, here)
    speeds = speeds_of(recipe, splits, here)
    # The others start from ERM, whether it is a row of the table or not.
    seeds, methods = len(recipe.choices.seeds), {"erm", *recipe.choices.methods}
    return Estimate(
        settings=recipe.settings(),
        threads=speeds.threads,
        device=str(here.device),
        images={"train": len(splits.train), "validation": len(splits.validation)}
        | {name: len(test) for name, test in splits.tests.items()},
        training_speed=speeds.training,
        prediction_speed=speeds.prediction,
        seconds=seeds * seconds_of(recipe, splits, speeds, methods),
        megabytes=seeds * megabytes_of(recipe, splits, methods),
    )


def _training_speed(recipe: Recipe, splits: Splits, here: Processes) -> float:
    """Images a second; the first pass, in which libraries set themselves up, is not counted.

    On a CPU that hardly depends on the size of batches, and one of the recipe's may take a minute.
    """
    classifier = recipe.build(0).to(here.device)
    state = TrainState(classifier, recipe.training.make_optimizer(classifier.parameters()))
    size, steps = recipe.training.batch_size, STEPS
    if here.device.type == "cpu" and size > at_once(classifier.spec):
        size, steps = at_once(classifier.spec), 1
    some = Subset(splits.train, torch.arange(min(steps * size, len(splits.train))))
    training = replace(recipe.training, epochs=2, batch_size=size)
    *_, report = train(state, some, training, Work(0, "estimating", here=here))
    return report.images / report.seconds


def _prediction_speed(recipe: Recipe, splits: Splits, here: Processes) -> float:
    classifier = recipe.build(0).to(here.device)
    size = at_once(classifier.spec)
    some = list(batches(splits.validation, size, torch.arange(min(2 * size, len(splits.validation)))))
    predict(classifier, some[:1])
    start = time.perf_counter()
    predict(classifier, some)
    return sum(len(batch) for batch in some) / (time.perf_counter() - start)

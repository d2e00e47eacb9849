"""Run a recipe: each seed and method once, each in its own folder, going on where an earlier run stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from masktune.bench.model_run import ModelRun
from masktune.bench.recipe import METHODS, Recipe
from masktune.data import Splits
from masktune.errors import InputError
from masktune.methods import MaskTune, Method
from masktune.methods.masktune import explainer_for
from masktune.runs import DataRecord, Results, Row, RunFolder
from masktune.runs.versions import versions
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.execution import Execution
from masktune.training.run_folder import open_for_all
from masktune.types import Progress, silent

Finish = Callable[[Results], None]
"""What is done with the numbers before `results.json` says that all is done: summary, pictures."""


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
    finish: Finish | None = None,
) -> Results:
    """Run all seeds and methods of a recipe into a run folder; what is there already is not run again.

    Args:
        recipe: what to run.
        out: the run folder; new, empty, or that of the same recipe with the same settings.
        argv: the command line, for the record.
        here: this process among those of the run; the first one writes.
        progress: is called with each step.
        finish: is called on the first process when all numbers are there, before `results.json` is written.

    Returns:
        All rows of the run, those of earlier seeds and methods included.

    Raises:
        DataNotFound, DataDamaged, InputError: data, layer or a setting cannot be used.
        RunFolderError: `out` holds something else.
        TrainingDiverged: a loss is no longer finite; what was finished and the last checkpoint stay.
    """
    first = recipe.splits(recipe.choices.seeds[0])
    check_labels(first, {name: recipe.method(name) for name in recipe.choices.methods})
    recipe = resolved(recipe, first, here)
    # Bits depend on the number of threads; a run that goes on keeps its own.
    with _open(recipe, out, first, argv, here) as folder, cpu_threads(folder.threads):
        rows: list[Row] = []
        for seed in folder.settings["seeds"]:
            splits = first if seed == recipe.choices.seeds[0] else recipe.splits(seed)
            for name in folder.settings["methods"]:
                rows += (
                    ModelRun(recipe, folder, splits, seed, recipe.method(name), here, progress).done().rows
                )
        results = Results(recipe.command, versions(), folder.record.data, rows)
        here.first_does(lambda: _finish(folder, results, finish))
        return results


def check_labels(splits: Splits, methods: Mapping[str, Method]) -> None:
    """Say before anything is trained which methods want group labels that the data do not have.

    Raises:
        InputError: some do.
    """
    parts = {
        "train_groups": ("training", splits.train.groups),
        "validation_groups": ("validation", splits.validation.groups),
    }
    for supervision, (part, groups) in parts.items():
        wanting = [name for name, method in methods.items() if method.supervision == supervision]
        if not wanting or groups is not None:
            continue
        made = {one: METHODS[one](MaskTune()) for one in METHODS}
        free = ", ".join(one for one in made if made[one].supervision == "none")
        reads, them = ("reads", "it") if len(wanting) == 1 else ("read", "them")
        raise InputError(
            f"{' and '.join(wanting)} {reads} group labels of the {part} images, and {splits.name} has none; "
            f"leave {them} out: those that read none are {free}"
        )


def resolved(recipe: Recipe, splits: Splits, here: Processes = ALONE) -> Recipe:
    """The recipe with what this machine and net decide put in: number type and layer.

    The layer is found, or looked for, with the untrained net on two images, so that a mistyped one is said
    before hours of training.
    """
    net = recipe.build(recipe.choices.seeds[0]).to(here.device)
    explainer = explainer_for(recipe.masktune, net, recipe.choices.seeds[0])
    found = explainer(splits.train.__getitems__([0, 1]).images.to(here.device)).layer
    execution = Execution.choose(recipe.training.precision, here.device)
    return replace(
        recipe,
        training=replace(recipe.training, precision="bfloat16" if execution.bfloat16 else "float32"),
        masktune=replace(recipe.masktune, layer=found if isinstance(found, str) else recipe.masktune.layer),
    )


def _open(recipe: Recipe, out: Path, splits: Splits, argv: Sequence[str], here: Processes) -> RunFolder:
    return open_for_all(
        out,
        here,
        command=recipe.command,
        argv=argv,
        settings=recipe.settings(),
        data=[DataRecord(splits.name, splits.variant, splits.sha256)],
        threads=recipe.threads,
        weights_sha256=recipe.own_settings.get("weights.sha256"),
    )


def _finish(folder: RunFolder, results: Results, finish: Finish | None) -> None:
    if finish is not None:
        finish(results)
    folder.write_results(results.rows)

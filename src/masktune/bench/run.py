"""Run a recipe: each seed and method once, each in its own folder, going on where an earlier run stopped."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from masktune.bench.examples import Examples, examples_of
from masktune.bench.recipe import Recipe
from masktune.data import Splits
from masktune.evaluation import Measure, measure, measure_hiding
from masktune.masking import warn_if_many_empty
from masktune.methods import Fitted, Method, Task
from masktune.methods.masks import measure_hidden
from masktune.methods.masktune import explainer_for
from masktune.models.weights import save_weights, weights_of
from masktune.runs import DataRecord, Results, Row, RunFolder, save_predictions
from masktune.runs.jsons import read_object, write_json
from masktune.training.devices import ALONE, Processes
from masktune.training.together import predict_all
from masktune.types import Progress, Step, silent

VALIDATION = "validation"


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    argv: Sequence[str] = (),
    here: Processes = ALONE,
    progress: Progress = silent,
) -> Results:
    """Run all seeds and methods of a recipe into a run folder; what is there already is not run again.

    Args:
        recipe: what to run.
        out: the run folder; new, empty, or that of the same recipe with the same settings.
        argv: the command line, for the record.
        here: this process among those of the run; the first one writes.
        progress: is called with each step.

    Returns:
        All rows of the run, those of earlier seeds and methods included.

    Raises:
        DataNotFound, DataDamaged, InputError: data, layer or a setting cannot be used.
        RunFolderError: `out` holds something else.
        TrainingDiverged: a loss is no longer finite; what was finished and the last checkpoint stay.
    """
    first = recipe.splits(recipe.choices.seeds[0])
    _check_layer(recipe, first, here)
    with RunFolder.open(
        out,
        command=recipe.command,
        argv=argv,
        settings=recipe.settings(),
        data=[DataRecord(first.name, first.variant, first.sha256)],
        threads=recipe.threads or torch.get_num_threads(),
        device=here.device.type,
    ) as folder:
        torch.set_num_threads(folder.threads)  # Bits depend on it; a run that goes on keeps its number.
        rows: list[Row] = []
        for seed in folder.settings["seeds"]:
            splits = first if seed == recipe.choices.seeds[0] else recipe.splits(seed)
            for name in folder.settings["methods"]:
                rows += _job(recipe, folder, splits, seed, recipe.method(name), here, progress)
        folder.write_results(rows)
        return folder.read_results()


def _check_layer(recipe: Recipe, splits: Splits, here: Processes) -> None:
    """Make maps of two images with the untrained net: a mistyped layer is not found out hours later."""
    net = recipe.build(recipe.choices.seeds[0]).to(here.device)
    explainer_for(recipe.masktune, net)(splits.train.__getitems__([0, 1]).images.to(here.device))


def _job(
    recipe: Recipe,
    folder: RunFolder,
    splits: Splits,
    seed: int,
    method: Method,
    here: Processes,
    progress: Progress,
) -> list[Row]:
    """The rows of one method with one seed: read where they exist, else made and written last."""
    place = folder.model_folder(splits.name, seed, method.name)
    done = place / "rows.json"
    if done.exists():
        return [Row.from_json(row) for row in read_object(done)["rows"]]
    named = _prefixed(progress, f"seed {seed}, {method.name}")
    task = Task(
        train=splits.train,
        validation=splits.validation,
        build=lambda: recipe.build(seed),
        training=recipe.training,
        seed=seed,
        folder=place.parent,
        here=here,
        progress=named,
    )
    fitted = method.fit(task)
    rows = [
        _row(recipe, splits, seed, method, fitted, split, number)
        for split, numbers in _measured(folder, splits, seed, method, fitted, here, named).items()
        for number in numbers
    ]
    save_weights(weights_of(fitted.classifier.net), place / "weights.safetensors")
    if fitted.masks is not None:
        examples_of(splits.train, fitted).save(place / Examples.file_name)
    write_json(done, {"rows": [row.to_json() for row in rows]})
    return rows


def _measured(
    folder: RunFolder,
    splits: Splits,
    seed: int,
    method: Method,
    fitted: Fitted,
    here: Processes,
    progress: Progress,
) -> dict[str, list[Measure]]:
    """All numbers by split; the test sets are read here, once, after the method has finished."""
    groups = splits.train.groups
    in_training = None if groups is None else dict(Counter(groups.tolist()))
    numbers: dict[str, list[Measure]] = {}
    for split, data in {VALIDATION: splits.validation, **splits.tests}.items():
        predictions = predict_all(
            fitted.classifier, data, here=here, what=f"predicting {split}", progress=progress
        )
        save_predictions(folder.predictions_path(splits.name, seed, method.name, split), predictions)
        numbers[split] = measure(predictions, train_groups=in_training)
    if fitted.masks is not None:
        hiding = measure_hidden(splits.train, fitted.masks, here=here, progress=progress)
        warn_if_many_empty(hiding.statistics)
        numbers["train"] = measure_hiding(hiding.image, hiding.shortcut)
    return numbers


def _row(
    recipe: Recipe, splits: Splits, seed: int, method: Method, fitted: Fitted, split: str, number: Measure
) -> Row:
    preset = recipe.choices.preset
    return Row(
        dataset=splits.name,
        variant=splits.variant,
        method=method.name,
        config=None if preset == "default" else preset,
        seed=seed,
        split=split,
        group=number.group,
        metric=number.metric,
        value=number.value,
        n=number.n,
        low=number.low,
        high=number.high,
        supervision=method.supervision,
        selection=fitted.selection,
        epochs=fitted.epochs,
        seconds=round(fitted.seconds, 1),
    )


def _prefixed(progress: Progress, prefix: str) -> Progress:
    def shown(step: Step) -> None:
        progress(Step(f"{prefix}: {step.what}", step.done, step.total, step.note))

    return shown

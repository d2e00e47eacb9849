"""Run a recipe: each seed and method once, each in its own folder, going on where an earlier run stopped."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
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
    with _open(recipe, out, first, argv, here) as folder:
        torch.set_num_threads(folder.threads)  # Bits depend on it; a run that goes on keeps its number.
        rows: list[Row] = []
        for seed in folder.settings["seeds"]:
            splits = first if seed == recipe.choices.seeds[0] else recipe.splits(seed)
            for name in folder.settings["methods"]:
                rows += _Job(recipe, folder, splits, seed, recipe.method(name), here, progress).rows()
        if here.first:
            folder.write_results(rows)
        here.wait()
        return folder.read_results()


def _check_layer(recipe: Recipe, splits: Splits, here: Processes) -> None:
    """Make maps of two images with the untrained net: a mistyped layer is not found out hours later."""
    net = recipe.build(recipe.choices.seeds[0]).to(here.device)
    explainer_for(recipe.masktune, net)(splits.train.__getitems__([0, 1]).images.to(here.device))


def _open(recipe: Recipe, out: Path, splits: Splits, argv: Sequence[str], here: Processes) -> RunFolder:
    """The first process opens the folder and holds its lock; the others take over what it found."""
    folder = None
    if here.first:
        folder = RunFolder.open(
            out,
            command=recipe.command,
            argv=argv,
            settings=recipe.settings(),
            data=[DataRecord(splits.name, splits.variant, splits.sha256)],
            threads=recipe.threads or torch.get_num_threads(),
            device=here.device.type,
        )
    record = here.of_first(None if folder is None else folder.record)
    return folder or RunFolder(out, record, None)


@dataclass(frozen=True, slots=True)
class _Job:
    """One method with one seed."""

    recipe: Recipe
    folder: RunFolder
    splits: Splits
    seed: int
    method: Method
    here: Processes
    progress: Progress

    @property
    def place(self) -> Path:
        """The folder of its model."""
        return self.folder.model_folder(self.splits.name, self.seed, self.method.name)

    def rows(self) -> list[Row]:
        """Its numbers: read where they exist, else made; then they are written last."""
        done = self.place / "rows.json"
        if done.exists():
            return [Row.from_json(row) for row in read_object(done)["rows"]]
        fitted = self.method.fit(self._task())
        measured = self._predicted(fitted) | self._hidden(fitted)
        rows = [self._row(fitted, split, number) for split, numbers in measured.items() for number in numbers]
        if self.here.first:
            save_weights(weights_of(fitted.classifier.net), self.place / "weights.safetensors")
            if fitted.masks is not None:
                examples_of(self.splits.train, fitted).save(self.place / Examples.file_name)
            write_json(done, {"rows": [row.to_json() for row in rows]})
        self.here.wait()
        return rows

    def _task(self) -> Task:
        return Task(
            train=self.splits.train,
            validation=self.splits.validation,
            build=partial(self.recipe.build, self.seed),
            training=self.recipe.training,
            seed=self.seed,
            folder=self.place.parent,
            here=self.here,
            progress=self._show,
        )

    def _predicted(self, fitted: Fitted) -> dict[str, list[Measure]]:
        """Numbers by split; the test sets are read here, once, after the method has finished."""
        groups = self.splits.train.groups
        in_training = None if groups is None else dict(Counter(groups.tolist()))
        numbers = {}
        for split, data in {VALIDATION: self.splits.validation, **self.splits.tests}.items():
            what = f"predicting {split}"
            found = predict_all(fitted.classifier, data, here=self.here, what=what, progress=self._show)
            if self.here.first:
                at = self.folder.predictions_path(self.splits.name, self.seed, self.method.name, split)
                save_predictions(at, found)
            numbers[split] = measure(found, train_groups=in_training)
        return numbers

    def _hidden(self, fitted: Fitted) -> dict[str, list[Measure]]:
        """How much was hidden in the training images."""
        if fitted.masks is None:
            return {}
        hiding = measure_hidden(self.splits.train, fitted.masks, here=self.here, progress=self._show)
        warn_if_many_empty(hiding.statistics)
        return {"train": measure_hiding(hiding.image, hiding.shortcut)}

    def _row(self, fitted: Fitted, split: str, number: Measure) -> Row:
        preset = self.recipe.choices.preset
        return Row(
            dataset=self.splits.name,
            variant=self.splits.variant,
            method=self.method.name,
            config=None if preset == "default" else preset,
            seed=self.seed,
            split=split,
            group=number.group,
            metric=number.metric,
            value=number.value,
            n=number.n,
            low=number.low,
            high=number.high,
            supervision=self.method.supervision,
            selection=fitted.selection,
            epochs=fitted.epochs,
            seconds=round(fitted.seconds, 1),
        )

    def _show(self, step: Step) -> None:
        what = f"seed {self.seed}, {self.method.name}: {step.what}"
        self.progress(replace(step, what=what))

"""Run a recipe: each seed and method once, each in its own folder, going on where an earlier run stopped."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from masktune.bench.examples import examples_of
from masktune.bench.recipe import METHODS, Recipe
from masktune.data import Splits
from masktune.errors import DataDamaged, InputError
from masktune.evaluation import Measure, measure, measure_attributes, measure_hiding, measure_objects
from masktune.methods import Fitted, Method, Task
from masktune.methods.masks import measure_hidden
from masktune.methods.masktune import explainer_for
from masktune.models.weights import save_weights, weights_of
from masktune.runs import DataRecord, Examples, Results, Row, RunFolder, save_predictions
from masktune.runs.jsons import read_object, write_json
from masktune.runs.versions import versions
from masktune.training.devices import ALONE, Processes, cpu_threads
from masktune.training.execution import Execution
from masktune.training.run_folder import open_for_all
from masktune.training.together import predict_all
from masktune.types import Progress, Step, silent

VALIDATION = "validation"


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
    check_labels(recipe, first)
    recipe = resolved(recipe, first, here)
    # Bits depend on the number of threads; a run that goes on keeps its own.
    with _open(recipe, out, first, argv, here) as folder, cpu_threads(folder.threads):
        rows: list[Row] = []
        for seed in folder.settings["seeds"]:
            splits = first if seed == recipe.choices.seeds[0] else recipe.splits(seed)
            for name in folder.settings["methods"]:
                rows += _Job(recipe, folder, splits, seed, recipe.method(name), here, progress).rows()
        results = Results(recipe.command, versions(), folder.record.data, rows)
        here.first_does(lambda: _finish(folder, results, finish))
        return results


def check_labels(recipe: Recipe, splits: Splits) -> None:
    """Say before anything is trained which method wants group labels that the data do not have.

    Raises:
        InputError: one does.
    """
    for name in recipe.choices.methods:
        wanted = {"train_groups": splits.train, "validation_groups": splits.validation}
        data = wanted.get(recipe.method(name).supervision)
        if data is not None and data.groups is None:
            part = "training" if data is splits.train else "validation"
            free = ", ".join(one for one in METHODS if recipe.method(one).supervision == "none")
            raise InputError(
                f"{name} reads group labels of the {part} images, and {splits.name} has none; leave it out: "
                f"those that read none are {free}"
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
    )


def _finish(folder: RunFolder, results: Results, finish: Finish | None) -> None:
    if finish is not None:
        finish(results)
    folder.write_results(results.rows)


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
            return _read_rows(done)
        fitted = self.method.fit(self._task().supervised_by(self.method.supervision))
        measured = self._predicted(fitted) | self._hidden(fitted)
        rows = [self._row(fitted, split, number) for split, numbers in measured.items() for number in numbers]
        self.here.first_does(lambda: self._write(fitted, rows))
        return rows

    def _write(self, fitted: Fitted, rows: list[Row]) -> None:
        """The rows last: they say that the job is done."""
        save_weights(weights_of(fitted.classifier.net), self.place / "weights.safetensors")
        if fitted.masks is not None:
            examples_of(self.splits.train, fitted).save(self.place / Examples.file_name)
        write_json(self.place / "rows.json", {"rows": [row.to_json() for row in rows]})

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
        numbers, said = {}, {}
        for split, data in {VALIDATION: self.splits.validation, **self.splits.tests}.items():
            what = f"predicting {split}"
            found = predict_all(fitted.classifier, data, here=self.here, what=what, progress=self._show)
            at = self.folder.predictions_path(self.splits.name, self.seed, self.method.name, split)
            self.here.first_does(partial(save_predictions, at, found))
            said[split] = found
            numbers[split] = measure(found, train_groups=in_training)
            if self.recipe.attributes and found.groups is not None:
                numbers[split] += measure_attributes(found, self.recipe.attributes)
        for split, more in (self.recipe.across(said) if self.recipe.across else {}).items():
            numbers[split] += more
        return numbers

    def _hidden(self, fitted: Fitted) -> dict[str, list[Measure]]:
        """How much was hidden in the training images."""
        if fitted.masks is None:
            return {}
        hiding = measure_hidden(self.splits.train, fitted.masks, here=self.here, progress=self._show)
        measures = measure_hiding(hiding.image, hiding.shortcut)
        if hiding.object is not None and hiding.on_object is not None:
            measures += measure_objects(hiding.object, hiding.on_object, self.splits.train.groups)
        return {"train": measures}

    def _row(self, fitted: Fitted, split: str, number: Measure) -> Row:
        return Row.of(
            number,
            dataset=self.splits.name,
            variant=self.splits.variant,
            method=self.method.name,
            config=self.recipe.choices.config,
            seed=self.seed,
            split=split,
            supervision=self.method.supervision,
            selection=fitted.selection,
            epochs=fitted.epochs,
            seconds=round(fitted.seconds, 1),
        )

    def _show(self, step: Step) -> None:
        what = f"seed {self.seed}, {self.method.name}: {step.what}"
        self.progress(replace(step, what=what))


def _read_rows(path: Path) -> list[Row]:
    try:
        return [Row.from_json(row) for row in read_object(path)["rows"]]
    except (KeyError, TypeError, InputError) as error:
        raise DataDamaged(f"{path} is damaged ({error}); delete it, and the job runs again") from error

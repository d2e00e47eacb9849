"""One method with one seed: fitted, asked about the test images once, and kept in a folder of its own."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from masktune.bench.examples import examples_of
from masktune.bench.recipe import Recipe
from masktune.data import Splits
from masktune.data.names import CALIBRATION
from masktune.errors import DataDamaged, InputError
from masktune.evaluation import Measure, measure, measure_attributes, measure_hiding, measure_objects
from masktune.methods import Fitted, Method, Task
from masktune.methods.masks import measure_hidden
from masktune.models.weights import save_weights, weights_of
from masktune.runs import Examples, Row, RunFolder, save_predictions
from masktune.runs.jsons import read_object, write_json
from masktune.training.devices import ALONE, Processes
from masktune.training.together import predict_all
from masktune.types import Progress, Selection, Step, silent

VALIDATION = "validation"


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished model left behind."""

    rows: list[Row]
    """Its numbers."""
    samples: int | None = None
    """Images that weights were fitted to, stage 1 included; None where the method does not count them."""
    took: float = 0.0
    """Seconds of this job alone, predictions included; what it took over from others is not in it."""
    fitted_with: str = "none"
    """Group labels that weights were fitted by."""
    selected_with: str = "none"
    """Group labels that the rules read which select an epoch or a setting."""

    @classmethod
    def read(cls, path: Path) -> "Done":
        """What `rows.json` says.

        Raises:
            DataDamaged: it is damaged.
        """
        content = read_object(path)
        try:
            rows = [Row.from_json(row) for row in content["rows"]]
            known = ("samples", "took", "fitted_with", "selected_with")
            return cls(rows, **{name: content[name] for name in known})
        except (KeyError, TypeError, InputError) as error:
            raise DataDamaged(f"{path} is damaged ({error}); delete it, and the job runs again") from error

    def write(self, path: Path) -> None:
        """Write `rows.json`; do it last, for it says that the job is done."""
        head = {"samples": self.samples, "took": round(self.took, 3)}
        labels = {"fitted_with": self.fitted_with, "selected_with": self.selected_with}
        write_json(path, head | labels | {"rows": [row.to_json() for row in self.rows]})


@dataclass(frozen=True, slots=True)
class ModelRun:
    """A method, a seed, and where both belong."""

    recipe: Recipe
    folder: RunFolder
    splits: Splits
    seed: int
    method: Method
    here: Processes = ALONE
    progress: Progress = silent
    budget: int | None = None
    """Images that a training from the start weights may read."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What of the rows differs: config, say."""
    at: Path | None = None
    """Its folder, where that is not the method's: of a setting that is only tried."""
    selected_by: Selection | None = None
    """The rule by which its setting was chosen among several."""

    @property
    def place(self) -> Path:
        """The folder of its model."""
        if self.at is not None:
            return self.at
        return self.folder.model_folder(self.splits.name, self.seed, self.method.name)

    @property
    def _of_seed(self) -> Path:
        """Where stage 1 lies, for all methods of the seed."""
        return self.folder.model_folder(self.splits.name, self.seed, self.method.name).parent

    @property
    def finished_at(self) -> Path:
        """The file that says that it is done."""
        return self.place / "rows.json"

    def done(self) -> Done:
        """Its numbers: read where they exist, else made; then they are written last."""
        if self.finished_at.exists():
            return Done.read(self.finished_at)
        start = time.perf_counter()
        fitted = self.method.fit(self._task().supervised_by(self.method.supervision))
        return self.judged(fitted, start)

    def judged(self, fitted: Fitted, start: float) -> Done:
        """The numbers of a fitted classifier; the test sets are read here, once."""
        measured = self._predicted(fitted) | self._hidden(fitted)
        rows = [self._row(fitted, split, number) for split, numbers in measured.items() for number in numbers]
        rules = (fitted.selection, self.selected_by)
        done = Done(
            rows,
            fitted.samples,
            time.perf_counter() - start,
            fitted_with=labels_fitted_with(self.method),
            selected_with="validation_groups" if "worst_group" in rules else "none",
        )
        self.here.first_does(lambda: self._write(fitted, done))
        return done

    def _write(self, fitted: Fitted, done: Done) -> None:
        """The rows last: they say that the job is done."""
        save_weights(weights_of(fitted.classifier.net), self.place / "weights.safetensors")
        if fitted.masks is not None:
            examples_of(self.splits.train, fitted).save(self.place / Examples.file_name)
        done.write(self.finished_at)

    def _task(self) -> Task:
        return Task(
            train=self.splits.train,
            validation=self.splits.validation,
            build=partial(self.recipe.build, self.seed),
            training=self.recipe.training,
            seed=self.seed,
            folder=self.place if self.at is not None else self.place.parent,
            shared=None if self.at is None else self._of_seed,
            budget=self.budget,
            here=self.here,
            progress=self._show,
        )

    def _predicted(self, fitted: Fitted) -> dict[str, list[Measure]]:
        """Numbers by split."""
        groups = self.splits.train.groups
        in_training = None if groups is None else dict(Counter(groups.tolist()))
        numbers, said = {}, {}
        for split, data in {VALIDATION: self.splits.validation, **self.splits.tests}.items():
            what = f"predicting {split}"
            found = predict_all(fitted.classifier, data, here=self.here, what=what, progress=self._show)
            at = self.place / "predictions" / f"{split}.npz"
            self.here.first_does(partial(save_predictions, at, found))
            said[split] = found
            if split == CALIBRATION:  # It sets thresholds by its predictions; it is no result.
                continue
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
        about: dict[str, Any] = {
            "config": self.recipe.choices.config,
            "supervision": self.method.supervision,
            **self.about,
        }
        return Row.of(
            number,
            dataset=self.splits.name,
            variant=self.splits.variant,
            method=self.method.name,
            seed=self.seed,
            split=split,
            selection=fitted.selection,
            epochs=fitted.epochs,
            seconds=round(fitted.seconds, 1),
            **about,
        )

    def _show(self, step: Step) -> None:
        what = f"seed {self.seed}, {self.method.name}: {step.what}"
        self.progress(replace(step, what=what))


def labels_fitted_with(method: Method) -> str:
    """Group labels that weights are fitted by; the others are read by the rule that selects."""
    given = "train_groups" if method.supervision == "train_groups" else "none"
    return str(getattr(method, "fitted_with", given))

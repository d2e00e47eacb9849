"""Methods that were run elsewhere, from their predictions: the same tests, a row of the same table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from masktune.bench.bench import Bench
from masktune.bench.model_run import VALIDATION, Done
from masktune.bench.recipe import METHODS, net_of
from masktune.data.base import Dataset
from masktune.errors import DataNotFound, InputError
from masktune.evaluation import Predictions, match, measure
from masktune.runs import Row, RunFolder, load_predictions, save_predictions
from masktune.runs.jsons import read_object
from masktune.types import ChosenBy, Supervision

DECLARED = "method.json"
"""In the folder: supervision and selection, and what else is known."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Predictions of a method that we did not run."""

    name: str
    folder: Path
    declared: Mapping[str, Any]

    @classmethod
    def typed(cls, word: str) -> "Imported":
        """What `--import NAME=DIR` means.

        Raises:
            InputError: no name, one of ours, or supervision and selection are not declared.
            DataNotFound: no such folder, or no method.json in it.
        """
        name, given, place = word.partition("=")
        if not (given and name and place):
            raise InputError(f"expected --import NAME=FOLDER, got {word!r}")
        if name in METHODS:
            raise InputError(
                f"expected a name that is none of ours for what was run elsewhere, got {name!r}; "
                f"{name}_elsewhere, say"
            )
        path = Path(place) / DECLARED
        if not path.exists():
            raise DataNotFound(
                f"there is no {path}, which declares the method: "
                '{"supervision": "none", "selection": "validation_accuracy"}'
            )
        declared = read_object(path)
        for key, kind in (("supervision", Supervision), ("selection", ChosenBy)):
            known = _choices(kind)
            if declared.get(key) not in known:
                raise InputError(
                    f"expected {key} in {path} as one of {', '.join(known)}, got {declared.get(key)!r}"
                )
        return cls(name, Path(place), declared)

    def check(self, bench: Bench) -> None:
        """Before anything is trained: is there a file for each seed, and is it about our images?

        Raises:
            DataNotFound: no predictions for a data set and seed.
            InputError: they are of other images, or of other labels.
        """
        for dataset, recipe in bench.recipes.items():
            net = self.declared.get("net", net_of(recipe))
            if net != net_of(recipe):
                raise InputError(
                    f"expected predictions of {net_of(recipe)}, the net of this bench, got those of {net}: "
                    f"rows of different nets are in no table together; give {self.name} a bench of {net}"
                )
            for seed in bench.plan.seeds:
                found = self._said(bench, dataset, seed)
                main = bench.recipes[dataset].shown.main.split
                if main not in found:
                    raise DataNotFound(
                        f"there is no {self._file(bench, dataset, seed, main)}, the predictions of "
                        f"{self.name} on {main} of {dataset}, seed {seed}"
                    )

    def rows(self, bench: Bench, folder: RunFolder) -> Mapping[tuple[str, int], Done]:
        """Its numbers by data set and seed; its predictions are copied into the run folder."""
        done = {}
        for dataset in bench.recipes:
            for seed in bench.plan.seeds:
                rows = []
                splits = bench.splits_of(dataset, seed)
                groups = splits.train.groups
                in_training = None if groups is None else dict(Counter(groups.tolist()))
                for split, said in self._said(bench, dataset, seed).items():
                    save_predictions(folder.predictions_path(dataset, seed, self.name, split), said)
                    about = {"dataset": dataset, "variant": splits.variant, "seed": seed, "split": split}
                    numbers = measure(said, train_groups=in_training)
                    rows += [self._row(number, about) for number in numbers]
                known = {
                    key: self.declared[key] for key in ("samples", "fitted_with") if key in self.declared
                }
                by_group = self.declared["selection"] == "worst_group"
                one = Done(rows, **known, selected_with="validation_groups" if by_group else "none")
                one.write(folder.model_folder(dataset, seed, self.name) / "rows.json")
                done[dataset, seed] = one
        return done

    def _row(self, number: Any, about: Mapping[str, Any]) -> Row:
        known = {key: self.declared[key] for key in ("epochs", "seconds") if key in self.declared}
        return Row.of(
            number,
            method=self.name,
            config="imported",
            supervision=self.declared["supervision"],
            selection=self.declared["selection"],
            **about,
            **known,
        )

    def _said(self, bench: Bench, dataset: str, seed: int) -> dict[str, Predictions]:
        """What there is by split, in our order and with our groups."""
        splits = bench.splits_of(dataset, seed)
        found = {}
        for split, data in {VALIDATION: splits.validation, **splits.tests}.items():
            path = self._file(bench, dataset, seed, split)
            if path.exists():
                found[split] = _as_ours(load_predictions(path), data, path)
        return found

    def _file(self, bench: Bench, dataset: str, seed: int, split: str) -> Path:
        """DIR/DATASET/seed-S/SPLIT.npz; what there is only one of may be left out."""
        name = f"{split}.npz"
        places = [self.folder / dataset / f"seed-{seed}" / name]
        if len(bench.recipes) == 1:
            places.append(self.folder / f"seed-{seed}" / name)
            if len(bench.plan.seeds) == 1:
                places.append(self.folder / name)
        return next((place for place in places if place.exists()), places[0])


def _as_ours(said: Predictions, data: Dataset, path: Path) -> Predictions:
    classes = len(data.classes)
    if said.logits.shape[1] != classes:
        raise InputError(f"expected logits of {classes} classes in {path}, got {said.logits.shape[1]}")
    ours = Predictions(
        logits=np.zeros((len(data), classes), dtype=np.float32),
        labels=data.labels,
        ids=data.ids,
        groups=data.groups,
        subjects=data.subjects,
    )
    try:
        matched = match(ours, said)
    except InputError as error:
        raise InputError(f"{path} is not about these images: {error}") from error
    return replace(ours, logits=matched.logits, classes=data.classes)


def _choices(kind: Any) -> list[str]:
    """The words of a Literal, or of a union of some."""
    words: list[str] = []
    for one in get_args(kind):
        words += [one] if isinstance(one, str) else _choices(one)
    return words

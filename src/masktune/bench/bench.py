"""A bench: a plan that has met its data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from masktune.bench.job import Job, jobs_of, place_in
from masktune.bench.model_run import ModelRun
from masktune.bench.named import method_named, with_settings
from masktune.bench.plan import Plan
from masktune.bench.recipe import STARTS_FRESH, Recipe
from masktune.bench.run import check_labels, resolved
from masktune.bench.search import ChosenRun, in_words
from masktune.bench.sources import recipe_of
from masktune.data import Splits
from masktune.errors import InputError, near
from masktune.methods import Method
from masktune.methods.ranges import settings_to_try
from masktune.runs import DataRecord, RunFolder
from masktune.training.devices import ALONE, Processes
from masktune.training.execution import Precision
from masktune.types import Progress, silent


@dataclass(slots=True, eq=False)
class Bench:
    """A plan that has met its data on this machine."""

    plan: Plan
    recipes: dict[str, Recipe]
    """By data set."""
    methods: dict[str, dict[str, Method]]
    """By data set, then as typed."""
    jobs: tuple[Job, ...]
    """Each after those that it needs."""
    data: list[DataRecord]
    here: Processes = ALONE
    _splits: dict[tuple[str, int], Splits] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, here: Processes = ALONE, begun: Mapping[str, Any] | None = None) -> "Bench":
        """Open the data, find the layers, and say what cannot work before anything is trained.

        `begun` are the settings of the same bench where it began, maybe on another machine: what the plan
        leaves open (threads, number type, layer) is then as it was there, so that the jobs are the same.

        Raises:
            DataNotFound, DataDamaged, InputError, MissingExtra: data, weights, a method or a setting cannot
                be used.
        """
        recipes: dict[str, Recipe] = {}
        methods: dict[str, dict[str, Method]] = {}
        data: list[DataRecord] = []
        splits: dict[tuple[str, int], Splits] = {}
        for source in plan.sources:
            recipe = recipe_of(source, plan.common, plan.seeds)
            first = recipe.splits(plan.seeds[0])
            if first.name in recipes:
                raise InputError(
                    f"expected data sets of different names, got {first.name} twice; give one of yours "
                    "another file name; another variant of the same is another bench"
                )
            _check(plan, first, _methods_of(plan, recipe))
            recipe = _settled(recipe, first, here, begun or {})
            recipes[first.name] = replace(recipe, threads=plan.threads or recipe.threads)
            methods[first.name] = _methods_of(plan, recipe)
            data.append(DataRecord(first.name, first.variant, first.sha256))
            splits[first.name, plan.seeds[0]] = first
        bench = cls(plan, recipes, methods, (), data, here, splits)
        bench.jobs = tuple(bench._jobs())
        return bench

    @property
    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, for the record of the run."""
        chosen: dict[str, Any] = {
            "datasets": list(self.recipes),
            "seeds": list(self.plan.seeds),
            "methods": list(self.plan.typed_methods),
            "budget": self.plan.budget,
        }
        if self.plan.search:
            chosen |= {"search": self.plan.search, "search_by": self.plan.search_by}
        for name, recipe in self.recipes.items():
            own = {key: value for key, value in recipe.settings().items() if key not in ("seeds", "methods")}
            chosen |= {f"{name}: {key}": value for key, value in (own | {"threads": recipe.threads}).items()}
        return chosen

    def splits_of(self, dataset: str, seed: int) -> Splits:
        """The data of a seed; read once."""
        if (dataset, seed) not in self._splits:
            self._splits[dataset, seed] = self.recipes[dataset].splits(seed)
        return self._splits[dataset, seed]

    def job(self, name: str) -> Job:
        """The job of that name.

        Raises:
            InputError: there is none; near names are listed.
        """
        for job in self.jobs:
            if job.name == name:
                return job
        known = [job.name for job in self.jobs]
        raise InputError(
            f"this bench has no job {name!r}{near(name, known)}; `--list-jobs` with the same options names "
            f"all {len(known)}"
        )

    def count_done(self, out: Path) -> int:
        """Jobs that are finished in a folder, which need not be open."""
        return sum((place_in(out, job) / "rows.json").exists() for job in self.jobs)

    def run_of(self, job: Job, folder: RunFolder, progress: Progress = silent) -> ModelRun | ChosenRun:
        """The job as something that can be run in a folder."""
        splits = self.splits_of(job.dataset, job.seed)
        run = ModelRun(
            self.recipes[job.dataset],
            folder,
            splits,
            job.seed,
            self.methods[job.dataset][job.typed],
            self.here,
            progress,
            budget=self._images_allowed(job.dataset, splits),
            about={"config": self._config(job.dataset)},
        )
        if job.trial is not None:
            return self._trial_of(run, job)
        tried = self.tried(job.dataset, job.typed)
        if not tried:
            return run
        places = [place_in(folder.path, replace(job, trial=at)) for at in range(len(tried))]
        fresh = job.method in STARTS_FRESH
        stage1 = None if fresh else RunFolder.model_path(folder.path, job.dataset, job.seed, "erm")
        return ChosenRun(run, places, tried, self.plan.search_by, stage1)

    def _trial_of(self, run: ModelRun, job: Job) -> ModelRun:
        """A setting that is tried: in a folder of its own, and never asked about test images."""
        assert job.trial is not None
        settings = self.tried(job.dataset, job.typed)[job.trial]
        return replace(
            run,
            recipe=replace(run.recipe, across=None),
            splits=replace(run.splits, tests={}),
            method=with_settings(run.method, settings),
            at=place_in(run.folder.path, job),
            about={"config": f"try {job.trial}: {in_words(settings)}"},
        )

    def tried(self, dataset: str, typed: str) -> list[dict[str, Any]]:
        """The settings that a search tries of a method; none where it declares no ranges."""
        method = self.methods[dataset][typed]
        ranges = getattr(method, "ranges", {})
        if not self.plan.search or not ranges:
            return []
        return settings_to_try(method.name, ranges, self.plan.search, seed=0)

    def _images_allowed(self, dataset: str, splits: Splits) -> int | None:
        """What MaskTune reads: the epochs of ERM, and those of tuning."""
        if self.plan.budget == "paper":
            return None
        recipe = self.recipes[dataset]
        epochs = recipe.training.epochs + recipe.masktune.rounds * recipe.masktune.epochs
        return epochs * len(splits.train)

    def _config(self, dataset: str) -> str | None:
        common, parts = self.plan.common, []
        if common.epochs is not None:
            parts.append(f"epochs={common.epochs}")
        if self.plan.budget != "paper":
            parts.append(f"budget={self.plan.budget}")
        own = self.recipes[dataset].choices.config
        return ", ".join([*([] if own is None else [own]), *parts]) or None

    def _jobs(self) -> list[Job]:
        jobs: list[Job] = []
        for dataset, recipe in self.recipes.items():
            methods = self.methods[dataset]
            tried = {typed: self.tried(dataset, typed) for typed in methods}
            assert recipe.threads is not None
            settings = self._settings_of(dataset)
            jobs += jobs_of(dataset, self.plan.seeds, methods, tried, recipe.threads, settings)
        return jobs

    def _settings_of(self, dataset: str) -> dict[str, Any]:
        recipe = self.recipes[dataset]
        record = next(one for one in self.data if one.name == dataset)
        kept = {key: value for key, value in recipe.settings().items() if key not in ("seeds", "methods")}
        search = {"search": self.plan.search, "search_by": self.plan.search_by} if self.plan.search else {}
        data = {"variant": record.variant, "data": record.sha256}
        return kept | search | data | {"budget": self.plan.budget}


def _methods_of(plan: Plan, recipe: Recipe) -> dict[str, Method]:
    return {typed: method_named(typed, recipe.masktune) for typed in plan.typed_methods}


def _check(plan: Plan, splits: Splits, methods: Mapping[str, Method]) -> None:
    """Say before anything is trained what cannot work with these data."""
    check_labels(splits, methods)
    names = [method.name for method in methods.values()]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"expected methods of different names, got {name!r} twice")
    if plan.search and plan.search_by == "worst_group" and splits.validation.groups is None:
        raise InputError(
            f"expected group labels of the validation images of {splits.name} to choose settings by "
            "worst_group, got none; --search-by worst_class needs none"
        )


def _settled(recipe: Recipe, splits: Splits, here: Processes, begun: Mapping[str, Any]) -> Recipe:
    """The recipe with what it leaves open: as it was found where the bench began, else as it is here."""
    at = f"{splits.name}: "
    if f"{at}threads" not in begun:
        recipe = resolved(recipe, splits, here)
        return replace(recipe, threads=recipe.threads or torch.get_num_threads())
    precision: Precision = begun[f"{at}training.precision"]
    training, masktune = recipe.training, recipe.masktune
    return replace(
        recipe,
        training=replace(training, precision=precision) if training.precision == "auto" else training,
        masktune=replace(masktune, layer=masktune.layer or begun[f"{at}masktune.layer"]),
        threads=begun[f"{at}threads"],
    )

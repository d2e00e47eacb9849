"""A bench: data sets, methods and seeds as jobs, each plain data with a name made from its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from masktune.bench.model_run import ModelRun
from masktune.bench.named import check_methods, in_order, is_own, method_named, with_settings
from masktune.bench.recipe import FIVE_ARMS, METHODS, STARTS_FRESH, Recipe
from masktune.bench.run import check_labels, resolved
from masktune.bench.search import ChosenRun, check_rule, in_words
from masktune.bench.sources import Common, Source, recipe_of
from masktune.data import Splits
from masktune.errors import InputError, near
from masktune.methods import Method
from masktune.methods.ranges import settings_to_try
from masktune.models import user_code
from masktune.runs import DataRecord, RunFolder
from masktune.runs.jsons import plain
from masktune.training.devices import ALONE, Processes
from masktune.training.execution import Precision
from masktune.types import Progress, Selection, silent

Budget = Literal["paper", "equal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be compared, as plain data: every process of a bench makes the same jobs of it."""

    sources: tuple[Source, ...]
    methods: tuple[str, ...] = tuple(FIVE_ARMS)
    """Names of ours, or file.py:Class; ERM is always among them, for the others start from it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run of each method on each data set for each."""
    budget: Budget = "paper"
    """Each method as its authors train it, or all with as many images as MaskTune reads."""
    search: int = 0
    """Settings that are tried of each method that declares ranges, its own among them; 0 tries none."""
    search_by: Selection = "worst_class"
    """The rule by which validation chooses among them."""
    threads: int | None = None
    """Of the CPU, for a job; None is the data set's own number, else torch's."""
    common: Common = Common()  # noqa: RUF009 - it is frozen.
    """What holds for all data sets."""

    def __post_init__(self) -> None:
        check_methods(self.methods)
        if not self.sources:
            raise InputError("expected at least one data set, got none")
        if not self.seeds or not all(0 <= seed < 2**63 for seed in self.seeds):
            raise InputError(f"expected one seed or more, from 0 to 2**63 - 1, got {self.seeds}")
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"expected each seed once, got {self.seeds}")
        if self.search < 0 or self.search == 1:
            raise InputError(f"expected to try 2 settings or more, or 0 for no search, got {self.search}")
        check_rule(self.search_by)
        if self.threads is not None and self.threads < 1:
            raise InputError(f"expected at least 1 thread a job, got {self.threads}")

    def grown(self, begun: Mapping[str, Any]) -> "Plan":
        """The plan with the seeds and methods that the same bench began with, first."""
        seeds = [*begun.get("seeds", ()), *self.seeds]
        methods = [*begun.get("methods", ()), *self.methods]
        return replace(self, seeds=tuple(dict.fromkeys(seeds)), methods=tuple(dict.fromkeys(methods)))

    @property
    def typed_methods(self) -> tuple[str, ...]:
        """The methods with ERM, which the others are held against and many start from."""
        return self.methods if "erm" in self.methods else ("erm", *self.methods)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Job:
    """One method on one data set with one seed."""

    name: str
    """Made from all below but `needs`: a job of another name has other numbers."""

    dataset: str
    """Its name in results."""
    seed: int
    method: str
    """Its name in results."""
    typed: str
    """The same as it was typed: a name, or file.py:Class."""
    threads: int
    """Of the CPU; the same bits come out wherever it runs with as many."""
    settings: Mapping[str, Any]
    """All else that its numbers depend on."""
    trial: int | None = None
    """Which setting of a search it tries; None for a row of the table."""
    needs: tuple[str, ...] = ()
    """Names of the jobs that must be finished first: it goes on from what they left."""
    any_of: bool = False
    """Whether one of those is enough: of what a search tries some may fail."""

    @classmethod
    def of(cls, needs: tuple[str, ...], *, any_of: bool = False, **content: Any) -> "Job":
        """The job of this content, with its name."""
        digest = hashlib.sha256(json.dumps(plain(content), sort_keys=True).encode()).hexdigest()
        trial = "" if content.get("trial") is None else f"-try{content['trial']}"
        name = f"{content['dataset']}-seed{content['seed']}-{content['method']}{trial}-{digest[:10]}"
        return cls(name=name, needs=needs, any_of=any_of, **content)

    def __str__(self) -> str:
        trial = "" if self.trial is None else f", try {self.trial}"
        return f"{self.dataset}, seed {self.seed}, {self.method}{trial}"


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
                    f"expected each data set once, got {first.name} twice; another variant of it is another "
                    "bench, in another folder"
                )
            own = {typed: method_named(typed, recipe.masktune) for typed in plan.typed_methods}
            _check_names(own)
            check_labels(first, own)
            if plan.search and plan.search_by == "worst_group" and first.validation.groups is None:
                raise InputError(
                    f"expected group labels of the validation images of {first.name} to choose settings by "
                    "worst_group, got none; --search-by worst_class needs none"
                )
            begun = begun or {}
            known = f"{first.name}: threads" in begun
            recipe = _as_begun(recipe, first.name, begun) if known else resolved(recipe, first, here)
            own = {typed: method_named(typed, recipe.masktune) for typed in plan.typed_methods}
            threads = begun.get(f"{first.name}: threads")
            recipes[first.name] = replace(
                recipe, threads=plan.threads or threads or recipe.threads or torch.get_num_threads()
            )
            methods[first.name] = own
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
        return ChosenRun(run, places, tried, self.plan.search_by)

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
            settings = self._settings_of(dataset)
            assert recipe.threads is not None
            for seed in self.plan.seeds:
                made: dict[str, Job] = {}
                for typed in sorted(self.methods[dataset], key=_rank):
                    method = self.methods[dataset][typed]
                    needs = tuple(made[name].name for name in _needs(method.name, made))
                    content: dict[str, Any] = {
                        "dataset": dataset,
                        "seed": seed,
                        "method": method.name,
                        "typed": typed,
                        "threads": recipe.threads,
                    }
                    about = {**settings, "method": _described(method), "code": _code_of(typed)}
                    tries = [
                        Job.of(needs, **content, trial=at, settings=about | {"tried": in_words(tried)})
                        for at, tried in enumerate(self.tried(dataset, typed))
                    ]
                    jobs += tries
                    if tries:
                        needs = tuple(job.name for job in tries)
                        about |= {"search": self.plan.search, "search_by": self.plan.search_by}
                    one = Job.of(needs, **content, settings=about, any_of=bool(tries))
                    made[method.name] = one
                    jobs.append(one)
        return jobs

    def _settings_of(self, dataset: str) -> dict[str, Any]:
        recipe = self.recipes[dataset]
        record = next(one for one in self.data if one.name == dataset)
        kept = {key: value for key, value in recipe.settings().items() if key not in ("seeds", "methods")}
        return kept | {"budget": self.plan.budget, "variant": record.variant, "data": record.sha256}


def _as_begun(recipe: Recipe, dataset: str, begun: Mapping[str, Any]) -> Recipe:
    """The recipe with what it leaves open as it was found where the bench began."""
    precision: Precision = begun[f"{dataset}: training.precision"]
    layer = begun[f"{dataset}: masktune.layer"]
    training, masktune = recipe.training, recipe.masktune
    if training.precision == "auto":
        training = replace(training, precision=precision)
    if masktune.layer is None:
        masktune = replace(masktune, layer=layer)
    return replace(recipe, training=training, masktune=masktune)


def place_in(out: Path, job: Job) -> Path:
    """The folder of a job's model within that of a bench."""
    place = RunFolder.model_path(out, job.dataset, job.seed, job.method)
    return place if job.trial is None else place / "trials" / f"{job.trial:02d}"


def _needs(method: str, made: Mapping[str, Job]) -> Sequence[str]:
    """What a method goes on from: stage 1, and for the controls the maps that MaskTune made."""
    if method == "erm" or method in STARTS_FRESH:
        return ()
    if method in ("random_mask", "least_salient_mask"):
        return [name for name in ("masktune", "random_mask", "erm") if name in made and name != method][:1]
    return ("erm",)


def _rank(typed: str) -> tuple[int, int]:
    """ERM first, then MaskTune, whose maps its controls use, then the others in the order of tables."""
    first = {"erm": 0, "masktune": 1}.get(typed, 2)
    names = in_order(list(METHODS))
    return first, names.index(typed) if typed in names else len(names)


def _described(method: Method) -> str:
    """Its settings; of an object without fields its class, for its text would name a place in memory."""
    return repr(method) if is_dataclass(method) else type(method).__qualname__


def _code_of(typed: str) -> str | None:
    return user_code.sha256_of(typed) if is_own(typed) else None


def _check_names(methods: Mapping[str, Method]) -> None:
    names = [method.name for method in methods.values()]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"expected methods of different names, got {name!r} twice")

"""`bench`: methods against each other, on data sets of the paper or one's own, on one machine or many."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from masktune.bench import (
    Bench,
    Budget,
    Common,
    Imported,
    OnRay,
    OwnTraining,
    Plan,
    Source,
    Standings,
    estimate_bench,
    in_process,
    open_bench,
    run_bench,
    run_one,
)
from masktune.bench.jobs import Engine
from masktune.bench.recipe import FIVE_ARMS
from masktune.bench.sources import WITHOUT_WEIGHTS
from masktune.cli.app import TYPED, app
from masktune.cli.bring import (
    AnyData,
    AnyInput,
    DataOptions,
    InputOptions,
    ModelOptions,
    model_choices,
)
from masktune.cli.options import FLAT, AllComputing, Computing
from masktune.cli.progress import shown_progress
from masktune.cli.show import say
from masktune.cli.show_bench import begun_in_words, in_words, show_bench, show_bench_estimate
from masktune.errors import InputError, MasktuneError
from masktune.report import write_bench
from masktune.runs import check_free
from masktune.runs.jsons import plain
from masktune.training.devices import processes


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What is compared."""

    datasets: tuple[str, ...]
    """biased-digits; biased-mnist, waterbirds, celeba, in9, selective-cifar10, selective-svhn or
    selective-cats-dogs =FOLDER; or a folder or manifest of your own."""
    out: Path
    """Folder for the results: new, empty, or that of the same bench, which then goes on."""
    methods: tuple[str, ...] = tuple(FIVE_ARMS)
    """Names (docs/methods), or file.py:Class of your own; ERM is always run."""
    seeds: tuple[int, ...] | None = None
    """One run of each method for each; 0 1 2 if not given."""
    epochs: int | None = None
    """Epochs of ERM; each data set's own number if not given."""
    budget: Budget = "paper"
    """equal: methods that train from the start read as many images as MaskTune, not their own number."""
    cpu: bool = False
    """The small variants of data sets of the paper, for two cores."""
    protocol: Literal["sorted", "random"] = "sorted"
    """Of biased MNIST: which images contradict the shortcut."""
    search: int = 0
    """Try so many settings of each method that declares ranges (docs/bench.md); 0 tries none."""
    search_by: Literal["validation_accuracy", "worst_class", "worst_group"] = "worst_class"
    """The rule by which validation chooses among them; the test images are read once, by the chosen one."""
    imports: Annotated[tuple[str, ...], Parameter(name="--import")] = ()
    """NAME=FOLDER: a method that was run elsewhere, by its predictions (docs/bench.md)."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Where jobs run; no number depends on it."""

    engine: Literal["local", "ray"] = "local"
    """In this process, one after the other; or on Ray."""
    address: str | None = None
    """Of a running Ray cluster: auto, or HOST:PORT; one is started on this machine if not given."""
    memory: float | None = None
    """GB that a job needs, so that Ray starts no more than fit."""
    retries: int = 3
    """How often Ray tries a job again whose worker died."""
    threads: int | None = None
    """Of the CPU, for a job; all cores if not given. The last bits of a number depend on it."""
    list_jobs: bool = False
    """Print the jobs, a line each: its name, and the names of those that it needs first."""
    job: str | None = None
    """Do this job alone, as one of a Slurm array (examples/slurm_bench.sh)."""


@dataclass(frozen=True, kw_only=True)
class OwnModelOptions:
    """The classifier."""

    model: str | None = None
    """For data of your own: timm:NAME, torchvision:NAME, hf:DIR, or path/to/file.py:function."""
    weights: Path | None = None
    """Weights to start from; of data sets of the paper ImageNet's, of ResNet-50 or with --cpu of Lite0."""
    allow_download: bool = False
    """Fetch the library's own weights, or a data set or model of the hub."""


LEAST = 10.0
"""Seconds that a piece of work must take to be told of: a bench has thousands, and says when a job ends."""

SEEDS = (0, 1, 2)
"""If nothing is asked for."""

ENGINE = Annotated[EngineOptions, Parameter(name="*", group="Where jobs run")]
MODEL = Annotated[OwnModelOptions, Parameter(name="*", group="Classifier")]
TRAINING = Annotated[OwnTraining, Parameter(name="*", group="How ERM trains on data of your own")]


@app.command
def bench(
    options: Annotated[BenchOptions, FLAT],
    engine: ENGINE = EngineOptions(),
    model: MODEL = OwnModelOptions(),
    training: TRAINING = OwnTraining(),  # noqa: B008 - it is frozen.
    wanted: AnyInput = InputOptions(),  # noqa: B008 - it is frozen.
    images: AnyData = DataOptions(),  # noqa: B008 - it is frozen.
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Hold methods against each other: one table, with tests on the same images.

    ERM is trained once for each data set and seed, and shared. A bench that was
    stopped goes on where it stopped; a job that fails is a row that says why.

    Example: masktune bench --datasets biased-digits --methods masktune group_dro jtt --out bench

    Example: masktune bench --datasets photos --model timm:resnet50 --weights resnet50.safetensors --out bench

    Args:
        options: what is compared.
        engine: where it runs.
        model: the classifier, for data of one's own.
        training: how ERM trains on these.
        wanted: the classifier's input.
        images: which images.
        computing: as for every command.
    """
    plan = _plan(options, engine, model, training, wanted, images, computing)
    imported = [Imported.typed(word) for word in options.imports]
    on = _engine(engine)
    with (
        processes(computing.device) as here,
        shown_progress(computing.quiet or not here.first, least=LEAST) as progress,
    ):
        quiet = computing.quiet or not here.first
        if engine.job is None and not (computing.dry_run or engine.list_jobs):
            check_free(options.out)
        opened = open_bench(plan, options.out, here)
        if engine.list_jobs:
            _list(opened, as_json=computing.json)
            return
        if engine.job is not None:
            outcome = run_one(opened, engine.job, options.out, argv=TYPED.get(), progress=progress)
            if outcome.failed is not None:
                raise MasktuneError(f"{outcome.job} failed: {outcome.failed}")
            if here.first and not quiet:
                print(f"{outcome.job} is done")
            return
        _say_first(opened, options, engine, quiet, dry_run=computing.dry_run)
        if computing.dry_run:
            return
        tables: list[Standings] = []
        benched = run_bench(
            opened,
            options.out,
            engine=on,
            imported=imported,
            argv=TYPED.get(),
            progress=progress,
            finish=lambda benched: tables.extend(write_bench(benched)),
        )
    if not here.first:
        return
    if computing.json:
        print((options.out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_bench(benched, tables)


def _plan(
    options: BenchOptions,
    engine: EngineOptions,
    model: OwnModelOptions,
    training: OwnTraining,
    wanted: InputOptions,
    images: DataOptions,
    computing: Computing,
) -> Plan:
    if options.seeds is not None and computing.seed is not None:
        raise InputError("expected --seeds or --seed, got both")
    if computing.precision is not None:
        raise InputError("bench trains each data set in its recipe's number type; leave --precision out")
    seeds = options.seeds if computing.seed is None else (computing.seed,)
    sources = tuple(map(Source.typed, options.datasets))
    _check_own(sources, model, training, wanted, images)
    own = None
    if model.model is not None:
        typed = ModelOptions(model=model.model, weights=model.weights, allow_download=model.allow_download)
        own = model_choices(typed, wanted, 0, trained_first=True)
    common = Common(
        epochs=options.epochs,
        batch_size=computing.batch_size,
        layer=computing.layer,
        cpu=options.cpu,
        weights=model.weights,
        protocol=options.protocol,
        workers=computing.workers,
        model=own,
        images=images.choices("", cached=not computing.dry_run),
        training=training,
    )
    return Plan(
        sources=sources,
        methods=options.methods,
        seeds=SEEDS if seeds is None else seeds,
        budget=options.budget,
        search=options.search,
        search_by=options.search_by,
        threads=engine.threads,
        common=common,
    )


def _check_own(
    sources: tuple[Source, ...],
    model: OwnModelOptions,
    training: OwnTraining,
    wanted: InputOptions,
    images: DataOptions,
) -> None:
    """Refuse options that no data set of this bench would read."""
    kinds = {source.kind for source in sources}
    unread = {
        "--model": model.model is not None and "own" not in kinds,
        "--weights": model.weights is not None and not kinds - {*WITHOUT_WEIGHTS},
        "options of the classifier's input": wanted != InputOptions() and "own" not in kinds,
        "options of the images": images != DataOptions() and "own" not in kinds,
        "options of ERM's training": training != OwnTraining() and "own" not in kinds,
    }
    for what, given in unread.items():
        if given:
            raise InputError(
                f"{what} would change nothing here: {', '.join(sorted(kinds))} has its own net and settings; "
                "leave that out, or name a folder or manifest of your own"
            )


def _engine(options: EngineOptions) -> Engine:
    if options.engine == "ray":
        return OnRay(address=options.address, retries=options.retries, memory=options.memory)
    if options.address is not None or options.memory is not None:
        raise InputError("--address and --memory are for --engine ray; add it, or leave them out")
    return in_process


def _list(opened: Bench, *, as_json: bool) -> None:
    """A line a job, for shell scripts: its name, and what it needs, or "-"."""
    for job in opened.jobs:
        if as_json:
            print(json.dumps(plain(asdict(job))))
        else:
            print(job.name, " ".join(job.needs) or "-", sep="\t")


def _say_first(
    opened: Bench, options: BenchOptions, engine: EngineOptions, quiet: bool, *, dry_run: bool
) -> None:
    """What a person should know before the work begins: notes on the data, and how long it takes."""
    for name, recipe in opened.recipes.items():
        say("note", [f"{name}: {note}" for note in recipe.shown.notes], quiet)
    if dry_run:
        show_bench_estimate(options.out, opened, estimate_bench(opened, options.out))
    elif not quiet:
        say(
            "estimate",
            [begun_in_words(opened, options.out) or in_words(estimate_bench(opened, options.out))],
            quiet,
        )

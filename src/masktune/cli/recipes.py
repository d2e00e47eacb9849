"""`demo` and `reproduce`: each builds a recipe from what was typed, runs it, prints what came out."""

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App

from masktune.bench import (
    Difference,
    FromNothing,
    Line,
    Photos,
    Recipe,
    biased_digits,
    biased_mnist,
    celeba,
    differences,
    estimate,
    in9,
    run_recipe,
    selective,
    table,
    waterbirds,
)
from masktune.bench.digits import CPU_EPOCHS
from masktune.cli.app import TYPED, app
from masktune.cli.options import (
    FLAT,
    AllComputing,
    BiasedMNISTOptions,
    CelebAOptions,
    Computing,
    PhotoOptions,
    Running,
    SelectiveOptions,
)
from masktune.cli.progress import shown_progress
from masktune.cli.show import say, show_estimate, show_table
from masktune.report import write_report
from masktune.runs import Results
from masktune.training.devices import processes

reproduce = App(
    name="reproduce", help="Repeat an experiment of the paper. `masktune reproduce list` shows them."
)
app.command(reproduce)

DEMO_OUT = Path("masktune-demo")

RECIPES = {
    "biased-mnist": "digits 0-4 against 5-9; a red square gives the answer away (paper, section 4.1)",
    "waterbirds": "landbird or waterbird; the background gives the answer away",
    "celeba": "blond hair or not; sex goes with it, or any two attributes of faces",
    "in9": "nine kinds of things, tested before other backgrounds (Backgrounds Challenge)",
    "selective-cifar10": "ten kinds of things in 32 pixels; who abstains where two models disagree?",
    "selective-svhn": "the same on digits of house numbers",
    "selective-cats-dogs": "the same on cats and dogs in 64 pixels",
}
"""What can be reproduced, with a line on each."""


@app.command
def demo(*, out: Path = DEMO_OUT, computing: AllComputing = Computing()) -> None:  # noqa: B008
    """The whole method in a minute, on digits that travel with the package.

    A small net learns to tell digits 0-4 from 5-9, but relies on a red square that goes with 0-4 in training.
    MaskTune hides where it looks and tunes it for one epoch.

    Example: masktune demo --out demo

    Args:
        out: Folder for the results.
        computing: as for every command.
    """
    _run(biased_digits(Running(out=out).choices(computing)), out, computing)


@reproduce.command(name="list")
def list_recipes() -> None:
    """List what can be reproduced.

    Example: masktune reproduce list
    """
    for name, line in RECIPES.items():
        print(f"{name:24s}{line}")


@reproduce.command(name="biased-mnist")
def reproduce_biased_mnist(
    options: Annotated[BiasedMNISTOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Digits 0-4 against 5-9 on MNIST, where a red square gives the answer away.

    Example: masktune reproduce biased-mnist --data mnist --out out --seeds 0 1 2 --epochs 10
    """
    recipe = biased_mnist(options.data, options.shortcut, running.choices(computing, CPU_EPOCHS))
    _run(recipe, running.out, computing)


@reproduce.command(name="waterbirds")
def reproduce_waterbirds(
    options: Annotated[PhotoOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Landbird or waterbird, where the background gives the answer away.

    Example: masktune reproduce waterbirds --data waterbirds --weights lite0.safetensors --cpu --out out
    """
    _run(waterbirds(_photos(options, running, computing), running.choices(computing)), running.out, computing)


@reproduce.command(name="celeba")
def reproduce_celeba(
    options: Annotated[CelebAOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """An attribute of faces, where another goes with it: blond hair and sex, if not asked otherwise.

    Example: masktune reproduce celeba --data celeba --weights lite0.safetensors --cpu --out out
    """
    recipe = celeba(
        _photos(options, running, computing), options.target, options.spurious, running.choices(computing)
    )
    _run(recipe, running.out, computing)


@reproduce.command(name="in9")
def reproduce_in9(
    options: Annotated[PhotoOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Nine kinds of things, tested before the backgrounds of others (Backgrounds Challenge).

    Example: masktune reproduce in9 --data imagenet9 --weights lite0.safetensors --cpu --out out
    """
    _run(in9(_photos(options, running, computing), running.choices(computing)), running.out, computing)


@reproduce.command(name="selective-cifar10")
def reproduce_selective_cifar10(
    options: Annotated[SelectiveOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Ten kinds of things in 32 pixels: the models whose votes decide where to abstain.

    Example: masktune reproduce selective-cifar10 --data cifar10 --cpu --out out
    """
    _selective("selective-cifar10", options, running, computing)


@reproduce.command(name="selective-svhn")
def reproduce_selective_svhn(
    options: Annotated[SelectiveOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Digits of house numbers in 32 pixels: the models whose votes decide where to abstain.

    Example: masktune reproduce selective-svhn --data svhn --out out
    """
    _selective("selective-svhn", options, running, computing)


@reproduce.command(name="selective-cats-dogs")
def reproduce_selective_cats_dogs(
    options: Annotated[SelectiveOptions, FLAT],
    running: Annotated[Running, FLAT],
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Cats and dogs in 64 pixels: the models whose votes decide where to abstain.

    Example: masktune reproduce selective-cats-dogs --data cats_vs_dogs --net vgg16_bn --out out
    """
    _selective("selective-cats-dogs", options, running, computing)


def _selective(name: str, options: SelectiveOptions, running: Running, computing: Computing) -> None:
    chosen = FromNothing(options.data, options.net, running.cpu, computing.workers)
    _run(selective(name, chosen, running.choices(computing)), running.out, computing)


def _photos(options: PhotoOptions, running: Running, computing: Computing) -> Photos:
    return Photos(options.data, options.weights, running.cpu, computing.workers)


def _run(recipe: Recipe, out: Path, computing: Computing) -> None:
    with processes(computing.device) as here, shown_progress(computing.quiet or not here.first) as progress:
        quiet = computing.quiet or not here.first
        say("note", recipe.shown.notes, quiet)
        if computing.dry_run:
            say("note", ["timing a few steps of this net on this machine"], quiet)
            show_estimate(out, estimate(recipe, here))
            return
        if recipe.shown.status is not None:
            say("status of this recipe", [str(recipe.shown.status)], quiet)
        finish = partial(_report, recipe, out)
        results = run_recipe(recipe, out, argv=TYPED.get(), here=here, progress=progress, finish=finish)
    if here.first and computing.json:
        print((out / "results.json").read_text(encoding="utf-8"), end="")
    elif here.first:
        show_table(out, *_tables(recipe, out, results), recipe.shown)


def _report(recipe: Recipe, out: Path, results: Results) -> None:
    splits = recipe.splits(min(row.seed for row in results.rows))
    images = {"train": len(splits.train), "validation": len(splits.validation)}
    images |= {name: len(test) for name, test in splits.tests.items()}
    write_report(out, results, *_tables(recipe, out, results), recipe.shown, images)


def _tables(recipe: Recipe, out: Path, results: Results) -> tuple[list[Line], list[Difference]]:
    return table(results.rows, recipe.shown), differences(out, results.rows, recipe.shown)

"""`data get` and `data build-in9`: a data set comes to a folder. Only the first uses the network."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from masktune.cli.data import data
from masktune.cli.progress import shown_progress
from masktune.cli.show_data import show_found
from masktune.data.official.imagenet9 import FOLDERS
from masktune.data.official.registry import OFFICIAL
from masktune.fetching import BuildIN9, BuiltIN9, Got, Origin, build_in9, get, origin_of


@data.command(name="get")
def get_data(name: str, root: Path, /, *, source: str | None = None, quiet: bool = False) -> None:
    """Fetch an official data set from the network, unpack and check it.

    No other command uses the network unasked. Where it broke off, the same
    command goes on; what a program cannot fetch is explained step by step.

    Example: masktune data get waterbirds data/waterbirds

    Example: masktune data get mnist data --source https://example.org/mnist/

    Args:
        name: waterbirds, celeba, imagenet9 (tests), imagenet9-train, cifar10, svhn, cats-vs-dogs or mnist.
        root: folder to make or to add to. An archive that is there already is used instead of fetched.
        source: address to try before the known ones: of the file, or of its folder with / at the end.
        quiet: no progress.
    """
    origin = origin_of(name)
    _introduce(origin)
    with shown_progress(quiet) as progress:
        got = get(name, root, source=source, tell=_silence if quiet else _tell, progress=progress)
    _show_got(origin, root, got)


@data.command(name="build-in9")
def build_in9_data(
    imagenet: Path,
    root: Path,
    /,
    *,
    choices: Annotated[BuildIN9, Parameter(name="*")] = BuildIN9(),  # noqa: B008 - it is frozen.
    quiet: bool = False,
) -> None:
    """Make ImageNet-9's training set from your own ImageNet: the authors' links are dead.

    ROOT/in9l/train and ROOT/in9l/val get links to the images of the nine
    classes, by the published class map.

    Example: masktune data build-in9 imagenet data/imagenet9

    Args:
        imagenet: folder with train/n01440764/*.JPEG, or ILSVRC/Data/CLS-LOC/train/..., or that train folder.
        root: folder to add in9l to; best the one that has the tests (`masktune data get imagenet9 ROOT`).
        choices: as below.
        quiet: no progress.
    """
    with shown_progress(quiet) as progress:
        built = build_in9(imagenet, root, choices, progress=progress)
    _show_built(built, choices)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _silence(sentence: str) -> None:
    """Nothing is said."""


def _introduce(origin: Origin) -> None:
    """What it is, under which terms, and how much: said before anything is fetched."""
    known = OFFICIAL.get(origin.data_set)
    print(f"{known.facts.title if known else origin.name}: {origin.size}")
    print(f"licence: {known.facts.licence if known else origin.licence}")
    if origin.note:
        print(origin.note)
    sys.stdout.flush()


def _show_got(origin: Origin, root: Path, got: Got) -> None:
    if got.found is not None:
        show_found(got.found, OFFICIAL[origin.data_set].facts, str(root))
    else:
        print(f"{origin.name} is whole: {', '.join(part.makes for part in origin.parts)} in {root}")
    if got.archives:
        print(f"no longer needed in {root}: {', '.join(got.archives)}")


def _show_built(built: BuiltIN9, choices: BuildIN9) -> None:
    print(f"{'':24s}{'train':>8s}{'val':>8s}")
    for name, train, validation in zip(FOLDERS, built.train, built.validation, strict=True):
        print(f"{name:24s}{train:8,}{validation:8,}")
    print(f"{'all':24s}{sum(built.train):8,}{sum(built.validation):8,}")
    print(
        "The authors' IN-9L has 183,006 and 7,200; which images those are was never published, so images and "
        "counts differ."
    )
    if built.spare:
        print(
            f"{built.spare:,} images were left out so that all classes have as many; --unbalanced keeps them."
        )
    if built.tests:
        print(f"{built.left_out:,} images were left out that have the name of one of {built.tests:,} tests.")
    else:
        print(
            f"No test images beside {built.folder}, so some may be among the training images: get them there "
            "first (masktune data get imagenet9), then make it anew."
        )

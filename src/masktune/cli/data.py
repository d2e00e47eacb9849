"""`data`: the official data sets: which there are, and whether a folder holds one of them whole."""

import json as json_format
import sys
from pathlib import Path

from cyclopts import App

from masktune.cli.app import app
from masktune.cli.progress import shown_progress
from masktune.cli.show_data import show_found
from masktune.data.official.checking import check, check_readable
from masktune.data.official.missing import MissingFiles
from masktune.data.official.registry import OFFICIAL, OTHERWISE, official

data = App(name="data", help="The official data sets. `masktune data list` shows them.")
app.command(data)


@data.command(name="list")
def list_data() -> None:
    """List the official data sets, and the layouts in which each is read.

    Example: masktune data list
    """
    for name, known in OFFICIAL.items():
        print(f"{name:16s}{known.facts.task}")
        for layout in known.facts.layouts:
            print(f"{'':16s}- {layout}")
    print("Checked otherwise:")
    for name, how in OTHERWISE.items():
        print(f"{name:16s}{how}")


@data.command(name="check")
def check_data(
    name: str,
    root: Path,
    /,
    *,
    target: str | None = None,
    spurious: str | None = None,
    decode: bool = False,
    list_missing: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Is a folder an official data set, whole, and which variant of it?

    Counts are held against the published ones; --list-missing names all files that are missing.

    Example: masktune data check waterbirds waterbird_complete95_forest2water2

    Example: masktune data check celeba celeba --target Smiling --spurious Male

    Args:
        name: of the data set; `masktune data list` shows them.
        root: the folder.
        target: of celeba, the attribute that is the label, Blond_Hair if not given.
        spurious: of celeba, the attribute that makes the groups with it, Male if not given.
        decode: open every image too, and name those that cannot be read.
        list_missing: name every missing file on stderr, a line each.
        json: print what was found as JSON, where the folder could be checked.
        quiet: no progress.
    """
    given = {"target": target, "spurious": spurious}
    options = {option: value for option, value in given.items() if value is not None}
    try:
        with shown_progress(quiet) as progress:
            found = check(name, root, decode=decode, progress=progress, **options)
    except MissingFiles as error:
        if list_missing:
            print(*(f"missing: {file}" for file in error.missing), sep="\n", file=sys.stderr)
        raise
    if json:
        print(json_format.dumps(found.to_record(), indent=1))
    else:
        show_found(found, official(name).facts, str(root))
    check_readable(found)

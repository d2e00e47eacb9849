"""What a method finds out about images once, kept in the task's folder so that a resumed run uses it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from masktune.errors import RunFolderError
from masktune.runs.jsons import read_object, write_json
from masktune.training.devices import Processes


def found_once(
    path: Path | None, found_by: str, here: Processes, find: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What `find` gives, or gave an earlier run that left it at `path`.

    Args:
        path: a JSON file; None keeps nothing.
        found_by: hash of the weights that `find` asks.
        here: this process; all of them call `find`, the first one writes.
        find: gives what JSON can hold.

    Raises:
        RunFolderError: what is at `path` was found by other weights.
        DataDamaged: it is no JSON.
    """
    kept = here.first_does(lambda: read_object(path) if path is not None and path.exists() else None)
    if kept is None:
        found = {"found_by": found_by, **find()}
        if path is not None:
            here.first_does(lambda: write_json(path, found))
        return found
    if kept.get("found_by") != found_by:
        raise RunFolderError(f"{path} was found by other weights than those of this run; delete that file")
    return kept

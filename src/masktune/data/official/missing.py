"""A data set of which files are missing: all of them are said at once."""

from collections.abc import Sequence
from pathlib import Path

from masktune.data.names import first_three
from masktune.errors import DataNotFound


class MissingFiles(DataNotFound):
    """Files of an official data set are not there; `missing` holds all their names, relative to the root.

    Where nothing of it was found, `nothing` says so: it may lie elsewhere.
    """

    def __init__(
        self,
        name: str,
        root: str | Path,
        missing: Sequence[str],
        expected: int | None = None,
        *,
        nothing: bool = False,
    ) -> None:
        of_all = f" of {expected:,}" if expected else ""
        files = "files" if expected or len(missing) > 1 else "file"
        files += " are" if len(missing) > 1 else " is"
        super().__init__(
            f"expected {name} in {root}, but {len(missing):,}{of_all} {files} not there: "
            f"{first_three(missing)}; name another folder, or get it with `masktune data get {name} {root}`"
        )
        self.missing = tuple(missing)
        self.nothing = nothing

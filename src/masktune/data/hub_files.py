"""Where the files of a Hugging Face data set lie, and which split each belongs to."""

import json
import os
import re
from pathlib import Path
from typing import Any

from masktune.data.names import SPLITS, first_three, split_name
from masktune.data.tables import first_line
from masktune.errors import DataDamaged, DataNotFound, InputError, MissingExtra, near
from masktune.files import storage_errors

_SHARD = re.compile(r"(?P<split>.+?)-\d+-of-\d+(-[0-9a-f]+)?")
"""How the hub names the parts of a split: train-00000-of-00002-1a2b3c.parquet."""


def files_of(path: Path) -> list[tuple[str | None, Path]]:
    """The files of a data set in order, each with its split.

    Raises:
        DataNotFound: no data set in that folder.
        DataDamaged: what `save_to_disk` wrote is damaged.
        StorageError: it cannot be read.
        InputError: several data sets, or splits that are not known.
    """
    with storage_errors(path, "read"):
        if path.is_file():
            return [(_split_of(path), path)]
        if (path / "dataset_dict.json").is_file():
            names = _json(path / "dataset_dict.json")["splits"]
            return [(_known(name, path), file) for name in names for file in _arrow_files(path / name)]
        if (path / "state.json").is_file():
            split = _json(path / "state.json").get("_split") or ""
            return [(split_name(split), file) for file in _arrow_files(path)]
        return _parquet_files(path)


def downloaded(name: str) -> list[tuple[str | None, Path]]:
    """Get a data set from the hub into the cache of `datasets`; its files there, each with its split.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataNotFound: the hub does not give it.
        InputError: splits that are not known.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # Read when the library is imported.
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingExtra("data sets of the hub need datasets; type: pip install 'masktune[hub]'") from error
    try:
        found = load_dataset(name)
    except (OSError, ValueError) as error:
        raise DataNotFound(f"cannot get hub:{name}: {first_line(error)}") from error
    return [
        (_known(split, Path(name)), Path(file["filename"]))
        for split, part in found.items()
        for file in part.cache_files
    ]


def _arrow_files(folder: Path) -> list[Path]:
    return [folder / file["filename"] for file in _json(folder / "state.json")["_data_files"]]


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataDamaged(f"{path} is damaged ({error}); save the data set again") from error
    return found


def _parquet_files(folder: Path) -> list[tuple[str | None, Path]]:
    files = sorted(file for file in folder.rglob("*.parquet") if not file.name.startswith("."))
    if not files:
        raise DataNotFound(
            f"no data set in {folder}: looked for dataset_dict.json and state.json, as `save_to_disk` writes "
            "them, and for files that end in .parquet"
        )
    # A folder may be named as a split, too: default/train/0000.parquet
    homes = {file.parent.parent if split_name(file.parent.name) else file.parent for file in files}
    if len(homes) > 1:
        raise InputError(
            f"expected one data set in {folder}, got {first_three(sorted(str(home) for home in homes))}; "
            "name one of them"
        )
    splits = [_split_of(file) for file in files]
    if None in splits and any(splits):
        unknown = files[splits.index(None)]
        raise InputError(
            f"expected a split in the name of each file in {folder}, got {unknown.name}; there are "
            f"{', '.join(SPLITS)}: rename it or move it away"
        )
    return list(zip(splits, files, strict=True))


def _split_of(file: Path) -> str | None:
    shard = _SHARD.fullmatch(file.stem)
    return split_name(shard["split"] if shard else file.stem) or split_name(file.parent.name)


def _known(name: str, path: Path) -> str:
    split = split_name(name)
    if split is None:
        raise InputError(
            f"unknown split {name!r}{near(name, SPLITS)} in {path}; there are {', '.join(SPLITS)}: save the "
            "data set with these"
        )
    return split

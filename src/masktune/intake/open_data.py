"""From what was typed as DATA to samples, whatever it is."""

from pathlib import Path
from typing import Any

from masktune.data.folder import list_folder
from masktune.data.hub import is_hub_data, read_hub
from masktune.data.manifest import read_manifest
from masktune.data.samples import Samples
from masktune.errors import DataNotFound, InputError, near
from masktune.files import storage_errors
from masktune.intake.choices import DataChoices

_TABLES = (".csv", ".tsv", ".txt", ".parquet")

_COLUMNS = {
    "a folder": (),
    "a manifest": ("path", "label", "split", "group", "subject"),
    "a saved data set": ("image", "label", "group", "subject"),
}
"""Which columns each kind of data has."""


def open_samples(choices: DataChoices, *, allow_download: bool = False) -> Samples:
    """List the images of a folder, manifest or saved data set; none is opened.

    Raises:
        DataNotFound: nothing is there, or listed files are not.
        InputError: a layout, a column or a split that cannot be used.
    """
    samples = _listed(choices, allow_download)
    if choices.subject_from is not None:
        samples = samples.with_subjects(choices.subject_from)
    if choices.group_by is not None:
        samples = samples.grouped_by(choices.group_by)
    return samples if choices.split is None else samples.of_split(choices.split)


def name_of(data: str) -> str:
    """A short name for results: that of the folder or file."""
    path = data.removeprefix("hub:")
    if not Path(path).exists():  # A name of the hub: user/name.
        return path.strip("/").replace("/", "--")
    data = path
    return Path(data).resolve().stem if Path(data).is_file() else Path(data).resolve().name


def _listed(choices: DataChoices, allow_download: bool) -> Samples:
    data, path = choices.data, Path(choices.data)
    if data.startswith("hub:"):
        return read_hub(data, allow_download=allow_download, **_columns(choices, "a saved data set"))
    with storage_errors(path, "read"):
        if not path.exists():
            beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataNotFound(f"no images at {data}{near(path.name, beside)}; give a folder or a manifest")
        if is_hub_data(path):
            return read_hub(data, **_columns(choices, "a saved data set"))
        if path.is_dir():
            _columns(choices, "a folder")
            return list_folder(path)
    if path.suffix.lower() in _TABLES:
        return read_manifest(path, root=choices.root, **_columns(choices, "a manifest"))
    raise InputError(
        f"expected a folder, a manifest ({', '.join(_TABLES)}) or a saved data set, got {data}; a manifest "
        "is a table with the columns path and label"
    )


def _columns(choices: DataChoices, kind: str) -> dict[str, Any]:
    """The names of columns as arguments; options that mean nothing for such data are refused."""
    useless = [f"--{name}-column" for name, _ in choices.columns if name not in _COLUMNS[kind]]
    if choices.root is not None and kind != "a manifest":
        useless.append("--root")
    if useless:
        raise InputError(f"{useless[0]} means nothing for {choices.data}, which is {kind}; leave it out")
    return {f"{name}_column": column for name, column in choices.columns}

"""Records of work that is done some images at a time: they lie in the run folder, and a run goes on there."""

from pathlib import Path

from masktune.files import remove_folder

REMEDY = "delete it, and its images run again"
"""What to do about a record that cannot be read."""

_FOLDER = "chunks"


def chunk_path(folder: Path, start: int) -> Path:
    """Where a run folder keeps the record of the images from this position on."""
    return folder / _FOLDER / f"{start:08d}.npz"


def remove_chunks(folder: Path) -> None:
    """Remove all records of a run folder; where there are none nothing happens."""
    remove_folder(folder / _FOLDER)

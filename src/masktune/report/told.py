"""What a run keeps to itself: whether its report has pictures and names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from masktune.files import storage_errors
from masktune.report.page.kind import Kind
from masktune.runs.jsons import read_object


def told_of(run: Path, record: Mapping[str, Any]) -> Kind:
    """What a run may tell: what its command line, its page and its `report.json` all allow.

    A run is marked by what was typed, and a report that was drawn again by what it says of itself.

    Args:
        run: the folder.
        record: what its `run.json` says; empty where a scan was saved from Python.
    """
    typed = {str(word).partition("=")[0] for word in record.get("argv", ())}
    images, names = "--no-images" not in typed, "--pseudonymous-ids" not in typed
    if (page := run / "report.html").exists():
        with storage_errors(page, "read"):
            said = Kind.said_by(page.read_text(encoding="utf-8"))
        images, names = images and said.images, names and said.names
    if (report := run / "report.json").exists():
        names = names and bool(read_object(report).get("kind", {}).get("names", True))
    return Kind(images=images, names=names)

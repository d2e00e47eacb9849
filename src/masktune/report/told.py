"""What a report may tell: what is asked for, and what its run keeps to itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from masktune.files import storage_errors
from masktune.report.page.kind import Kind
from masktune.runs.jsons import read_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report may tell."""

    images: bool = True
    """Pictures are in it."""
    pseudonymous: bool = False
    """No names of files, no paths, no EXIF."""
    command: str = ""
    """That made it."""
    made: str = ""
    """The date."""

    def within(self, kind: Kind) -> "Told":
        """What is left of it where no more may be told than this."""
        images, pseudonymous = self.images and kind.images, self.pseudonymous or not kind.names
        return replace(self, images=images, pseudonymous=pseudonymous)

    def beyond(self, kind: Kind) -> tuple[str, ...]:
        """What it asks for though it may not be told: "pictures", "names"."""
        pictures, names = self.images and not kind.images, not self.pseudonymous and not kind.names
        return ("pictures",) * pictures + ("names",) * names


def told_of(run: Path, record: Mapping[str, Any]) -> Kind:
    """What a run may tell: what its report does; where there is none, what its command line allows.

    The report counts more, since a scan typed again draws it as it is wanted then. Of page and `report.json`
    the one that keeps more to itself counts: the other may be from before a kill.

    Args:
        run: the folder.
        record: what its `run.json` says; empty where a scan was saved from Python.
    """
    typed = {str(word).partition("=")[0] for word in record.get("argv", ())}
    page, names = _said_by_page(run), []
    if page is not None:
        names.append(page.names)
    if (report := run / "report.json").exists():
        names.append(bool(read_object(report).get("kind", {}).get("names", True)))
    return Kind(
        images="--no-images" not in typed if page is None else page.images,
        names=all(names) if names else "--pseudonymous-ids" not in typed,
    )


def _said_by_page(run: Path) -> Kind | None:
    page = run / "report.html"
    if not page.exists():
        return None
    with storage_errors(page, "read"):
        return Kind.said_by(page.read_text(encoding="utf-8", errors="replace"))

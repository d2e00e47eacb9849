"""What two runs have to say of each other: `comparison.md` and `comparison.html` in the new run's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masktune.files import write_text
from masktune.findings.compared import Change, Compared
from masktune.findings.comparing import compare_scans
from masktune.findings.shown import Scanned
from masktune.findings.store import load_scanned
from masktune.report.comparison_veil import veiled, veiled_shown
from masktune.report.in_words import change_in_points, summary_of_comparison
from masktune.report.page.comparison_page import Side, render_comparison
from masktune.report.page.kind import Kind
from masktune.report.told import Told, told_of
from masktune.runs.jsons import read_object

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Written:
    """What a comparison left."""

    text: str
    """The Markdown."""
    files: tuple[Path, Path]
    """Where it is, and where the page is."""


def compare_runs(run: Path, old_run: Path) -> Compared:
    """Compare the scans in two run folders.

    Raises:
        DataNotFound, DataDamaged: no finished scan there.
        InputError: nothing in common.
    """
    old, new = _loaded(old_run), _loaded(run)
    return compare_scans(old[0], new[0], (old[1], new[1]))


def write_comparison(run: Path, old_run: Path, told: Told | None = None) -> Written:
    """Compare the scans in two run folders, and write both files into that of the new one.

    What one of the runs keeps to itself, pictures or names, is left out, whatever `told` says.

    Raises:
        DataNotFound, DataDamaged: no finished scan there.
        InputError: nothing in common.
    """
    (before, old_record), (after, record) = _loaded(old_run), _loaded(run)
    compared, shown = compare_scans(before, after, (old_record, record)), after.shown
    told = (told or Told()).within(told_of(run, record)).within(told_of(old_run, old_record))
    names = not told.pseudonymous
    if not names:
        compared, shown = veiled(compared, before, after), veiled_shown(after)
    text = comparison_in_words(compared)
    html = render_comparison(
        compared,
        shown,
        name=after.name if names else "a data set",
        kind=Kind(images=told.images, names=names),
        summary=summary_of_comparison(compared),
        sides=(_side(old_run, old_record, names=names), _side(run, record, names=names)),
    )
    files = run / "comparison.md", run / "comparison.html"
    for path, content in zip(files, (text, html), strict=True):
        write_text(path, content)
    return Written(text, files)


def comparison_in_words(compared: Compared) -> str:
    """The Markdown of a comparison: the summary, differences, then what got better and worse."""
    differences = [one.sentence for one in compared.differences]
    parts = [
        "# Two runs, image by image",
        *summary_of_comparison(compared),
        _listed("What differs between the runs:", differences) or "The runs do not differ.",
        _table(compared.changes),
        _listed("Fires now:", [turn.sentence for turn in compared.turned("came")]),
        _listed("Fires no more:", [turn.sentence for turn in compared.turned("went")]),
        _listed("Has another verdict or value:", [turn.sentence for turn in compared.turned("changed")]),
        _ids("wrong now, right before", compared.moved_ids("lost")),
        _ids("right now, wrong before", compared.moved_ids("gained")),
        _ids("called otherwise, neither better nor worse", compared.moved_ids("other")),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _loaded(folder: Path) -> tuple[Scanned, Mapping[str, Any]]:
    """The scan, and what `run.json` says; that is missing where a scan was saved from Python."""
    scanned, record = load_scanned(folder), folder / "run.json"
    return scanned, read_object(record) if record.exists() else {}


def _side(folder: Path, record: Mapping[str, Any], *, names: bool) -> Side:
    return Side(
        folder=str(folder) if names else "",
        argv=tuple(record.get("argv", ())) if names else (),
        started=str(record.get("started", ""))[:10],
        versions=record.get("versions", {}),
    )


def _table(changes: Sequence[Change]) -> str:
    head = ["", "old, %", "new, %", "points, 95 % interval", "images", "p (Holm)", "verdict"]
    rows = [
        [
            change.name.replace("|", "\\|"),
            f"{100 * change.before:.1f}",
            f"{100 * change.after:.1f}",
            change_in_points(change),
            str(change.n),
            f"{change.p_value:.2g}",
            change.verdict,
        ]
        for change in changes
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _listed(title: str, sentences: Sequence[str]) -> str:
    return "\n".join([title, "", *(f"- {sentence}" for sentence in sentences)]) if sentences else ""


def _ids(what: str, ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return f"{len(ids)} images are {what}: {', '.join(ids[:_LISTED])}{more}" if ids else ""

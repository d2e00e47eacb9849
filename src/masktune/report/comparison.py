"""What two runs have to say of each other, as Markdown."""

from collections.abc import Sequence
from pathlib import Path

from masktune.findings.comparing import Change, Compared, compare_scans
from masktune.findings.store import load_scanned
from masktune.runs.jsons import read_object


def compare_runs(run: Path, old_run: Path) -> Compared:
    """Compare the scans in two run folders.

    Raises:
        DataNotFound, DataDamaged: no finished scan there.
        InputError: nothing in common.
    """
    records = tuple(read_object(folder / "run.json") for folder in (old_run, run))
    return compare_scans(load_scanned(old_run), load_scanned(run), (records[0], records[1]))


def comparison_in_words(compared: Compared) -> str:
    """The Markdown of a comparison: differences first, then what got better and worse."""
    parts = ["# Two runs, image by image", *_paired(compared)]
    parts.append(_listed("What differs between the runs:", compared.differences) or "The runs do not differ.")
    parts.append(_table(compared.changes))
    parts += [
        _listed("Fires no more:", compared.gone),
        _listed("Fires now:", compared.new),
        _ids("right now, wrong before", compared.gained),
        _ids("wrong now, right before", compared.lost),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def sentence_on(change: Change) -> str:
    """One change in words."""
    rates = f"{100 * change.before:.1f} %, then {100 * change.after:.1f} %"
    return f"{change.name}: {rates}; points: {_points(change)}, {change.n} images: {change.verdict}"


def _points(change: Change) -> str:
    interval = f"{100 * change.low:+.1f} to {100 * change.high:+.1f}"
    return f"{100 * (change.after - change.before):+.1f} ({interval})"


def _paired(compared: Compared) -> list[str]:
    said = [f"{compared.n} images are in both runs, paired by id."]
    if compared.only_before or compared.only_after:
        said.append(f"{compared.only_before} are only in the old run, {compared.only_after} only in the new.")
    return said


def _table(changes: Sequence[Change]) -> str:
    head = ["", "old, %", "new, %", "points, 95 % interval", "images", "p (Holm)", "verdict"]
    rows = [
        [
            change.name.replace("|", "\\|"),
            f"{100 * change.before:.1f}",
            f"{100 * change.after:.1f}",
            _points(change),
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
    more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
    return f"{len(ids)} images are {what}: {', '.join(ids[:20])}{more}" if ids else ""

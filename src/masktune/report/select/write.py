"""What a selection leaves to be read: summary.md, report.html, plots as SVG and PDF."""

import shlex
from pathlib import Path

from masktune.abstention import Selected
from masktune.files import write_text
from masktune.report.markdown import escaped, listed
from masktune.report.markdown import table as markdown_table
from masktune.report.page import Kind, Page, Section, render_page
from masktune.report.select.plots import plots_of, write_plots
from masktune.report.select.tables import tables_of
from masktune.report.select.words import verdict_of_select
from masktune.runs import read_record
from masktune.selective import KINDS


def write_select(selected: Selected, out: Path) -> None:
    """Write all files into the folder of the selection, which has its `run.json`.

    Raises:
        StorageError: a file cannot be written.
    """
    record = read_record(out / "run.json")
    command = f"masktune {shlex.join(record.argv)}"
    drawn = write_plots(selected, out)
    write_text(out / "summary.md", summary_of_select(selected, command, drawn))
    facts = [
        ("command", command),
        *((f"sha256 of {one.name}", one.sha256) for one in selected.results.data),
        *((f"version of {name}", version) for name, version in record.versions.items()),
    ]
    write_text(out / "report.html", render_select(selected, facts, record.started[:10]))


def notes_of(selected: Selected) -> list[str]:
    """What a person should know before the numbers."""
    role = selected.brought.role(selected.settings.calibrate)
    notes = list(selected.brought.notes)
    if role == "model-selection":
        notes.append(
            f"the images of {selected.settings.calibrate} chose the checkpoints too, so risks on them look "
            "smaller than on others; coverages are hardly touched"
        )
    if role == "training":
        notes.append(
            f"weights were fitted to the images of {selected.settings.calibrate}: scores there are too sure"
        )
    n = selected.lines[0].points[-1].found
    if n and n[0].n < 200:
        notes.append(f"{n[0].n} calibration images are few: coverages will be off by several points")
    return notes


def summary_of_select(selected: Selected, command: str, drawn: list[str]) -> str:
    """The Markdown."""
    parts = [f"# Select: {escaped(_name(selected))}", f"`{command}`", listed(verdict_of_select(selected))]
    notes = notes_of(selected)
    if notes:
        parts += [listed(f"Note: {note}." for note in notes)]
    parts += [f"![{name.removesuffix('.svg').replace('_', ' ')}]({name})" for name in drawn]
    for one in tables_of(selected):
        parts += [f"## {one.title}", *map(escaped, one.told), markdown_table(one.head, one.rows)]
    parts += [
        "## What the scores mean",
        listed(f"{name}: {KINDS[name].means}." for name in _scores(selected)),
    ]
    return "\n\n".join(parts) + "\n"


def render_select(selected: Selected, facts: list[tuple[str, str]], made: str) -> str:
    """The page."""
    sections = [Section("curves", "Curves", "plots.html.j2", {"plots": plots_of(selected)})]
    sections += [
        Section(one.id, one.title, "select_table.html.j2", {"table": one}) for one in tables_of(selected)
    ]
    if selected.disputed:
        told = (
            f"{selected.headline.title}, seed {selected.headline.seeds[0]}: images that are not answered "
            "and on which the two models disagree; those that both are surest of first."
        )
        context = {"told": told, "disputed": selected.disputed}
        sections.insert(
            1, Section("disputed", "Where the models disagree", "select_disputed.html.j2", context)
        )
    meanings = [(name, f"{KINDS[name].means}.") for name in _scores(selected)]
    sections.append(Section("scores", "What the scores mean", "bench_words.html.j2", {"words": meanings}))
    page = Page(
        title=f"Select: {_name(selected)}",
        command="select",
        kind=Kind(images=bool(selected.disputed), names=True),
        summary=[*verdict_of_select(selected), *(f"Note: {note}." for note in notes_of(selected))],
        sections=sections,
        facts=facts,
        made=made,
    )
    return render_page(page)


def _scores(selected: Selected) -> list[str]:
    return list(dict.fromkeys(one.key[1] for one in selected.areas))


def _name(selected: Selected) -> str:
    return selected.lines[0].line.first.dataset

"""A bench in the terminal: what it will do, and what came out."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from masktune.bench import Against, Bench, Benched, BenchEstimate, Cell, Standing, Standings

FILES = ("summary.md", "table.html", "table.csv", "table.tex", "references.bib", "results.json")


def show_bench(benched: Benched, found: Sequence[Standings]) -> None:
    """A table a data set, and where the rest lies; fits into 80 columns."""
    console = Console()
    for one in found:
        console.print(_table(one))
    if all(job.method != "continue_erm" for job in benched.bench.jobs):
        console.print(
            "One more ordinary epoch was not run: add continue_erm, or a gain may be no more than that."
        )
    for name, why in benched.failed.items():
        console.print(f"failed: {name}: {why}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        "Differences are in points, on the same images; p (Holm) is about these images, k/n are the seeds "
        "with which the method is above ERM. The full table is in table.html and summary.md.",
        highlight=False,
    )
    files = [name for name in FILES if (benched.out / name).exists()]
    console.print(f"Written to {benched.out}: {', '.join(files)}", highlight=False, soft_wrap=True)


def _table(one: Standings) -> Table:
    by_group = one.by_group
    name = f"{one.dataset} ({one.variant})" if one.variant else one.dataset
    seeds = f"{len(one.seeds)} seeds" if len(one.seeds) > 1 else f"seed {one.seeds[0]}"
    table = Table(
        title=f"{name}, {one.net}: {one.images} images of {one.split}, {seeds}",
        title_justify="left",
        box=HORIZONTALS,
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", no_wrap=True)
    if by_group:
        table.add_column("worst group, %", justify="right", style="bold")
    table.add_column("average, %", justify="right", style=None if by_group else "bold")
    table.add_column("against erm", justify="right")
    table.add_column("group labels")
    for line in one.lines:
        table.add_row(*_row(line, by_group=by_group))
    return table


def _row(line: Standing, *, by_group: bool) -> list[str]:
    worst = [_percent(None if line.worst is None else line.worst.cell)] if by_group else []
    if line.failed and not line.averages:
        return [line.method, *worst, "failed", "", ""]
    return [
        line.method,
        *worst,
        _percent(line.averages.get("accuracy")),
        _points(line.against.get("erm")),
        _labels(line),
    ]


def _percent(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    spread = "" if cell.std is None else f" ± {100 * cell.std:.1f}"
    return f"{100 * cell.mean:.1f}{spread}"


def _points(against: Against | None) -> str:
    if against is None:
        return ""
    seeds = f", {against.better}/{against.seeds}" if against.seeds > 1 else ""
    return f"{100 * against.comparison.difference:+.1f}, p {against.p_holm:.2g}{seeds}"


def _labels(line: Standing) -> str:
    """Where group labels were read."""
    read = {
        "validation_groups": "validation",
        "train_groups": "training",
    }
    found = {read[one] for one in (line.fitted_with, line.selected_with) if one in read}
    return " and ".join(sorted(found)) or "none"


def in_words(estimate: BenchEstimate) -> str:
    """How long it takes, in a sentence."""
    minutes = ", ".join(f"{name} {seconds / 60:.1f} min" for name, seconds in estimate.seconds.items())
    left = estimate.jobs - estimate.done
    some = f"{left} of {estimate.jobs} jobs are left" if estimate.done else f"{estimate.jobs} jobs"
    return (
        f"{some}, one after the other {estimate.total / 60:.1f} minutes ({minutes or 'none'}), "
        f"{estimate.megabytes:.0f} MB"
    )


def begun_in_words(bench: Bench, out: Path) -> str | None:
    """Of a bench that has begun: how much of it is done. Nothing is timed, so that it goes on at once."""
    done = bench.count_done(out)
    return f"{done} of {len(bench.jobs)} jobs are finished" if done else None


def show_bench_estimate(out: Path, bench: Bench, estimate: BenchEstimate) -> None:
    """What a bench would do, and how long it would take."""
    console = Console()
    lines = [f"{name}: {value}" for name, value in bench.settings.items()]
    for name, speeds in estimate.speeds.items():
        lines.append(
            f"{name}: measured {speeds.training:.0f} images/s in training, {speeds.prediction:.0f} in "
            f"prediction, on {speeds.threads} threads"
        )
    lines.append(f"device: {bench.here.device}")
    lines.append(f"estimate: {in_words(estimate)} in {out}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)

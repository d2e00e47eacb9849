"""A trial in the terminal."""

from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from masktune.evaluation import Measure
from masktune.trial import Given, TrialEstimate, Trialled, TrialSettings

_STYLES = {"helped": "bold green", "no_evidence": "yellow", "harmful": "bold red"}

_WORDS = {"helped": "helped", "no_evidence": "no evidence", "harmful": "harmful: keep the old model"}

_COLUMNS = {
    "accuracy": "accuracy",
    "worst_class_accuracy": "worst class",
    "worst_group_accuracy": "worst group",
}

FILES = (
    "report.html",
    "report.json",
    "MODEL_CARD.md",
    "summary.md",
    "images.csv",
    "results.json",
    "masks.png",
)


def show_trial(out: Path, trialled: Trialled) -> None:
    """Verdict, arms, and where the rest lies."""
    console = Console()
    verdict = trialled.verdict
    console.print(Text.assemble((_WORDS[verdict.word], _STYLES[verdict.word]), f": {verdict.reason}."))
    for note in verdict.notes:
        console.print(f"{note}.", highlight=False, markup=False)
    console.print(_table(trialled))
    tuned = sorted(path.name for path in out.glob("tuned.*"))
    files = [*tuned, *(name for name in FILES if (out / name).exists())]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True, markup=False)


def _table(trialled: Trialled) -> Table:
    splits = [split for split in ("validation", "test") if split in trialled.arms[0].measures]
    known = {one.metric for arm in trialled.arms for split in splits for one in arm.measures[split]}
    columns = [(split, metric) for split in splits for metric in _COLUMNS if metric in known]
    table = Table(
        title="Right answers in %, 95 % intervals", title_justify="left", box=HORIZONTALS, padding=0
    )
    table.add_column("arm", no_wrap=True)
    for split, metric in columns:
        table.add_column(f"{_COLUMNS[metric]}\n{split}", justify="right", min_width=16)
    for arm in trialled.arms:
        found = {(split, one.metric): one for split in splits for one in arm.measures[split]}
        given_up = " (given up)" if arm.stopped else ""
        table.add_row(f"{arm.name}{given_up}", *(_cell(found.get(column)) for column in columns))
    return table


def _cell(number: Measure | None) -> str:
    if number is None or number.value is None:
        return "-"
    if number.low is None or number.high is None:
        return f"{100 * number.value:.1f}"
    return f"{100 * number.value:.1f} ({100 * number.low:.1f}-{100 * number.high:.1f})"


def show_trial_estimate(out: Path, settings: TrialSettings, given: Given, estimate: TrialEstimate) -> None:
    """What a trial would do, and how long it would take."""
    console = Console()
    counts = (f"{role} {sum(of.values())}" for role, of in given.counts.items())
    speeds = (
        f"{estimate.training_speed:.1f} images/s in training, {estimate.prediction_speed:.1f} in prediction"
    )
    passes = f"{estimate.epochs:g} epochs of training"
    for line in (
        *(f"{name}: {value}" for name, value in settings.to_record().items()),
        f"images: {', '.join(counts)} in {len(given.train.classes)} classes",
        f"measured: {speeds}, reading included",
        f"estimate: {estimate.seconds / 60:.1f} minutes ({passes}), {estimate.megabytes:.0f} MB in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)

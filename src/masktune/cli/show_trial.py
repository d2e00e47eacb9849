"""A trial in the terminal."""

from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from masktune.evaluation import Measure
from masktune.report import summary_of_trial
from masktune.report.page.trial_words import VERDICTS, sentence
from masktune.trial import Given, TrialEstimate, Trialled, TrialSettings

_STYLES = {"helped": "bold green", "no_evidence": "yellow", "harmful": "bold red"}

_COLUMNS = {
    "accuracy": "accuracy",
    "worst_class_accuracy": "worst class",
    "worst_group_accuracy": "worst group",
}

_SPLITS = {"validation": "the judged images", "test": "the test images"}

FILES = (
    "report.html",
    "report.json",
    "MODEL_CARD.md",
    "summary.md",
    "images.csv",
    "splits.csv",
    "results.json",
    "masks.png",
)


def show_trial(out: Path, trialled: Trialled) -> None:
    """Verdict, what to do, arms, and where the rest lies."""
    console = Console()
    verdict = trialled.verdict
    found, advice = summary_of_trial(trialled)[:2]
    word = VERDICTS[verdict.word]
    console.print(Text.assemble((word, _STYLES[verdict.word]), found.removeprefix(word)))
    for line in (advice, *map(sentence, verdict.notes)):
        console.print(line, highlight=False, markup=False)
    for split in _SPLITS:
        if split in trialled.arms[0].measures:
            console.print(_table(trialled, split))
    tuned = sorted(path.name for path in out.glob("tuned.*"))
    files = [*tuned, *(name for name in FILES if (out / name).exists())]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True, markup=False)


def _table(trialled: Trialled, split: str) -> Table:
    """What each arm has right in one split; fits into 80 columns."""
    found = {arm.name: {one.metric: one for one in arm.measures[split]} for arm in trialled.arms}
    columns = [metric for metric in _COLUMNS if metric in found[trialled.arms[0].name]]
    title = f"Right on {_SPLITS[split]}, % (95 % interval)"
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=0)
    table.add_column("arm", no_wrap=True)
    for metric in columns:
        table.add_column(_COLUMNS[metric], justify="right", min_width=18)
    for arm in trialled.arms:
        # The numbers of an arm that was given up are the old model's.
        cells = ["given up"] if arm.stopped else (_cell(found[arm.name].get(name)) for name in columns)
        table.add_row(arm.name, *cells)
    return table


def _cell(number: Measure | None) -> str:
    if number is None or number.value is None:
        return "-"
    if number.low is None or number.high is None:
        return f"{100 * number.value:.1f}"
    return f"{100 * number.value:.1f} ({100 * number.low:.1f}-{100 * number.high:.1f})"


def estimate_in_words(estimate: TrialEstimate) -> str:
    """How long a trial takes, and how much disk."""
    seconds, passes = estimate.seconds, f"{estimate.epochs:g} epochs of training"
    duration = f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
    return f"about {duration} ({passes}, and what the arms are asked), {estimate.megabytes:.0f} MB"


def show_trial_estimate(out: Path, settings: TrialSettings, given: Given, estimate: TrialEstimate) -> None:
    """What a trial would do, and how long it would take."""
    console = Console()
    counts = (f"{role} {sum(of.values())}" for role, of in given.counts.items())
    speeds = (
        f"{estimate.training_speed:.1f} images/s in training, {estimate.prediction_speed:.1f} in prediction"
    )
    for line in (
        *(f"{name}: {value}" for name, value in _in_words(settings).items()),
        f"images: {', '.join(counts)} in {len(given.train.classes)} classes",
        f"measured: {speeds}, reading included",
        f"estimate: {estimate_in_words(estimate)} in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


_OF_MASKS = ("saliency", "layer", "threshold", "fill")
"""Of the settings of MaskTune those that can be typed; the trial decides the rest."""


def _in_words(settings: TrialSettings) -> dict[str, object]:
    """The settings of a trial, one a line."""
    record: dict[str, object] = {**settings.to_record(), "arms": ", ".join(settings.arms)}
    if settings.learning_rate is None:
        record["learning_rate"] = "chosen among the rates"
    else:
        del record["rates"]
    del record["masktune"]
    return {**record, **{name: getattr(settings.masktune, name) for name in _OF_MASKS}}

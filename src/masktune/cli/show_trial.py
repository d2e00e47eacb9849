"""A trial in the terminal."""

from collections.abc import Mapping
from pathlib import Path

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from masktune.evaluation import Measure
from masktune.report import summary_of_trial
from masktune.report.page.trial_words import (
    SPLITS_IN_WORDS,
    has_thresholds,
    main_metrics,
    measured,
    operating_point,
    sentence,
    title_of_verdict,
    worst_of,
)
from masktune.trial import Given, TrialEstimate, Trialled, TrialSettings

_STYLES = {"helped": "bold green", "no_evidence": "yellow", "harmful": "bold red"}

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
    "splits.csv",
    "results.json",
    "masks.png",
)


def show_trial(out: Path, trialled: Trialled) -> None:
    """Verdict, what to do, arms, and where the rest lies."""
    console = Console()
    verdict = trialled.verdict
    found, advice = summary_of_trial(trialled)[:2]
    word = title_of_verdict(trialled)
    console.print(Text.assemble((word, _STYLES[verdict.word]), found.removeprefix(word)))
    for line in (advice, *map(sentence, verdict.notes)):
        console.print(line, highlight=False, markup=False)
    for split, images in SPLITS_IN_WORDS.items():
        if split in trialled.arms[0].measures:
            title = f"Right on {images}, % (95 % interval)"
            console.print(_table(trialled, split, title, _COLUMNS))
            if has_thresholds(trialled):
                console.print(_table(trialled, split, "At each arm's operating point", _at_point(trialled)))
    if has_thresholds(trialled):
        console.print(operating_point(trialled), highlight=False, markup=False)
    tuned = sorted(path.name for path in out.glob("tuned.*"))
    files = [*tuned, *(name for name in FILES if (out / name).exists())]
    console.print(f"Written to {out}: {', '.join(files)}", highlight=False, soft_wrap=True, markup=False)


def _at_point(trialled: Trialled) -> dict[str, str]:
    """The columns that an operating point moves, with the class that each is about."""
    return {name: title for name, title in main_metrics(trialled).items() if name not in _COLUMNS}


def _table(trialled: Trialled, split: str, title: str, columns: Mapping[str, str]) -> Table:
    """What each arm has right in one split, and where it is worst; fits into 80 columns."""
    columns = {name: words for name, words in columns.items() if measured(trialled.arms[0], name, split)}
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=0)
    table.add_column("arm", no_wrap=True)
    for words in columns.values():
        table.add_column(Text(words), justify="right", min_width=18)
    for arm in trialled.arms:
        # The numbers of an arm that was given up are the old model's.
        cells = [_cell(measured(arm, name, split), worst_of(trialled, arm, name, split)) for name in columns]
        table.add_row(arm.name, *(["given up"] if arm.stopped else cells))
    return table


def _cell(number: Measure | None, where: str) -> Text:
    """A number, its interval, and below them the class or group that it is of."""
    if number is None or number.value is None:
        return Text("-")
    told = f"{100 * number.value:.1f}"
    if number.low is not None and number.high is not None:
        told += f" ({100 * number.low:.1f}-{100 * number.high:.1f})"
    return Text(f"{told}\n({where})" if where else told)


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
        *_point_in_words(settings, given.train.classes),
        f"measured: {speeds}, reading included",
        f"estimate: {estimate_in_words(estimate)} in {out}",
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _point_in_words(settings: TrialSettings, classes: tuple[str, ...]) -> list[str]:
    """Which class an operating point is about; nothing where there is none."""
    if settings.operating_point is None:
        return []
    rest, rare = classes
    return [f"operating point: sensitivity is of {rare}, specificity of {rest}, the threshold is {rare}'s"]


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

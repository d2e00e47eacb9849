"""`select`: abstain where two models disagree, or where one is not sure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from masktune.abstention import COVERAGES, SCORES, Brought, SelectSettings, bring, run_select
from masktune.cli.app import TYPED, app
from masktune.cli.options import FLAT
from masktune.cli.progress import shown_progress
from masktune.cli.show import say
from masktune.cli.show_select import show_select
from masktune.report import write_select
from masktune.runs import check_free
from masktune.selective import KINDS

ScoreName = Literal[
    "product",
    "mean",
    "masktune_official",
    "poe",
    "agree_min",
    "agree_product",
    "mean+margin",
    "mean+entropy",
    "poe+margin",
    "poe+entropy",
]


USED = {
    "calibration": "were used for nothing before",
    "model-selection": "chose the checkpoints, so that no risk can be guaranteed by them",
    "training": "are those that weights were fitted to, so that no risk can be guaranteed by them",
}
"""What calibration images were used for before, by role."""


@dataclass(frozen=True, kw_only=True)
class SelectOptions:
    """What is asked."""

    calibrate: str
    """Split whose images decide from which score on an answer is given: calibration, say."""
    test: str
    """Split that this is judged on: test, say."""
    out: Path
    """Folder for the results: new, empty, or that of the same command."""
    coverage: tuple[float, ...] = COVERAGES
    """Shares of the images to be answered."""
    risk: tuple[float, ...] = ()
    """Shares of the answers that may be wrong: guaranteed, or the command says how many images it takes."""
    delta: float = 0.05
    """Chance that such a guarantee fails."""
    method: Literal["fixed_sequence", "sgr", "bonferroni"] = "fixed_sequence"
    """How a guarantee is found (docs/select.md)."""
    starts: int = 1
    """Of the fixed sequence; 4 survive that the surest images are the worst."""
    empirical: bool = False
    """No guarantee: the largest coverage with so small a risk on the calibration images."""
    methods: tuple[str, ...] = ()
    """Further methods of a run to score alone; ERM, MaskTune and its controls always are."""
    scores: tuple[ScoreName, ...] = cast(tuple[ScoreName, ...], SCORES)
    """Of two models (docs/select.md); each alone is scored by its largest probability."""
    on_disagree: Literal["rank_last", "reject"] = "rank_last"
    """Of agree_*: images where the models disagree come last, or are never answered."""
    per_class: bool = False
    """A threshold for each predicted class; a guarantee then holds for all of them at once."""
    cost_fp: float | None = None
    """Of two classes: what it costs to say the second where the first is true."""
    cost_fn: float | None = None
    """And to say the first where the second is true."""
    temperature: str | None = None
    """Split to fit a temperature of each model on; one that is read for nothing else."""
    images: str | None = None
    """Folder or manifest with the test images: the report shows those on which the models disagree."""
    draws: int = 500
    """Bootstrap draws behind intervals of areas."""
    seed: int = 0
    """Of what is drawn."""


@app.command
def select(
    first: Path,
    second: Path | None = None,
    *,
    options: Annotated[SelectOptions, FLAT],
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Abstain where two models disagree: thresholds, guarantees, and who pays for them.

    FIRST alone is the folder of a finished run: MaskTune's vote with ERM is held against each model alone,
    against votes of ERM with the controls, and against two ordinary trainings. FIRST and SECOND are two
    models: folders with one file a split, or .npz files with an array `split`.

    Example: masktune select tuned --calibrate calibration --test test --risk .05 --out selected

    Example: masktune select erm.npz masktune.npz --calibrate calibration --test test --out selected

    Args:
        first: a run folder, or one model's predictions.
        second: another model's predictions.
        options: what is asked.
        dry_run: say what is there, and write nothing.
        json: print results.json instead of the table.
        quiet: show no progress.
    """
    named = {name: getattr(options, name) for name in SelectSettings.__dataclass_fields__}
    settings = SelectSettings(**named)
    brought = bring(first, second)
    say("note", brought.notes, quiet)
    if dry_run:
        _tell(brought, settings)
        return
    check_free(options.out)
    with shown_progress(quiet, least=2.0) as progress:
        selected = run_select(
            first,
            second,
            settings,
            options.out,
            argv=TYPED.get(),
            progress=progress,
            finish=lambda found: write_select(found, options.out),
            images=options.images,
        )
    if json:
        print((options.out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_select(selected, options.out)


def _tell(brought: Brought, settings: SelectSettings) -> None:
    """What there is to hold side by side, before anything is computed."""
    for voter in brought.voters:
        splits = ", ".join(
            f"{split} {len(voter.says(split)):,}" for split in (settings.calibrate, settings.test)
        )
        print(f"{voter.method}, seed {voter.seed}: {splits}")
    print(f"the images of {settings.calibrate} {USED[brought.role(settings.calibrate)]}")
    for name in settings.scores:
        print(f"{name}: {KINDS[name].means}")

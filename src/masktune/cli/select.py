"""`select`: abstain where two models disagree, or where one is not sure."""

from pathlib import Path
from typing import Annotated

from masktune.abstention import Brought, SelectSettings, bring, run_select
from masktune.cli.app import TYPED, app
from masktune.cli.options import FLAT
from masktune.cli.progress import shown_progress
from masktune.cli.show import say
from masktune.cli.show_select import show_select
from masktune.report import write_select
from masktune.runs import check_free
from masktune.selective import KINDS

USED = {
    "calibration": "were used for nothing before",
    "model-selection": "chose the checkpoints, so that no risk can be guaranteed by them",
    "training": "are those that weights were fitted to, so that no risk can be guaranteed by them",
}
"""What calibration images were used for before, by role."""


@app.command
def select(
    first: Path,
    second: Path | None = None,
    *,
    settings: Annotated[SelectSettings, FLAT],
    out: Path,
    images: str | None = None,
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
        settings: what is asked.
        out: folder for the results: new, empty, or that of the same command.
        images: folder or manifest with the test images: the report shows those on which the models disagree.
        dry_run: say what is there, and write nothing.
        json: print results.json instead of the table.
        quiet: show no progress.
    """
    brought = bring(first, second)
    say("note", brought.notes, quiet)
    if dry_run:
        _tell(brought, settings)
        return
    check_free(out)
    with shown_progress(quiet, least=2.0) as progress:
        selected = run_select(
            first,
            second,
            settings,
            out,
            argv=TYPED.get(),
            progress=progress,
            finish=lambda found: write_select(found, out),
            images=images,
        )
    if json:
        print((out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_select(selected, out)


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

"""`scan`: what does a classifier lean on?"""

import shlex
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

from masktune.cli.app import TYPED, app
from masktune.cli.bring import (
    AnyData,
    AnyInput,
    AnyModel,
    Brought,
    DataOptions,
    InputOptions,
    threshold_of,
)
from masktune.cli.options import FLAT, AllComputing, Computing
from masktune.cli.progress import shown_progress
from masktune.cli.show import say, show_scan, show_scan_estimate
from masktune.findings import Scanned, ScanSettings, check_enough, check_muted, codes, scan_run
from masktune.findings.run import is_finished
from masktune.report import Told, told_of, write_scan, write_told
from masktune.runs import check_free
from masktune.saliency.named import SaliencyName
from masktune.training.devices import processes

BATCH_SIZE = ScanSettings().batch_size


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """What is asked."""

    out: Path
    """Folder for the report: new, empty, or that of the same command."""
    mute: tuple[str, ...] = ()
    """Codes of findings that are not wanted: MT003 MT017."""
    review: int = 100
    """Images in review.csv, for a person to label."""
    groups: Path | None = None
    """A review.csv of these images that a person has filled in; worst-group numbers come of it."""
    no_images: bool = False
    """Leave pictures out of the report."""
    pseudonymous_ids: bool = False
    """Leave names, paths and tags out of report.html and report.json; images.csv and review.csv keep them."""
    saliency: SaliencyName = "auto"
    """How maps are made; auto is xGradCAM where that is safe, else LayerCAM."""
    sigmas: float = 2.0
    """The salient area is what is more than so many standard deviations above the mean of its map."""
    top: float | None = None
    """The salient area is this share of each image instead, 0.05 for a twentieth."""

    def settings(self, computing: Computing) -> ScanSettings:
        """As the findings want it."""
        return ScanSettings(
            saliency=self.saliency,
            layer=computing.layer,
            threshold=threshold_of(self.sigmas, self.top),
            batch_size=BATCH_SIZE if computing.batch_size is None else computing.batch_size,
            precision=computing.precision or "float32",
            seed=computing.seed or 0,
            review=self.review,
        )


@app.command
def scan(
    data: str,
    *,
    model: AnyModel,
    options: Annotated[ScanOptions, FLAT],
    wanted: AnyInput = InputOptions(),  # noqa: B008 - it is frozen.
    images: AnyData = DataOptions(),  # noqa: B008 - it is frozen.
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Find out what a classifier leans on; nothing is trained. The report is one page: OUT/report.html.

    Example: masktune scan photos --model timm:resnet50 --weights resnet50.safetensors --out scanned

    Args:
        data: A folder (class/..., or train|val|test/class/...), a CSV or Parquet table with the columns path
            and label, or a saved Hugging Face data set. Further columns of a table are asked about too.
        model: the classifier.
        options: what is asked.
        wanted: its input.
        images: which images.
        computing: as for every command.
    """
    settings, muted = options.settings(computing), codes(options.mute)
    check_muted(muted)
    brought = Brought(
        data=data,
        model=model,
        wanted=wanted,
        images=images,
        seed=settings.seed,
        batch_size=settings.batch_size,
    )
    with (
        processes(computing.device) as here,
        shown_progress(computing.quiet or not here.first) as progress,
    ):
        if not computing.dry_run:
            check_free(options.out)
        prepared, first = brought.opened(computing, here, progress)
        check_enough(prepared.files)
        if computing.dry_run and here.first:
            show_scan_estimate(options.out, settings, prepared, first)
        if computing.dry_run:
            return
        told = Told(
            images=not options.no_images,
            pseudonymous=options.pseudonymous_ids,
            command=f"masktune {shlex.join(TYPED.get())}",
            made=date.today().isoformat(),
        )
        finished = is_finished(options.out)
        scanned = scan_run(
            prepared,
            settings,
            options.out,
            muted=muted,
            answers=options.groups,
            argv=TYPED.get(),
            here=here,
            progress=progress,
            finish=partial(write_scan, options.out, told=told),
        )
        if finished and here.first:
            say("note", [_drawn_again(options.out, scanned, told)], computing.quiet)
    if not here.first:
        return
    if computing.json:
        print((options.out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_scan(options.out, scanned)


def _drawn_again(out: Path, scanned: Scanned, told: Told) -> str:
    """Draw the report of a finished scan as it is wanted now; gives what a person has to know of it."""
    further = told.beyond(told_of(out, {}))
    write_told(out, scanned, told)
    more = f", with {' and '.join(further)}, which it had not before" if further else ""
    return f"it was finished before, so its report was drawn again{more}; --out elsewhere scans anew"

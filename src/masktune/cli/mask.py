"""`mask`: what a classifier looks at, hidden in a whole data set."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

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
from masktune.cli.show import show_export, show_export_estimate
from masktune.errors import InputError
from masktune.export import ExportSettings, Given, What, estimate_export, export
from masktune.intake import Prepared
from masktune.models import weights_sha256
from masktune.report import write_export_report
from masktune.runs import check_free
from masktune.saliency.named import SaliencyName
from masktune.training.devices import processes

BATCH_SIZE = ExportSettings().batch_size


@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """What is made."""

    out: Path
    """Folder for the results: new, empty, or that of the same command, which then goes on."""
    what: What = "masked"
    """Masked images, masks (white is hidden), low-resolution maps, or overlays to look at."""
    saliency: SaliencyName = "auto"
    """How maps are made; auto is xGradCAM where that is safe, else LayerCAM."""
    explain: Literal["predicted", "label"] = "predicted"
    """Whose evidence is hidden: the predicted class or the true one."""
    sigmas: float = 2.0
    """Hide what is more than so many standard deviations above the mean of its map."""
    top: float | None = None
    """Hide this share of each image instead, 0.05 for a twentieth; --sigmas then has no meaning."""
    fill: str = "black"
    """What hidden pixels become: black, image_mean, noise or blur."""

    def settings(self, computing: Computing) -> ExportSettings:
        """As the export wants it."""
        return ExportSettings(
            what=self.what,
            saliency=self.saliency,
            layer=computing.layer,
            classes=self.explain,
            threshold=threshold_of(self.sigmas, self.top),
            fill=self.fill,
            batch_size=BATCH_SIZE if computing.batch_size is None else computing.batch_size,
            precision=computing.precision or "float32",
            seed=computing.seed or 0,
        )


@app.command
def mask(
    data: str,
    *,
    model: AnyModel,
    options: Annotated[MaskOptions, FLAT],
    wanted: AnyInput = InputOptions(),  # noqa: B008 - it is frozen.
    images: AnyData = DataOptions(),  # noqa: B008 - it is frozen.
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Hide what a classifier looks at, in every image of a folder or table.

    Masked images keep the size of their files and their pixels outside of the mask; a manifest lies beside.

    Example: masktune mask photos --model timm:resnet50 --weights resnet50.safetensors --out masked

    Args:
        data: A folder (class/..., or train|val|test/class/...), a CSV or Parquet table with the columns path
            and label, or a saved Hugging Face data set.
        model: the classifier.
        options: what is made.
        wanted: its input.
        images: which images.
        computing: as for every command.
    """
    settings = options.settings(computing)
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
        prepared, _ = brought.opened(computing, here, progress)
        given = _given(prepared, settings)
        if computing.dry_run:
            if here.first:
                show_export_estimate(options.out, estimate_export(given, settings, here))
            return
        finish = partial(write_export_report, options.out)
        exported = export(
            given, settings, options.out, argv=TYPED.get(), here=here, progress=progress, finish=finish
        )
    if exported is None:
        return
    if computing.json:
        print((options.out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_export(options.out, exported)


def _given(prepared: Prepared, settings: ExportSettings) -> Given:
    if settings.classes == "label" and not prepared.same_classes:
        raise InputError(
            "expected logits that stand for the data's classes for --explain label, but the net has its own "
            "classes; leave it out, or pass a model of these classes"
        )
    return Given(
        name=prepared.name,
        files=prepared.files,
        sha256=prepared.sha256,
        classifier=prepared.model.classifier,
        weights_sha256=weights_sha256(prepared.model.classifier),
        how=prepared.how,
        skipped=prepared.checked.problems,
    )

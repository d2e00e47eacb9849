"""`tune`: does MaskTune help this classifier on these images?"""

import shlex
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from jaxtyping import Int64

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
from masktune.cli.show import say
from masktune.cli.show_trial import estimate_in_words, show_trial, show_trial_estimate
from masktune.errors import InputError
from masktune.intake import Prepared
from masktune.methods import MaskTune
from masktune.report import Told, told_of, write_trial, write_trial_told
from masktune.runs import check_free
from masktune.saliency.named import SaliencyName
from masktune.training.augment import Augment
from masktune.training.devices import processes
from masktune.training.losses import Loss
from masktune.trial import (
    ARMS,
    ArmName,
    Given,
    Trialled,
    TrialSettings,
    effects_in_words,
    effects_of,
    estimate_trial,
    given_to_tune,
    is_finished,
    rule_in_words,
    title_of,
    tune_run,
)

BATCH_SIZE = TrialSettings().batch_size


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What is tried, and what is known of the weights."""

    out: Path
    """Folder for weights and report: new, empty, or that of the same command, which then goes on."""
    trained_on: str | None = None
    """What the weights have seen: FILE of names, all, none, unknown; else split train, where there is one."""
    epochs: int = 0
    """Epochs of ordinary training first, for weights that don't know these classes yet."""
    arms: tuple[ArmName, ...] = ARMS
    """What is run: masktune alone gives tuned weights and no verdict."""
    calibration_share: float = 0.0
    """Of the unseen images, reserved for masktune select; splits.csv names them."""
    validation_share: float | None = None
    """Of the unseen images, judged on instead of tuned on, 1 for all; only where no split is given for it."""
    operating_point: str | None = None
    """Where the second of two classes is given: threshold=.12 or specificity=.95."""
    groups: Path | None = None
    """A review.csv of a scan of these images, filled in by a person; its numbers stand beside the verdict."""
    data_license: str | None = None
    """Licence of the images, for card and statement."""
    weights_license: str | None = None
    """Licence of the weights; of a model of timm what timm says of its own if not given."""
    no_images: bool = False
    """Leave pictures out of the report."""
    pseudonymous_ids: bool = False
    """Leave names, paths and tags out of report.html, report.json, summary.md and MODEL_CARD.md."""


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """How the tuning epoch is trained; the same for all arms."""

    lr: float | None = None
    """Learning rate of the tuning epoch; chosen by a rule if not given."""
    first_lr: float = TrialSettings().first_learning_rate
    """Learning rate of the training that --epochs asks for."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam, or SGD with momentum."""
    weight_decay: float = TrialSettings().weight_decay
    """L2 penalty."""
    loss: Loss = "cross_entropy"
    """balanced weighs all classes alike; smoothed is label smoothing of 0.1."""
    augment: Augment = "none"
    """Mirrors images by chance, crops them a little, or both."""
    freeze_bn: bool = False
    """Keep the statistics of batch norm."""


@dataclass(frozen=True, kw_only=True)
class HidingOptions:
    """What is hidden."""

    saliency: SaliencyName = "auto"
    """How maps are made; auto is xGradCAM where that is safe, else LayerCAM."""
    sigmas: float = 2.0
    """Hide what is more than so many standard deviations above the mean of its map."""
    top: float | None = None
    """Hide this share of each image instead, 0.05 for a twentieth."""
    fill: str = "black"
    """What hidden pixels become: black, image_mean, noise or blur."""


RECIPE = Annotated[RecipeOptions, Parameter(name="*", group="Recipe of the tuning epoch")]
HIDING = Annotated[HidingOptions, Parameter(name="*", group="What is hidden")]


@app.command
def tune(
    data: str,
    *,
    model: AnyModel,
    options: Annotated[TuneOptions, FLAT],
    recipe: RECIPE = RecipeOptions(),
    hiding: HIDING = HidingOptions(),
    wanted: AnyInput = InputOptions(),  # noqa: B008 - it is frozen.
    images: AnyData = DataOptions(),  # noqa: B008 - it is frozen.
    computing: AllComputing = Computing(),  # noqa: B008 - it is frozen.
) -> None:
    """Does MaskTune help this classifier on these images? A controlled trial; no group labels are needed.

    MaskTune hides where the classifier looks and tunes it for one epoch. For
    comparison one more ordinary epoch, random masks of equal area, and masks on
    the least salient area are tried. The report is OUT/report.html; the tuned
    weights lie beside it, unless they do harm.

    Example: masktune tune photos --model timm:resnet50 --weights resnet50.safetensors --out tuned

    Example: masktune tune photos --model timm:resnet50 --weights imagenet.safetensors --epochs 5 --out tuned

    Args:
        data: A folder (class/..., or train|val|test/class/...), a CSV or Parquet table with the columns path
            and label, or a saved Hugging Face data set.
        model: the classifier.
        options: what is tried.
        recipe: how it is tuned.
        hiding: what is hidden.
        wanted: its input.
        images: which images.
        computing: as for every command.
    """
    settings = _settings(options, recipe, hiding, computing)
    brought = Brought(
        data=data,
        model=model,
        wanted=wanted,
        images=images,
        seed=settings.seed,
        batch_size=settings.batch_size,
        trained_first=settings.epochs > 0,
    )
    with (
        processes(computing.device) as here,
        shown_progress(computing.quiet or not here.first) as progress,
    ):
        if not computing.dry_run:
            check_free(options.out)
        prepared, first = brought.opened(computing, here, progress, partial(_tried_on, settings))
        # Who reads the report has not seen the terminal.
        prepared = replace(prepared, notes=(*prepared.notes, *first.suspicions))
        given = given_to_tune(prepared, settings)
        finished = is_finished(options.out) and not computing.dry_run
        if not finished:
            quiet = computing.quiet or not here.first
            say("note", _said_first(prepared, given, settings), quiet)
            estimate = estimate_trial(given, settings, here)
            say("estimate", [estimate_in_words(estimate)], quiet or computing.dry_run)
            if computing.dry_run and here.first:
                show_trial_estimate(options.out, settings, given, estimate)
        if computing.dry_run:
            return
        told = Told(
            images=not options.no_images,
            pseudonymous=options.pseudonymous_ids,
            command=f"masktune {shlex.join(TYPED.get())}",
            made=date.today().isoformat(),
        )
        trialled = tune_run(
            prepared,
            settings,
            options.out,
            title=title_of(data),
            data_license=options.data_license,
            weights_license=options.weights_license,
            answers=options.groups,
            argv=TYPED.get(),
            here=here,
            progress=progress,
            finish=partial(write_trial, options.out, told=told),
        )
        if finished and here.first:
            say("note", [_drawn_again(options.out, trialled, told)], computing.quiet)
    if not here.first:
        return
    if computing.json:
        print((options.out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show_trial(options.out, trialled)


def _tried_on(settings: TrialSettings, prepared: Prepared) -> Int64[np.ndarray, " m"]:
    """Images that may be looked at before the trial: those that are tuned on and those that are judged."""
    roles = list(given_to_tune(prepared, settings).roles.values())
    return np.flatnonzero(np.isin(roles, ("train", "validation")))


def _said_first(prepared: Prepared, given: Given, settings: TrialSettings) -> list[str]:
    """What a person should know before the work begins, and was not told when the images were opened."""
    notes = [note for note in given.notes if note not in prepared.notes]
    return [given.seen, *notes, effects_in_words(effects_of(given)), rule_in_words(settings)]


def _drawn_again(out: Path, trialled: Trialled, told: Told) -> str:
    """Draw the report of a finished trial as it is wanted now; gives what a person has to know of it."""
    further = told.beyond(told_of(out, {}))
    write_trial_told(out, trialled, told)
    more = f", with {' and '.join(further)}, which it had not before" if further else ""
    return f"it was finished before, so its report was drawn again{more}; --out elsewhere tunes anew"


def _settings(
    options: TuneOptions, recipe: RecipeOptions, hiding: HidingOptions, computing: Computing
) -> TrialSettings:
    """As the trial wants it."""
    if computing.precision not in (None, "float32"):
        raise InputError("tune trains in float32; leave --precision out")
    return TrialSettings(
        arms=tuple(arm for arm in ARMS if arm in ("untouched", *options.arms)),
        epochs=options.epochs,
        first_learning_rate=recipe.first_lr,
        learning_rate=recipe.lr,
        optimizer=recipe.optimizer,
        weight_decay=recipe.weight_decay,
        batch_size=BATCH_SIZE if computing.batch_size is None else computing.batch_size,
        loss=recipe.loss,
        augment=recipe.augment,
        freeze_bn=recipe.freeze_bn,
        masktune=MaskTune(
            saliency=hiding.saliency,
            layer=computing.layer,
            threshold=threshold_of(hiding.sigmas, hiding.top),
            fill=hiding.fill,
            optimizer_state="fresh",
        ),
        trained_on=options.trained_on,
        calibration_share=options.calibration_share,
        validation_share=options.validation_share,
        operating_point=options.operating_point,
        seed=computing.seed or 0,
    )

"""What can be typed about one's own images and classifier; shared by all commands that take them."""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from jaxtyping import Int64

from masktune.cli.options import Computing
from masktune.cli.show import say
from masktune.errors import InputError
from masktune.intake import DataChoices, ModelChoices, Prepared, TrialRun, prepare, trial_run
from masktune.masking import MeanPlusStd, Threshold, TopFraction
from masktune.models import InputOverrides
from masktune.training.devices import Processes
from masktune.types import Interpolation, PixelRange, Progress, Resize


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The classifier."""

    model: str
    """timm:NAME, torchvision:NAME, hf:DIR, package.module:function or path/to/file.py:function."""
    weights: Path | None = None
    """Its weights: safetensors, a state dict, or a checkpoint of Lightning, timm or Hugging Face."""
    classes: str | None = None
    """The class of each logit, in order: cat,dog or a text file, one a line. Alphabetical if not given."""
    target: str | None = None
    """Of a multi-label head the logit to ask about, by number or name."""
    expect: str | None = None
    """accuracy=0.91: stop if the classifier is clearly better or worse than that on these images."""
    allow_download: bool = False
    """Fetch the library's own weights, or a data set or model of the hub."""

    @property
    def accuracy(self) -> float | None:
        """What is expected."""
        if self.expect is None:
            return None
        name, _, number = self.expect.partition("=")
        try:
            if name.strip() != "accuracy":
                raise ValueError
            return float(number)
        except ValueError:
            raise InputError(f"expected --expect accuracy=0.91, got {self.expect!r}") from None


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """The input that the classifier wants; its own config decides what is not given."""

    input_size: tuple[int, int] | None = None
    """Height and width in pixels."""
    resize: Resize | None = None
    """Cut out the middle, squash, or add a black border."""
    crop_share: float | None = None
    """The share of the shorter side that is kept; with squash of both sides."""
    mean: tuple[float, ...] | None = None
    """That is subtracted, per channel or one for all, of pixels from 0 to 1."""
    std: tuple[float, ...] | None = None
    """That is divided by."""
    interpolation: Interpolation | None = None
    """How images are resampled."""
    channels: int | None = None
    """1 for grey, 3 for colour."""
    range: tuple[str, ...] | None = None
    """What is black and white: dtype, percentile, or two numbers in the files' own units."""
    preprocess: str | None = None
    """file.py:function, from an opened PIL image to pixels, instead of cutting and resizing."""

    @property
    def overrides(self) -> InputOverrides:
        """As the models want it."""
        return InputOverrides(
            size=self.input_size,
            resize=self.resize,
            crop_share=self.crop_share,
            mean=self.mean,
            std=self.std,
            interpolation=self.interpolation,
            channels=self.channels,
            range=_range(self.range),
        )


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The images."""

    split: str | None = None
    """Only this split: train, validation, test."""
    subject_from: str | None = None
    """A regular expression that finds the subject (patient, car, place) in a file's name."""
    root: Path | None = None
    """The folder that a manifest's paths are relative to; its own if not given."""
    path_column: str | None = None
    """Of a manifest, if it is not called path."""
    label_column: str | None = None
    """Of a manifest, if it is not called label."""
    split_column: str | None = None
    """Of a manifest, if it is not called split."""
    group_column: str | None = None
    """Of a manifest, if it is not called group."""
    subject_column: str | None = None
    """Of a manifest, if it is not called subject."""
    group_by: str | None = None
    """A further column of a manifest whose values, with the class, make the groups."""
    image_column: str | None = None
    """Of a saved data set with images in several columns."""
    skip_unreadable: bool = False
    """Go on without images that cannot be read; they are listed and counted."""
    max_images: int | None = None
    """Only so many, drawn by class and seed."""
    cache: Path | None = None
    """Keep decoded images in this folder; the next run is faster."""

    def choices(self, data: str, *, cached: bool = True) -> DataChoices:
        """As the intake wants it; a dry run writes nothing, and so no cache."""
        names = ("path", "label", "split", "group", "subject", "image")
        given = ((name, getattr(self, f"{name}_column")) for name in names)
        return DataChoices(
            data=data,
            root=self.root,
            split=self.split,
            subject_from=self.subject_from,
            columns=tuple((name, column) for name, column in given if column is not None),
            group_by=self.group_by,
            skip_unreadable=self.skip_unreadable,
            cache=self.cache if cached else None,
            max_images=self.max_images,
        )


def model_choices(
    model: ModelOptions, wanted: InputOptions, seed: int, *, trained_first: bool = False
) -> ModelChoices:
    """As the intake wants it; what is trained first may have a fresh head, or no weights at all."""
    _check_function(model.model)
    return ModelChoices(
        model=model.model,
        weights=model.weights,
        classes=None if model.classes is None else classes_of(model.classes),
        target=int(model.target) if model.target is not None and model.target.isdigit() else model.target,
        head="fresh" if trained_first and model.target is None else "as_is",
        random_ok=trained_first,
        input=wanted.overrides,
        preprocess=wanted.preprocess,
        allow_download=model.allow_download,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What was typed about one's own images and classifier, to be opened."""

    data: str
    model: ModelOptions
    wanted: InputOptions
    images: DataOptions
    seed: int
    batch_size: int
    trained_first: bool = False
    """Whether the classifier is trained before anything is asked of it."""

    def opened(
        self,
        computing: Computing,
        here: Processes,
        progress: Progress,
        tried_on: Callable[[Prepared], Int64[np.ndarray, " m"]] | None = None,
    ) -> tuple[Prepared, TrialRun]:
        """Open and check all of it, try the classifier, and say what a person should know first.

        `tried_on` gives the positions of the images that it may be tried on; all without.
        """
        prepared = prepare(
            self.images.choices(self.data, cached=not computing.dry_run),
            model_choices(self.model, self.wanted, self.seed, trained_first=self.trained_first),
            threads=computing.workers,
            here=here,
            progress=progress,
        )
        quiet = computing.quiet or not here.first
        say("note", prepared.notes, quiet)
        some = prepared
        if tried_on is not None:
            some = replace(prepared, files=prepared.files.select(tried_on(prepared)))
        first = trial_run(some, expect=self.model.accuracy, batch_size=self.batch_size, here=here)
        # Of a classifier that is still to be trained, wrong answers are no sign of anything.
        if self.trained_first:
            first = replace(first, suspicions=(), right=None)
        say("warning", first.suspicions, quiet=not here.first)
        say("measured", [first.sentence, *first.accuracy], quiet)
        return prepared, first


def _check_function(model: str) -> None:
    """Refuse a user's file without the function in it that builds the net, and say what it has."""
    place, _, function = model.partition(":")
    if function:
        return
    files = [one for one in (Path(place), Path(f"{place}.py")) if one.suffix == ".py" and one.is_file()]
    if not files:
        return
    file = files[0]
    known = _defined_in(file)
    raise InputError(
        f"expected --model {file}:FUNCTION, a function or class that gives the net without arguments, got "
        f"{model!r}; {file.name} defines {', '.join(known) or 'none'}"
    )


def _defined_in(file: Path) -> list[str]:
    """Names of the functions and classes in a file of Python, which is not run; none if it cannot be read."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    defined = [one.name for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    return [name for name in defined if not name.startswith("_")]


def classes_of(words: str) -> tuple[str, ...]:
    """The names in `--classes`: with commas between, or the lines of a file."""
    file = Path(words)
    if file.suffix == ".txt" and not file.is_file():
        raise InputError(
            f"expected class names or a text file with one a line for --classes, found no {words}"
        )
    if not file.is_file():
        return tuple(map(str.strip, words.split(",")))
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"expected a text file with a class a line for --classes, got {words} ({error})"
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def threshold_of(sigmas: float, top: float | None) -> Threshold:
    """The threshold that `--sigmas` and `--top` mean."""
    if not (math.isfinite(sigmas) and sigmas >= 0):
        raise InputError(f"expected --sigmas of 0 or more, got {sigmas}; the paper uses 2")
    if top is not None and not 0 < top <= 1:
        raise InputError(f"expected --top as a share above 0 and up to 1, got {top}; 0.05 hides a twentieth")
    return MeanPlusStd(sigmas) if top is None else TopFraction(top)


def _range(words: tuple[str, ...] | None) -> PixelRange | None:
    match words:
        case None:
            return None
        case ("dtype",):
            return "dtype"
        case ("percentile",):
            return "percentile"
        case (low, high):
            try:
                return float(low), float(high)
            except ValueError:
                pass
    raise InputError(f"expected --range dtype, --range percentile or --range LO HI, got {' '.join(words)}")


MODEL = Parameter(name="*", group="Classifier")
INPUT = Parameter(name="*", group="Input of the classifier, where its own config is wrong or silent")
DATA = Parameter(name="*", group="Images")

AnyModel = Annotated[ModelOptions, MODEL]
AnyInput = Annotated[InputOptions, INPUT]
AnyData = Annotated[DataOptions, DATA]

"""What a user says of their images and their classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from masktune.models.specs import InputOverrides


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChoices:
    """Which images, and how they are to be understood."""

    data: str
    """A folder, a CSV or Parquet manifest, a saved Hugging Face data set, or hub:name."""
    root: Path | None = None
    """The folder that a manifest's paths are relative to; its own if not given."""
    split: str | None = None
    """Only this split; None for all images."""
    subject_from: str | None = None
    """A regular expression that finds the subject in a file's name."""
    columns: tuple[tuple[str, str], ...] = ()
    """Names of a manifest's columns where they differ: ("label", "diagnosis")."""
    group_by: str | None = None
    """A further column of a manifest whose values, with the class, make the groups."""
    skip_unreadable: bool = False
    """Go on without the images that cannot be read."""
    cache: Path | None = None
    """Keep decoded images in this folder."""
    max_images: int | None = None
    """A part of the images, drawn by class and seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoices:
    """Which classifier, and what it wants as input."""

    model: str
    """timm:NAME, torchvision:NAME, hf:DIR, package.module:function or file.py:function."""
    weights: Path | None = None
    """A file of weights; None where the model brings its own."""
    classes: tuple[str, ...] | None = None
    """The class of each logit, in order, spelled as in the data; None for the data's own order."""
    target: int | str | None = None
    """The logit of a multi-label head that is asked about."""
    head: Literal["as_is", "fresh"] = "as_is"
    """Whether a head for other classes is kept or made anew."""
    input: InputOverrides = InputOverrides()  # noqa: RUF009 - it is frozen.
    """What to change in the input that the model's own config asks for."""
    preprocess: str | None = None
    """file.py:function that turns an opened image into pixels, instead of cutting and resizing."""
    random_ok: bool = False
    """Whether a net without weights is wanted, since it is trained first."""
    allow_download: bool = False
    """Weights or data may be fetched."""
    seed: int = 0
    """Of what is made anew or drawn."""

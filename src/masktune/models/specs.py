"""What a net wants as input, from its model's own config, with every field open to the user."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, final

from torch import nn

from masktune.models.hugging_face_specs import hugging_face_spec
from masktune.models.named import NamedNet, first_convolution, torchvision_models
from masktune.types import InputSpec, Interpolation, PixelRange, Resize

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_OPTIONS = "--input-size, --mean, --std, --resize, --interpolation"
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")

Told = tuple[InputSpec, tuple[str, ...]]
"""A spec, and what a person should know of it."""


@final
@dataclass(frozen=True, slots=True)
class InputOverrides:
    """The fields of an InputSpec that the user gives; None leaves what the model's config says."""

    size: tuple[int, int] | None = None
    """Height and width in pixels."""
    resize: Resize | None = None
    """How another aspect ratio is brought to `size`."""
    crop_share: float | None = None
    """The share of the shorter side (with `squash` of both) that is kept."""
    mean: tuple[float, ...] | None = None
    """Per channel, or one number for all, of pixels in [0, 1]."""
    std: tuple[float, ...] | None = None
    """Per channel, or one number for all, of pixels in [0, 1]."""
    interpolation: Interpolation | None = None
    """How images are resampled."""
    channels: int | None = None
    """Channels of the images."""
    range: PixelRange | None = None
    """What becomes 0 and 1."""

    @property
    def are_complete(self) -> bool:
        """Size, mean and std are given, so nothing that matters is guessed."""
        return None not in (self.size, self.mean, self.std)

    def applied_to(self, spec: InputSpec) -> InputSpec:
        """The spec with these fields in place of its own.

        Raises:
            InputError: see `InputSpec`.
        """
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }
        if self.resize in ("squash", "pad") and self.crop_share is None:
            given["crop_share"] = 1.0  # Who asks for one of them wants to see all of an image.
        if self.channels is not None:
            spec = with_channel_count(spec, self.channels, mean=self.mean, std=self.std)
        return replace(spec, **given)


def spec_of(named: NamedNet, weights: Path | None = None) -> Told:
    """The InputSpec of a model's own config, and notes on what it leaves open.

    Args:
        named: the net; one for grey images or for n channels gets the average of mean and std.
        weights: the file of weights, whose name tells which of torchvision's it is.
    """
    if named.classifier is not None:
        return named.classifier.spec, ()
    if named.scheme == "timm":
        spec, notes = _of_timm(config_of(named.net))
    elif named.scheme == "torchvision":
        spec, notes = _of_torchvision(named, weights)
    elif named.scheme == "hf":
        spec, notes = hugging_face_spec(named.name)
    else:
        spec, notes = _of_function(named.net)
    found = first_convolution(named.net)
    channels = found[1].in_channels if found else spec.channels
    if channels == spec.channels:
        return spec, notes
    what = "grey images" if channels == 1 else f"images of {channels} channels"
    note = f"{what}: mean and std are the average over those of colour; --mean and --std change them"
    return with_channel_count(spec, channels), (*notes, note)


def with_channel_count(
    spec: InputSpec,
    channels: int,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> InputSpec:
    """The spec for images of so many channels; numbers by channel that no longer fit become their average."""
    mean, std = mean or spec.mean, std or spec.std
    mean, std = (
        values if len(values) in (1, channels) else (round(sum(values) / len(values), 6),)
        for values in (mean, std)
    )
    return replace(spec, channels=channels, mean=mean, std=std)


def describe(spec: InputSpec) -> str:
    """One line for a person: "224x224 pixels, colour, crop (the middle 87.5 % of the shorter side), ..."."""
    height, width = spec.size
    colour = {1: "grey", 3: "colour"}.get(spec.channels, f"{spec.channels} channels")
    resize: str = spec.resize
    if resize == "crop":
        resize = f"crop (the middle {spec.crop_share:.1%} of the shorter side)"
    elif resize == "squash" and spec.crop_share < 1:
        resize = f"squash (the middle {spec.crop_share:.1%} of both sides)"
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (spec.mean, spec.std))
    scale = spec.range if isinstance(spec.range, str) else f"{spec.range[0]:g} to {spec.range[1]:g}"
    return (
        f"{height}x{width} pixels, {colour}, {resize.replace('%', ' %')}, {spec.interpolation}, "
        f"mean {mean}, std {std}, range {scale}"
    )


def config_of(net: nn.Module) -> Mapping[str, Any]:
    """The description by timm of a net, which nets of others may carry too; empty where there is none."""
    for name in ("pretrained_cfg", "default_cfg"):
        config = getattr(net, name, None)
        if config is not None and hasattr(config, "to_dict"):
            config = config.to_dict()
        if isinstance(config, Mapping) and "input_size" in config:
            return config
    return {}


def _of_timm(config: Mapping[str, Any]) -> Told:
    """As `resolve_data_config` of timm, without the values for tests at a larger size."""
    notes = []
    mode, share = config.get("crop_mode") or "center", config.get("crop_pct") or 0.875
    resize: Resize = "crop"
    if mode in ("squash", "border"):
        resize = "squash" if mode == "squash" else "pad"
        if resize == "pad" and share < 1:
            notes.append(f"timm cuts {share:.3g} out of the {mode}ed image; here all of it is seen")
        elif resize == "pad":
            notes.append("timm's border has the mean colour; here it is black")
    interpolation, note = known_interpolation(config.get("interpolation") or "bilinear")
    channels, height, width = config["input_size"]
    spec = InputSpec(
        size=(int(height), int(width)),
        channels=int(channels),
        mean=tuple(config.get("mean") or IMAGENET_MEAN),
        std=tuple(config.get("std") or IMAGENET_STD),
        resize=resize,
        crop_share=float(share),
        interpolation=interpolation,
    )
    return spec, (*notes, *note)


def _of_torchvision(named: NamedNet, weights: Path | None) -> Told:
    """That of the weights whose file bears this name, else of the first ones."""
    entries = list(torchvision_models(str(named)).get_model_weights(named.name))
    if named.trained:
        entries = [type(entries[0]).DEFAULT]
    same = [entry for entry in entries if weights is not None and entry.url.endswith(f"/{weights.name}")]
    entry = (same or entries)[0]
    transforms = entry.transforms()
    interpolation, notes = known_interpolation(transforms.interpolation.value)
    (size, *_), (resized, *_) = transforms.crop_size, transforms.resize_size
    spec = InputSpec(
        size=(size, size),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        crop_share=size / resized,
        interpolation=interpolation,
    )
    if len(entries) > 1 and not same:
        notes = (*notes, f"input as for torchvision's {entry.name}; {_OPTIONS} change it")
    return spec, notes


def _of_function(net: nn.Module) -> Told:
    """What the net says of itself, else what most nets want."""
    own = getattr(net, "spec", None)
    if isinstance(own, InputSpec):
        return own, ()
    if config := config_of(net):
        return _of_timm(config)
    found = first_convolution(net)
    channels = found[1].in_channels if found else 3
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.5,), (0.5,))
    note = (
        f"the model does not say what input it wants: where not given, 224x224, mean {mean}, std {std} are "
        f"taken; {_OPTIONS} change it, and so does an attribute `spec` (an InputSpec) of the module"
    )
    return InputSpec((224, 224), channels, mean, std, crop_share=0.875), (note,)


def known_interpolation(
    name: str,
) -> tuple[Literal["nearest", "bilinear", "bicubic"], tuple[str, ...]]:
    """The interpolation of that name, or the nearest of ours and a note."""
    if name in _INTERPOLATIONS:
        return name, ()  # type: ignore[return-value] # mypy does not narrow a str by `in`.
    nearest: Literal["bilinear", "bicubic"] = "bicubic" if name == "lanczos" else "bilinear"
    return nearest, (f"the model's images were resized by {name}; here it is {nearest}",)

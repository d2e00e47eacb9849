"""What a saved model of Hugging Face wants as input, from its image processor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from masktune.errors import InputError
from masktune.models.hugging_face import transformers_for
from masktune.types import InputSpec

Geometry = tuple[tuple[int, int], Literal["crop", "squash"], float, tuple[str, ...]]
"""Size, resize, crop share, notes."""

_FILES = ("preprocessor_config.json", "processor_config.json")
_RESAMPLE: Mapping[int, Literal["nearest", "bilinear", "bicubic"]] = {
    0: "nearest",
    2: "bilinear",
    3: "bicubic",
}
_OTHER = {1: "lanczos", 4: "box", 5: "hamming"}
_CONVNEXT_WARPS = 384
"""From this size on ConvNeXT's processor squashes instead of cropping."""


def hugging_face_spec(place: str) -> tuple[InputSpec, tuple[str, ...]]:
    """Read the image processor of a saved model, whose class knows the defaults that its file leaves out.

    Raises:
        InputError: the processor cannot be read.
    """
    if Path(place).is_dir() and not any((Path(place) / name).is_file() for name in _FILES):
        note = (
            f"no {_FILES[0]} in {place}: input taken as 224x224, mean 0.5, std 0.5; "
            "--input-size, --mean, --std change it"
        )
        return InputSpec((224, 224), mean=(0.5,) * 3, std=(0.5,) * 3, resize="squash"), (note,)
    processor = _processor(place)
    size, resize, share, notes = _geometry(processor)
    mean, std = _normalisation(processor)
    resample = int(getattr(processor, "resample", None) or 0)
    interpolation = _RESAMPLE.get(resample) or ("bicubic" if resample == 1 else "bilinear")
    if resample in _OTHER:
        notes = (*notes, f"the model's images were resized by {_OTHER[resample]}; here it is {interpolation}")
    spec = InputSpec(
        size=size,
        channels=3,
        mean=mean,
        std=std,
        resize=resize,
        crop_share=share,
        interpolation=interpolation,
    )
    return spec, notes


def _processor(place: str) -> Any:
    local = Path(place).is_dir()
    try:
        return transformers_for(f"hf:{place}").AutoImageProcessor.from_pretrained(
            place, local_files_only=local
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"cannot read the image processor of hf:{place}: {first}") from error


def _geometry(processor: Any) -> Geometry:
    """How the processor brings images to size."""
    size, crop = _sides(processor.size), _sides(getattr(processor, "crop_size", None))
    crops = bool(getattr(processor, "do_center_crop", False)) and "height" in crop
    share = getattr(processor, "crop_pct", None)
    if not getattr(processor, "do_resize", True):
        cut = (crop["height"], crop["width"]) if crops else _square(size)
        return cut, "crop", 1.0, ("the model's processor does not resize; here images are cropped to size",)
    if "shortest_edge" in size and share is not None:
        short = size["shortest_edge"]
        squash = short >= _CONVNEXT_WARPS and not crops
        return (short, short), "squash" if squash else "crop", 1.0 if squash else float(share), ()
    if "LevitImage" in type(processor).__name__ and "shortest_edge" in size:
        size = {"shortest_edge": int(256 / 224 * size["shortest_edge"])}
    if "shortest_edge" in size:
        return _from_shortest(size["shortest_edge"], crop if crops else {})
    if "height" not in size:
        cut = (crop["height"], crop["width"]) if crops else _square(size)
        return cut, "crop", 1.0, (f"the model's processor resizes by {_words(size)}; here it is a crop",)
    whole = (size["height"], size["width"])
    if not crops or (crop["height"], crop["width"]) == whole:
        return whole, "squash", 1.0, ()
    cut = (crop["height"], crop["width"])
    shares = cut[0] / whole[0], cut[1] / whole[1]
    if shares[0] == shares[1] <= 1:
        return cut, "squash", shares[0], ()
    note = f"the model's processor squashes to {_words(size)}, then cuts; here it only cuts"
    return cut, "crop", min(*shares, 1.0), (note,)


def _from_shortest(short: int, crop: Mapping[str, int]) -> Geometry:
    if not crop:
        note = "the model's processor keeps the whole image, in any shape; here its middle square is seen"
        return (short, short), "crop", 1.0, (note,)
    cut = (crop["height"], crop["width"])
    if min(cut) > short:
        note = f"the model's processor adds a border around {short} pixels; here the image is larger instead"
        return cut, "crop", 1.0, (note,)
    return cut, "crop", min(cut) / short, ()


def _normalisation(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of pixels in [0, 1] that do what the processor does to bytes, whatever its scale."""
    scale, offset = 255.0, 0.0
    if getattr(processor, "do_rescale", True):
        scale = 255 * float(getattr(processor, "rescale_factor", None) or 1 / 255)
        offset = 1.0 if getattr(processor, "rescale_offset", False) else 0.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    if getattr(processor, "do_normalize", True):
        mean, std = (_numbers(getattr(processor, name)) for name in ("image_mean", "image_std"))
        if getattr(processor, "include_top", False):
            std = tuple(value**2 for value in std)  # EfficientNet's divides twice.
    return (
        tuple(round((value + offset) / scale, 9) for value in mean),
        tuple(round(value / scale, 9) for value in std),
    )


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list | tuple) else (float(value),)


def _sides(size: Any) -> dict[str, int]:
    """The sides that a size names; a bare number is a square's."""
    if size is None:
        return {}
    if isinstance(size, int):
        return {"height": size, "width": size}
    names = ("height", "width", "shortest_edge", "longest_edge")
    values = size if isinstance(size, Mapping) else vars(size)
    return {name: int(values[name]) for name in names if values.get(name)}


def _square(size: Mapping[str, int]) -> tuple[int, int]:
    side = next(iter(size.values()), 224)
    return size.get("height", side), size.get("width", side)


def _words(size: Mapping[str, int]) -> str:
    return " and ".join(f"{name.replace('_', ' ')} {value}" for name, value in size.items()) or "no size"

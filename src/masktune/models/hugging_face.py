"""Nets that transformers saved: built from a folder, strictly, and never from the network unless asked."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from masktune.errors import DataNotFound, InputError, MissingExtra, near

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def transformers_for(what: str) -> Any:
    """The library, or the line to type."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra(f"{what} needs transformers; type: pip install 'masktune[hub]'") from error
    return transformers


def check_folder(place: str, allow_download: bool) -> None:
    """Refuse what is no saved model, before the library looks for it elsewhere.

    Raises:
        DataNotFound: no such folder, and downloads are not allowed; or no config.json in it.
    """
    folder = Path(place)
    if not folder.is_dir():
        if allow_download and not folder.exists():
            return  # The name of a model on the hub.
        known = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise DataNotFound(
            f"no folder at {place}{near(folder.name, known)}; hf: takes one written by save_pretrained, or a "
            "name on the hub together with --allow-download"
        )
    if not (folder / "config.json").is_file():
        raise DataNotFound(f"no config.json in {place}; hf: takes a folder written by save_pretrained")


def pretrained(place: str, allow_download: bool) -> tuple[nn.Module, tuple[str, ...], tuple[str, ...]]:
    """The net with its weights, the keys that these lack, and those that the net has no place for.

    Raises:
        InputError: no classifier of images, weights of another shape, or none.
    """
    model = transformers_for(f"hf:{place}").AutoModelForImageClassification
    with _quiet(), _one_line(place):
        net, info = model.from_pretrained(
            place, local_files_only=not allow_download, output_loading_info=True, torch_dtype=torch.float32
        )
    other = sorted(str(key) for key in info["mismatched_keys"])
    if other or info.get("error_msgs"):
        first = (other or info["error_msgs"])[0]
        raise InputError(
            f"the weights in {place} do not fit its config.json: {len(other)} of another shape "
            f"(first: {first})"
        )
    return net, tuple(sorted(info["missing_keys"])), tuple(sorted(info["unexpected_keys"]))


def from_config(place: str, classes: int | None, channels: int | None, allow_download: bool) -> nn.Module:
    """A net of that architecture with random weights.

    Raises:
        InputError: no classifier of images.
    """
    transformers = transformers_for(f"hf:{place}")
    with _quiet(), _one_line(place):
        config = transformers.AutoConfig.from_pretrained(place, local_files_only=not allow_download)
        if classes is not None and classes != config.num_labels:
            config.num_labels = classes
        if channels is not None:
            config.num_channels = channels
        net: nn.Module = transformers.AutoModelForImageClassification.from_config(config)
    return net


def names_in_files(net: nn.Module) -> Mapping[str, str]:
    """What `save_pretrained` calls the net's keys where it renames them (transformers 5 does so for many).

    Found by saving one number for each key. Empty where it does more than rename.
    """
    keys = list(net.state_dict())
    numbers = {key: torch.tensor([place]) for place, key in enumerate(keys)}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        try:
            net.save_pretrained(folder, state_dict=numbers)  # type: ignore[operator] # A transformers model.
            saved: dict[str, Tensor] = load_file(Path(folder) / _WEIGHT_FILES[0])
        except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError):
            return {}
    renamed = {keys[int(value)]: name for name, value in saved.items() if value.numel() == 1}
    return renamed if len(renamed) == len(keys) else {}


def weight_file_in(place: str) -> Path | None:
    """The one file of weights in a saved model's folder; None where there are several parts."""
    files = [Path(place) / name for name in _WEIGHT_FILES]
    return next((file for file in files if file.is_file()), None)


def class_names(config: Any) -> tuple[str, ...] | None:
    """The config's own names of the classes, each once; None where it only numbers them."""
    named: Mapping[int, str] = getattr(config, "id2label", None) or {}
    names = [str(named[place]) for place in sorted(named)]
    if not names or names == [f"LABEL_{place}" for place in range(len(names))]:
        return None
    # ImageNet has two cranes and two maillots.
    return tuple(f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names))


@contextmanager
def _quiet() -> Iterator[None]:
    """The library neither prints nor draws bars; what went wrong is said by us."""
    logging: Any = transformers_for("hf:").utils.logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _one_line(place: str) -> Iterator[None]:
    """The first sentence of what the library says, which has many."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, TypeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"hf:{place} holds no image classifier that can be loaded: {first}") from error

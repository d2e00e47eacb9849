"""Nets by name: of timm, of torchvision, of Hugging Face, or made by a function of one's own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final, get_args

from torch import nn

from masktune.errors import InputError, MissingExtra, near
from masktune.models import hugging_face, user_code
from masktune.models.classifier import Classifier

Scheme = Literal["timm", "torchvision", "hf", "function"]

_SCHEMES = get_args(Scheme)[:3]
_OLD_DENSE = re.compile(r"(denselayer\d+)\.(norm|conv)(\d)\.")
_FORMS = "timm:NAME, torchvision:NAME, hf:DIR, package.module:function or path/to/file.py:function"


@final
@dataclass(frozen=True, slots=True, eq=False)
class NamedNet:
    """A net that was built by name, with what is known of it."""

    net: nn.Module
    """The bare net: a Classifier is taken apart."""
    scheme: Scheme
    """Where it comes from."""
    name: str
    """What stood behind the colon; all of it for a function."""
    trained: bool = False
    """Its weights came along. Those of a function count as trained: nobody else knows."""
    classes: tuple[str, ...] | None = None
    """Its own names of the classes, in the order of its logits."""
    multi_label: bool = False
    """Its config says that each logit is a question of its own."""
    classifier: Classifier | None = None
    """What the function returned, where that is one of ours, with its own spec."""
    missing: tuple[str, ...] = ()
    """Keys that its own weights lack; not loaded, so random."""
    unexpected: tuple[str, ...] = ()
    """Keys of its own weights that it has no place for."""
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Other names that files have for its keys."""

    def __str__(self) -> str:
        """The name as it is typed."""
        return self.name if self.scheme == "function" else f"{self.scheme}:{self.name}"


def build_net(
    name: str,
    classes: int | None = None,
    *,
    channels: int | None = None,
    own_weights: bool = False,
    allow_download: bool = False,
) -> NamedNet:
    """Build a net by its name; random weights come from torch's global generator.

    Args:
        name: as `--model` takes it.
        classes: the number of logits; the model's own default without. A function decides for itself.
        channels: of the images, where they are not the model's own. A function decides for itself.
        own_weights: take the weights that belong to the name: those in the folder of `hf:`, and those of
            timm and torchvision where `allow_download` is set too.
        allow_download: the network may be used.

    Raises:
        InputError: a name that is not known (near names are listed), or a function that fails.
        DataNotFound: no such file, module or folder.
        MissingExtra: the library is not installed.
    """
    scheme, _, rest = name.partition(":")
    if not rest:
        hint = "" if not Path(name).exists() else f" (did you mean 'hf:{name}'?)"
        raise InputError(f"expected a model as {_FORMS}, got {name!r}{hint}")
    if scheme == "timm":
        return _timm(rest, classes, channels, own_weights and allow_download)
    if scheme == "torchvision":
        return _torchvision(rest, classes, channels, own_weights and allow_download)
    if scheme == "hf":
        return _hugging_face(rest, classes, channels, own_weights, allow_download)
    return _function(name)


def _timm(name: str, classes: int | None, channels: int | None, download: bool) -> NamedNet:
    try:
        import timm
    except ImportError as error:
        raise MissingExtra(f"timm:{name} needs timm; type: pip install 'masktune[vision]'") from error
    base, _, tag = name.partition(".")
    known = timm.list_models()
    if base not in known:
        raise InputError(f"timm has no model {name!r}{near(base, known)}")
    tags = timm.list_models(f"{base}.*", pretrained=True)
    if tag and name not in tags:
        raise InputError(f"timm's {base} has no weights {tag!r}{near(name, tags)}")
    options: dict[str, Any] = {"num_classes": classes, "in_chans": channels}  # timm drops what is None.
    if download and not tags:
        raise InputError(f"timm has no weights of {name}; pass --weights FILE")
    net = _fetched(f"timm:{name}", download, lambda: timm.create_model(name, pretrained=download, **options))
    return NamedNet(net, "timm", name, trained=download)


def _torchvision(name: str, classes: int | None, channels: int | None, download: bool) -> NamedNet:
    models = torchvision_models(f"torchvision:{name}")
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"torchvision has no classifier {name!r}{near(name, known)}")
    options: dict[str, Any] = {"weights": "DEFAULT"} if download else {"weights": None}
    if classes is not None and not download:
        options["num_classes"] = classes
    if name in ("inception_v3", "googlenet") and not download:
        options["init_weights"] = True  # Else torchvision warns that its default will change.
    net = _fetched(f"torchvision:{name}", download, lambda: models.get_model(name, **options))
    if channels is not None:
        with_channels(net, channels)
    # The DenseNets that torchvision offers for download are older than its names.
    names = {key: _OLD_DENSE.sub(r"\1.\2.\3.", key) for key in net.state_dict()}
    return NamedNet(net, "torchvision", name, trained=download, names=names)


def torchvision_models(what: str) -> Any:
    """The models of torchvision, or the line to type."""
    try:
        from torchvision import models
    except ImportError as error:
        raise MissingExtra(f"{what} needs torchvision; type: pip install 'masktune[vision]'") from error
    return models


def with_channels(net: nn.Module, channels: int) -> None:
    """Replace the first convolution by a new one for images of so many channels, if it takes another number.

    Raises:
        InputError: the net has no convolution over whole images.
    """
    found = first_convolution(net)
    if found is None:
        raise InputError(f"cannot give {type(net).__name__} {channels} channels: it has no convolution")
    path, old = found
    if old.in_channels == channels:
        return
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type] # Two numbers, whatever it was made with.
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
    net.set_submodule(path, new)


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """Path and module of the first convolution over whole images."""
    return next(
        (
            (path, module)
            for path, module in net.named_modules()
            if isinstance(module, nn.Conv2d) and module.groups == 1
        ),
        None,
    )


def _hugging_face(
    place: str, classes: int | None, channels: int | None, own_weights: bool, allow_download: bool
) -> NamedNet:
    hugging_face.check_folder(place, allow_download)
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    if own_weights:
        net, missing, unexpected = hugging_face.pretrained(place, allow_download)
    else:
        net = hugging_face.from_config(place, classes, channels, allow_download)
    config: Any = net.config
    return NamedNet(
        net,
        "hf",
        place,
        trained=own_weights,
        classes=hugging_face.class_names(config),
        multi_label=getattr(config, "problem_type", None) == "multi_label_classification",
        missing=missing,
        unexpected=unexpected,
        names=hugging_face.names_in_files(net),
    )


def _function(name: str) -> NamedNet:
    made = user_code.call(name, _SCHEMES)
    if isinstance(made, Classifier):
        return NamedNet(made.net, "function", name, trained=True, classes=made.classes, classifier=made)
    return NamedNet(made, "function", name, trained=True)


def _fetched(what: str, download: bool, make: Callable[[], nn.Module]) -> nn.Module:
    """Build a net; where its weights are fetched, whatever goes wrong on the way is one line."""
    if not download:
        return make()
    try:
        return make()
    except (OSError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"cannot fetch the weights of {what}: {first}; pass --weights FILE") from error

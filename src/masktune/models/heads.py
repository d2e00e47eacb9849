"""The head of a net: found, made anew for other classes, or cut down to one logit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.models.build import from_seed
from masktune.saliency.nets import forward, held_still

# torchvision's Inception and GoogLeNet have these for training; they end in as many logits as the head.
AUXILIARY = ("AuxLogits", "aux1", "aux2")

Layer = nn.Linear | nn.Conv2d


@final
@dataclass(frozen=True, slots=True)
class Head:
    """Where the logits come from."""

    paths: tuple[str, ...]
    """The layers that end in logits, auxiliary heads last; empty where none was found."""
    logits: int
    """How many there are."""


def find_head(net: nn.Module, inputs: Float[Tensor, "b c h w"]) -> Head:
    """Count the logits in one pass and find the layers that give them; the net is left as it was.

    timm says what its nets' heads are. Elsewhere it is the last linear layer, or 1x1 convolution, whose
    outputs are the logits (or their mean over places is); of a distilled net the two whose mean they are.

    Raises:
        InputError: the net cannot take such images, or does not give logits.
    """
    seen: list[tuple[str, Tensor]] = []

    def look(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim in (2, 4):
                seen.append((path, output))

        return hook

    with held_still(net), torch.no_grad():
        handles = [
            module.register_forward_hook(look(path))
            for path, module in net.named_modules()
            if _ends_in_logits(module)
        ]
        try:
            logits = _forward(net, inputs)
        finally:
            for handle in handles:
                handle.remove()
    paths = layers_named_by_timm(net) or _giving(logits, seen)
    count = logits.shape[1]
    return Head((*paths, *(_auxiliary(net, count) if paths else ())), count)


def layers_named_by_timm(net: nn.Module) -> tuple[str, ...]:
    """The head of a net of timm, by its config; empty for others, and where a net has none."""
    config = getattr(net, "pretrained_cfg", None)
    if not is_timm(net) or not isinstance(config, Mapping):
        return ()
    named = config.get("classifier") or ()
    paths = (named,) if isinstance(named, str) else tuple(named)
    modules = dict(net.named_modules())
    return tuple(path for path in paths if isinstance(modules.get(path), nn.Linear | nn.Conv2d))


def is_timm(net: nn.Module) -> bool:
    """Whether the net has timm's own way to replace its head."""
    return callable(getattr(net, "reset_classifier", None)) and hasattr(net, "pretrained_cfg")


def fresh_head(net: nn.Module, head: Head, classes: int, seed: int) -> None:
    """Replace the head, in place, by a new one with `classes` logits whose first weights depend on `seed`.

    Raises:
        InputError: no head was found.
    """
    if is_timm(net):

        def reset() -> nn.Module:
            net.reset_classifier(classes)  # type: ignore[operator] # A method of timm's nets.
            return net

        from_seed(reset, seed)
        return
    for place, (path, old) in enumerate(_layers(net, head)):
        _replace(net, path, from_seed(partial(_like, old, classes), seed + place))
    _announce(net, classes)


def keep_logit(net: nn.Module, head: Head, index: int) -> None:
    """Cut the head down, in place, to one of its logits, with the weights that it had.

    So a head of several yes-or-no questions serves as the two-class head [0, z] of one of them.

    Raises:
        InputError: no head was found, or it has no such logit.
    """
    if not 0 <= index < head.logits:
        raise InputError(f"expected a logit from 0 to {head.logits - 1}, got {index}")
    for path, old in _layers(net, head):
        new = _like(old, 1)
        with torch.no_grad():
            new.weight.copy_(old.weight[index : index + 1])
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias[index : index + 1])
        _replace(net, path, new)
    _announce(net, 1)


def _forward(net: nn.Module, inputs: Tensor) -> Tensor:
    try:
        return forward(net, inputs)
    except (ValueError, AssertionError, TypeError) as error:  # How libraries refuse a size.
        first = str(error).strip().partition("\n")[0]
        if first.startswith("expected logits"):
            raise
        height, width = inputs.shape[2:]
        raise InputError(
            f"{type(net).__name__} cannot take images of {height}x{width} pixels: {first}; "
            "see --input-size and --channels"
        ) from error


def _ends_in_logits(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))


def _giving(logits: Tensor, seen: list[tuple[str, Tensor]]) -> tuple[str, ...]:
    """The layers whose outputs are the logits: the last one, or the last two whose mean they are."""
    ends = [(path, output) for path, output in seen if output.shape[:2] == logits.shape]
    for path, output in reversed(ends):
        if any(torch.allclose(one, logits, atol=1e-5, equal_nan=True) for one in _readings(output)):
            return (path,)
    if len(ends) >= 2:
        (first, one), (second, other) = ends[-2:]
        if one.shape == other.shape and torch.allclose((one + other) / 2, logits.view_as(one), atol=1e-5):
            return first, second
    return ()


def _readings(output: Tensor) -> list[Tensor]:
    """What a net may make of its head's output: itself, or the mean over places, rectified or not."""
    if output.ndim == 2:
        return [output]
    return [output.mean((2, 3)), output.relu().mean((2, 3))]


def _auxiliary(net: nn.Module, count: int) -> tuple[str, ...]:
    found = []
    for name in AUXILIARY:
        part = getattr(net, name, None)
        if isinstance(part, nn.Module):
            ends = [
                (path, one) for path, one in part.named_modules() if isinstance(one, nn.Linear | nn.Conv2d)
            ]
            found += [f"{name}.{path}" for path, one in ends if one.weight.shape[0] == count][-1:]
    return tuple(found)


def _layers(net: nn.Module, head: Head) -> list[tuple[str, Layer]]:
    if not head.paths:
        raise InputError(
            f"cannot find the head of {type(net).__name__}: no linear layer or 1x1 convolution gives its "
            f"{head.logits} logits; change it in a function of your own: --model file.py:function"
        )
    layers = [(path, net.get_submodule(path)) for path in head.paths]
    return [(path, layer) for path, layer in layers if isinstance(layer, nn.Linear | nn.Conv2d)]


def _like(old: Layer, rows: int) -> Layer:
    """A new layer on the same features, device and number type."""
    bias = old.bias is not None
    new = (
        nn.Linear(old.in_features, rows, bias=bias)
        if isinstance(old, nn.Linear)
        else nn.Conv2d(old.in_channels, rows, 1, bias=bias)
    )
    return new.to(old.weight)


def _replace(net: nn.Module, path: str, new: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(net.get_submodule(parent), name, new)


def _announce(net: nn.Module, count: int) -> None:
    """Tell the net where it keeps the number; Hugging Face writes its own into config.json."""
    if isinstance(vars(net).get("num_classes"), int):
        vars(net)["num_classes"] = count
    config: Any = getattr(net, "config", None)
    if hasattr(config, "num_labels") and hasattr(config, "id2label"):
        config.num_labels = count
        vars(net)["num_labels"] = count

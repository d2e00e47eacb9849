"""One forward pass cut at a layer: no graph before it, the gradient of the class scores behind it.

That costs about a plain forward pass, needs no parameter's gradient, and leaves the net as it was found:
no hook, flag, `.grad`, statistic or random state changes. What a layer *returned* counts, also where a later
operation works on it in place. A layer that runs several times in one pass is read at its last run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from masktune.errors import InputError, SaliencyError
from masktune.saliency.nets import forward, held_still, two_headed

Classes = Tensor | Sequence[int] | int | None
"""The classes to explain: one an image, one for all, or None for the predicted ones."""

# Nets found to wrap their own trunk in no_grad: leaving that block falls back on our mode, so for these
# it must be on, or the head is not recorded.
_NEED_GRAPH: WeakSet[nn.Module] = WeakSet()


@dataclass(frozen=True, slots=True)
class Probed:
    """What one pass over a batch gives, on the net's device."""

    logits: Float[Tensor, "b k"]
    """float32; a one-logit net z is the two-class head [0, z]."""
    classes: Int64[Tensor, " b"]
    """The class whose score was followed, image by image."""
    activations: Mapping[str, Tensor]
    """By layer: its output, in its own layout and precision."""
    gradients: Mapping[str, Tensor]
    """By layer: the gradient of each image's class score, of the same shape."""


def probe(net: nn.Module, inputs: Tensor, layers: Mapping[str, nn.Module], classes: Classes = None) -> Probed:
    """Read the output of `layers`, and the gradient there of one class score an image.

    `net` is an innermost net, `inputs` what it takes. `classes`: None for the predicted ones, one for all,
    or one an image. Raises `InputError` for classes that do not fit, `SaliencyError` where a layer is not run
    or does not influence the scores.
    """
    # The backward pass runs in the block too: gradient checkpointing runs parts of the net again in it.
    with torch.inference_mode(False), torch.no_grad(), held_still(net):
        raw, kept = _cut_forward(net, inputs, layers)
        logits = widen(raw.detach())
        chosen = _check_classes(classes, logits)
        found = torch.autograd.grad(raw, list(kept.values()), _seed(raw, chosen), allow_unused=True)
    gradients = {}
    for name, gradient in zip(kept, found, strict=True):
        if gradient is None:
            raise SaliencyError(f"layer {name!r} does not influence the scores; choose another layer")
        gradients[name] = gradient
    return Probed(logits, chosen, {name: a.detach() for name, a in kept.items()}, gradients)


def widen(logits: Float[Tensor, "b k"]) -> Float[Tensor, "b k2"]:
    """Logits as float32, those of a one-logit net z as the two-class head [0, z]."""
    return two_headed(logits.to(torch.float32))


def _cut_forward(
    net: nn.Module, inputs: Tensor, layers: Mapping[str, nn.Module]
) -> tuple[Tensor, dict[str, Tensor]]:
    for recorded in (net in _NEED_GRAPH, True):
        cut = _Cut()
        handles = [module.register_forward_hook(cut.hook(name)) for name, module in layers.items()]
        try:
            with torch.set_grad_enabled(recorded):
                logits = forward(net, inputs)
        finally:
            for handle in handles:
                handle.remove()
        _check_ran(layers, cut.kept)
        if logits.requires_grad:
            return logits, {name: cut.kept[name] for name in layers}
        _NEED_GRAPH.add(net)
    raise SaliencyError(
        f"the net's output does not depend on {', '.join(map(repr, layers))} through anything that has a "
        "gradient; it must return logits, not classes or detached numbers"
    )


class _Cut:
    """The hooks of one forward pass; the layer that runs first is where the graph begins."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def hook(self, name: str) -> Any:
        def keep(module: nn.Module, args: object, output: Any) -> Any:
            found = first_tensor(output)
            if found is None:
                return None
            torch.set_grad_enabled(True)  # For what follows; the block around the forward pass undoes it.
            begins = not self.kept or not found.requires_grad
            kept = self.kept[name] = found.detach().requires_grad_(True) if begins else found.clone()
            # Copies: a later in-place operation must not change what we keep, and a part of this very module
            # may read `found` too, such as the pooler inside Hugging Face's encoders.
            return with_first_tensor(output, kept.clone())

        return keep


def first_tensor(output: Any) -> Tensor | None:
    """The first floating tensor of a module's output: itself, or in a tuple, mapping or dataclass."""
    for part in _parts(output).values():
        if isinstance(part, Tensor) and part.is_floating_point():
            return part
    return None


def with_first_tensor(output: Any, tensor: Tensor) -> Any:
    """The same output with another first tensor, in a container of the same kind."""
    first = first_tensor(output)
    key = next(key for key, part in _parts(output).items() if part is first)
    if isinstance(output, Tensor):
        return tensor
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return dataclasses.replace(output, **{key: tensor})
    if hasattr(output, "_replace"):
        return output._replace(**{output._fields[key]: tensor})
    if isinstance(output, Mapping):
        return type(output)({**output, key: tensor})  # type: ignore[call-arg]
    return type(output)(tensor if index == key else part for index, part in enumerate(output))


def _parts(output: Any) -> dict[Any, Any]:
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple | list):
        return dict(enumerate(output))
    return {None: output}


def _check_ran(layers: Mapping[str, nn.Module], kept: Mapping[str, Tensor]) -> None:
    for name, module in layers.items():
        if name not in kept:
            raise SaliencyError(
                f"layer {name!r} ({type(module).__name__}) gave no tensor in the forward pass: the net does "
                "not call it, or calls its forward() directly; choose another layer"
            )


def class_tensor(classes: Tensor | Sequence[int]) -> Tensor:
    """One class an image as a tensor, which a list or an array becomes."""
    try:
        return torch.as_tensor(classes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected classes as whole numbers, got {classes!r}") from error


def _check_classes(classes: Classes, logits: Float[Tensor, "b k"]) -> Int64[Tensor, " b"]:
    count, known = logits.shape
    if classes is None:
        return logits.argmax(1)
    if isinstance(classes, int):
        classes = [classes] * count
    classes = class_tensor(classes)
    if classes.shape != (count,) or classes.is_floating_point() or classes.dtype == torch.bool:
        raise InputError(
            f"expected one class for each of {count} images as int64, got "
            f"{tuple(classes.shape)} {classes.dtype}"
        )
    chosen = classes.to(logits.device, torch.int64)
    low, high = torch.aminmax(chosen)
    if low < 0 or high >= known:
        raise InputError(f"expected classes from 0 to {known - 1}, got {int(low)} to {int(high)}")
    return chosen


def _seed(raw: Float[Tensor, "b k"], classes: Int64[Tensor, " b"]) -> Float[Tensor, "b k"]:
    """The gradient, by the logits, of the sum of the chosen scores; one logit z scores -z for class 0."""
    if raw.shape[1] == 1:
        return (2 * classes - 1)[:, None].to(raw.dtype)
    return torch.zeros_like(raw).scatter_(1, classes[:, None], 1)

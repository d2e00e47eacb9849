"""Which layer to look at: named by the user, or found by one dry run of the net."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from masktune.errors import InputError, LayerNotFound, NoSpatialLayer, SaliencyError, near
from masktune.saliency.dry_run import dry_run
from masktune.saliency.layouts import Layout, find_layout
from masktune.saliency.nets import prepare, unwrap

LayerChoice = str | nn.Module | Sequence[str | nn.Module]
"""A dotted name or a module of the innermost net, or several of them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that has places, and what matters of it to an explainer."""

    path: str
    """Dotted name, in the innermost net."""
    layout: Layout
    """How to bring its output to (b, k, h, w)."""
    signed: bool
    """Has values below zero, so the sum of a channel may be near zero: see `safe_for_sums`."""
    constant_gradient: bool
    """The gradient is the same at all places, so XGradCAM and GradCAM give the same map."""

    @property
    def safe_for_sums(self) -> bool:
        """Whether XGradCAM, which divides by channel sums, is safe here."""
        return self.constant_gradient or not self.signed


def find_layer(net: nn.Module, images: Tensor) -> Layer:
    """Find the last layer with places that matter to the scores, by a dry run on at most two images.

    Takes the last module in the order of execution whose output is a map of the image and has a gradient,
    but not one inside attention, not a pooling layer (the finer map before it), and not class maps that are
    only pooled to become the scores. The net is left as it was. Raises `NoSpatialLayer` with a list of what
    there is.
    """
    inner, wrappers = unwrap(net)
    return best_layer(inner, prepare(inner, images, wrappers))


def best_layer(net: nn.Module, inputs: Tensor) -> Layer:
    """As `find_layer`, for an innermost net and its input."""
    found = dry_run(net, inputs)
    if not found.candidates:
        raise NoSpatialLayer(
            f"expected a layer with a height and a width in {type(net).__name__}{found.advice}"
        )
    best = found.candidates[0]
    return _describe(best.path, best.layout, best.activation, best.gradient)


def named_layers(net: nn.Module, choice: LayerChoice) -> dict[str, nn.Module]:
    """The chosen modules of an innermost net by their names; raises `LayerNotFound`."""
    choices = [choice] if isinstance(choice, str | nn.Module) else choice
    chosen = [_named(net, one) for one in choices]
    if not chosen:
        raise InputError("expected at least one layer, got an empty list; None lets the layer be found")
    return dict(chosen)


def _named(net: nn.Module, choice: str | nn.Module) -> tuple[str, nn.Module]:
    modules = dict(net.named_modules())
    del modules[""]
    if isinstance(choice, str):
        if choice not in modules:
            raise LayerNotFound(f"{type(net).__name__} has no layer {choice!r}{near(choice, modules)}")
        return choice, modules[choice]
    for name, module in modules.items():
        if module is choice:
            return name, module
    raise LayerNotFound(
        f"that {type(choice).__name__} is no part of this {type(net).__name__}; give a layer's name"
    )


def described(net: nn.Module, inputs: Tensor, path: str, activation: Tensor, gradient: Tensor) -> Layer:
    """Check a layer by its output and gradient on a batch, and say what an explainer must know of it.

    Raises `NoSpatialLayer` where it has no places and `SaliencyError` where its gradient is zero at all
    places of all images and for all classes; both name layers to try.
    """
    shape = tuple(activation.shape)
    layout = find_layout(net, shape, len(inputs), (inputs.shape[2], inputs.shape[3]))
    if layout is None and len(shape) == 4 and shape[2] * shape[3] > 1:
        # Of odd proportions, as in nets that read lines of text; whoever names such a layer means it.
        layout = Layout("channels_first", (shape[2], shape[3]))
    if layout is None:
        raise NoSpatialLayer(
            f"expected a layer whose output has a height and a width, but {path!r} gives {shape}"
            f"{dry_run(net, inputs).advice}"
        )
    if not layout.to_maps(gradient).any():
        gradient = _gradient_of_others(net, inputs, path)
    return _describe(path, layout, activation, gradient)


def _gradient_of_others(net: nn.Module, inputs: Tensor, path: str) -> Tensor:
    """The gradient of all scores where that of the chosen ones is zero: the maps of these are just empty."""
    seen = dry_run(net, inputs)
    for one in seen.candidates:
        if one.path == path and not seen.by_features:
            return one.gradient
    raise SaliencyError(
        f"the gradient at layer {path!r} is exactly zero for the whole batch, so it says nothing about the "
        f"scores{seen.advice}"
    )


def _describe(path: str, layout: Layout, activation: Tensor, gradient: Tensor) -> Layer:
    gradient = layout.to_maps(gradient)
    spread = (gradient - gradient[:, :, :1, :1]).abs().max()
    return Layer(
        path=path,
        layout=layout,
        signed=bool((layout.to_maps(activation) < 0).any()),
        constant_gradient=bool(spread <= 1e-6 * gradient.abs().max()),
    )

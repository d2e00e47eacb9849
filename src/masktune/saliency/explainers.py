"""Explainers: images in, saliency maps out. A map says where a net looks to score a class."""

import hashlib
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from masktune.errors import InputError, MasktuneWarning, SaliencyError
from masktune.saliency import cam
from masktune.saliency.layers import Layer, LayerChoice, best_layer, described, named_layers
from masktune.saliency.nets import prepare, unwrap
from masktune.saliency.probe import Classes, Probed, probe

_log = logging.getLogger(__name__)

LayerMaps = Float[Tensor, "b k h w"]
RawMaps = Float[Tensor, "b h w"]
Ids = Sequence[str] | None


@final
@dataclass(frozen=True, eq=False)
class SaliencyMaps:
    """Where a net looked, for a batch of images; tensors are on the net's device."""

    low: Float[Tensor, "b _ _"] | tuple[Float[Tensor, "b _ _"], ...] = field(repr=False)
    """float32 in [0, 1], at the layer's size; a tuple where several layers were asked for."""
    classes: Int64[Tensor, " b"]
    """The class whose score each map explains."""
    logits: Float[Tensor, "b k"] = field(repr=False)
    """The net's float32 logits of the same pass; a one-logit net z is the two-class head [0, z]."""
    layer: str | tuple[str, ...]
    """The layer's name in the innermost net; a tuple where several were asked for."""
    size: tuple[int, int]
    """Height and width of the images."""
    method: str = ""
    """Name of the formula used, such as "XGradCAM"; "XGradCAM+LayerCAM" where layers differ in it."""

    @cached_property
    def maps(self) -> Float[Tensor, "b h w"]:
        """float32 in [0, 1] at the images' size; of several layers, their mean."""
        return cam.enlarge(self.low, self.size)

    @cached_property
    def empty(self) -> Bool[Tensor, " b"]:
        """True = no positive value: nothing speaks for that class, or no place more than another."""
        layers = [self.low] if isinstance(self.low, Tensor) else self.low
        return torch.stack([one.flatten(1).amax(1) for one in layers]).amax(0) <= 0

    def __len__(self) -> int:
        return len(self.classes)


@runtime_checkable
class Explainer(Protocol):
    """Whatever turns images into saliency maps; a function of this signature is one.

    `images` are (b, c, h, w): pixels for a `Classifier`, what the net takes for a plain net. `classes` are
    None for the predicted ones, one for all, or int64 (b,). `ids` are the samples' stable names.
    """

    def __call__(
        self, images: Tensor, classes: Tensor | int | None = None, ids: Sequence[str] | None = None
    ) -> SaliencyMaps:
        """Explain one batch."""


@dataclass(frozen=True)
class _AtLayer(ABC):
    """What all explainers share: a net, a layer, and the way from images to maps."""

    net: nn.Module = field(repr=False)
    """Any classifier; it is left as it was found, whatever its mode."""
    layer: LayerChoice | None = None
    """A dotted name or a module of the innermost net, or several; None lets it be found."""
    _known: dict[tuple[int, int], tuple[Layer, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was found out about the layers, by size of the input."""

    def __post_init__(self) -> None:
        if self.layer is not None:
            named_layers(unwrap(self.net)[0], self.layer)  # A wrong name is said at once.
            if not isinstance(self.layer, str | nn.Module):
                object.__setattr__(self, "layer", tuple(self.layer))

    def __call__(self, images: Tensor, classes: Classes = None, ids: Ids = None) -> SaliencyMaps:
        """Explain one batch; see `Explainer`."""
        net, wrappers = unwrap(self.net)
        inputs = prepare(net, images, wrappers)
        if ids is not None and len(ids) != len(images):
            raise InputError(f"expected {len(images)} ids, one an image, got {len(ids)}")
        probed = probe(net, inputs, self._modules(net, inputs), classes)
        layers = self._layers(net, inputs, probed)
        low = tuple(self._low(layer, probed, images, ids) for layer in layers)
        paths = tuple(layer.path for layer in layers)
        several = len(layers) > 1
        return SaliencyMaps(
            low=low if several else low[0],
            classes=probed.classes,
            logits=probed.logits,
            layer=paths if several else paths[0],
            size=(images.shape[2], images.shape[3]),
            method="+".join(dict.fromkeys(self._method(layer) for layer in layers)),
        )

    def _modules(self, net: nn.Module, inputs: Tensor) -> dict[str, nn.Module]:
        """Look the layers up anew for each batch: a module may have been replaced."""
        if known := self._known.get(_size(inputs)):
            return {layer.path: net.get_submodule(layer.path) for layer in known}
        return named_layers(net, best_layer(net, inputs).path if self.layer is None else self.layer)

    def _layers(self, net: nn.Module, inputs: Tensor, probed: Probed) -> tuple[Layer, ...]:
        """What is known of the layers; at the first batch of a size, checked and found out.

        Only then: later a batch may well consist of one image for which no unit of the head is on.
        """
        known = self._known.get(_size(inputs))
        if known is None:
            known = tuple(
                described(net, inputs, path, activation, probed.gradients[path])
                for path, activation in probed.activations.items()
            )
            if not self._known:
                _warn_of_probabilities(net, probed.logits)
                self._remark(known)
            self._known[_size(inputs)] = known
        return known

    def _low(self, layer: Layer, probed: Probed, images: Tensor, ids: Ids) -> Float[Tensor, "b _ _"]:
        """One layer's maps, scaled, at its own size."""
        activations = _widened(layer.layout.to_maps(probed.activations[layer.path]))
        gradients = _widened(layer.layout.to_maps(probed.gradients[layer.path]))
        raw = self._raw(layer, activations, gradients, images, ids)
        _check_finite(raw, layer.path, ids)
        return cam.scale(raw).to(torch.float32)

    def _method(self, layer: Layer) -> str:
        """Name of the formula that is used at a layer."""
        return type(self).__name__

    def _remark(self, layers: tuple[Layer, ...]) -> None:  # noqa: B027 - most have nothing to say.
        """Say, once, what a user must know of these layers."""

    @abstractmethod
    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        """Raw maps of one layer."""


@final
class XGradCAM(_AtLayer):
    """XGrad-CAM (Fu et al., BMVC 2020), which MaskTune used: gradients averaged by activation.

    The same map as GradCAM where global average pooling and a linear head follow. Warns where the sums of
    channels, by which it divides, may cancel: at layers of both signs, as in class-token transformers.
    """

    def _remark(self, layers: tuple[Layer, ...]) -> None:
        risky = [layer.path for layer in layers if not layer.safe_for_sums]
        if risky:
            warnings.warn(
                "XGradCAM divides by the sum of each channel, which may be near zero at "
                f"{', '.join(risky)} (values of both signs); LayerCAM or SafeCAM is safer there",
                MasktuneWarning,
                stacklevel=4,
            )

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        return cam.xgrad_cam(activations, gradients)


@final
class SafeCAM(_AtLayer):
    """XGradCAM where its sums are safe, LayerCAM elsewhere; of several layers each decides for itself.

    Why LayerCAM and not Grad-CAM: where the two were measured (docs/results/biased-mnist.md, "What was
    tried") masks by Grad-CAM miss the shortcut, those by LayerCAM find it as those by XGradCAM do.
    """

    def _method(self, layer: Layer) -> str:
        return "XGradCAM" if layer.safe_for_sums else "LayerCAM"

    def _remark(self, layers: tuple[Layer, ...]) -> None:
        _log.info("SafeCAM takes %s", ", ".join(f"{self._method(one)} at {one.path}" for one in layers))

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        formula = cam.xgrad_cam if layer.safe_for_sums else cam.layer_cam
        return formula(activations, gradients)


@final
class GradCAM(_AtLayer):
    """Grad-CAM (Selvaraju et al., ICCV 2017): each channel weighted by its mean gradient."""

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        return cam.grad_cam(activations, gradients)


@final
class GradCAMPlusPlus(_AtLayer):
    """Grad-CAM++ (Chattopadhay et al., WACV 2018): positive gradients, weighted place by place."""

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        return cam.grad_cam_plus_plus(activations, gradients)


@final
class LayerCAM(_AtLayer):
    """LayerCAM (Jiang et al., TIP 2021): each place by its own positive gradient; good at early layers."""

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        return cam.layer_cam(activations, gradients)


@final
@dataclass(frozen=True)
class RandomMap(_AtLayer):
    """A control: channels weighted by chance, uniform in [-1, 1], whatever the class.

    An image's weights depend on the seed and its id alone, or on the seed and its content where no ids are
    given; never on the batch, its order or the global random state.
    """

    seed: int = 0

    def _raw(
        self, layer: Layer, activations: LayerMaps, gradients: LayerMaps, images: Tensor, ids: Ids
    ) -> RawMaps:
        keys = [_content(image) for image in images] if ids is None else [name.encode() for name in ids]
        weights = torch.stack([chance(self.seed, key, activations.shape[1]) for key in keys])
        return cam.weighted_sum(activations, weights.to(activations))


def chance(seed: int, key: bytes, count: int) -> Float[Tensor, " k"]:
    """Uniform weights in [-1, 1] that depend on seed and key alone."""
    digest = hashlib.blake2b(f"{seed}:".encode() + key, digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "big", signed=True))
    return torch.rand(count, generator=generator) * 2 - 1


def _content(image: Tensor) -> bytes:
    return image.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()


def _size(inputs: Tensor) -> tuple[int, int]:
    return inputs.shape[2], inputs.shape[3]


def _check_finite(raw: RawMaps, layer: str, ids: Ids) -> None:
    finite = raw.isfinite()
    if not finite.all():
        bad = (~finite.flatten(1).all(1)).nonzero().flatten().tolist()
        names = ", ".join(str(ids[i] if ids else i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise SaliencyError(
            f"the map of {len(bad)} of {len(raw)} images is not finite (samples {names}) at layer {layer!r}; "
            "look for NaN or infinity in these images or in the weights"
        )


def _widened(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _warn_of_probabilities(net: nn.Module, logits: Float[Tensor, "b k"]) -> None:
    """Look at the module registered last and at the scores: either alone could mislead."""
    last = list(net.modules())[-1]
    looks_so = {
        nn.Softmax: (logits >= 0) & (logits <= 1),
        nn.Sigmoid: (logits >= 0) & (logits <= 1),
        nn.LogSoftmax: logits <= 0,
    }.get(type(last))
    if looks_so is not None and looks_so.all():
        warnings.warn(
            f"the net ends in {type(last).__name__}: its gradients vanish where it is sure; explain the net "
            "without that last module",
            MasktuneWarning,
            stacklevel=4,
        )

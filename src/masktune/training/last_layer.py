"""The last layer of a classifier: what goes into it for a whole data set, and another one in its place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor, nn

from masktune.data.base import Dataset
from masktune.data.loading import drawn
from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.evaluation.predictions import concatenate
from masktune.models.assembly import trial_inputs
from masktune.models.classifier import Classifier
from masktune.models.heads import Layer, find_head
from masktune.models.predict import predict
from masktune.saliency.nets import held_still, unwrap
from masktune.training.devices import ALONE, Processes
from masktune.training.together import at_once
from masktune.types import Progress, Step, silent


@dataclass(frozen=True, slots=True, eq=False)
class LastLayer:
    """Coefficients on the features; one row stands for z of the two-class head [0, z]."""

    weight: Float64[np.ndarray, "r d"]
    bias: Float64[np.ndarray, " r"]

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """Of images with these features."""
        return widened(features @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What goes into the last layer, of each image."""

    values: Float32[np.ndarray, "n d"]
    """Means over places where the layer is a 1x1 convolution."""
    said: Predictions
    """What the whole net makes of the same images, with labels, and groups where they are known."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, chosen: Bool[np.ndarray, " n"]) -> "Features":
        """Those of the images where `chosen` is true, in the same order."""
        return Features(self.values[chosen], self.said.select(chosen))

    def said_by(self, layer: LastLayer) -> Predictions:
        """What the net would say with another last layer."""
        return replace(self.said, logits=layer.logits(self.values).astype(np.float32))


def widened(scores: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n k"]:
    """Logits: a single column z is [0, z]."""
    return np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores


def features_of_all(
    classifier: Classifier,
    data: Dataset,
    *,
    here: Processes = ALONE,
    what: str = "taking features",
    progress: Progress = silent,
) -> Features:
    """Features of a whole data set, in evaluation mode and without augmentation, in the data's order.

    Each image passes the net once, whatever the number of processes.

    Raises:
        InputError: no images, or a net whose logits are no linear function of one layer's pooled input.
    """
    layer = _found(classifier)
    shares = here.share(len(data), at_once(classifier.spec))
    positions = (torch.arange(share.start, share.stop) for share in shares)
    parts = []
    with held_still(classifier), _inputs_of(layer) as seen:
        for share, batch in zip(shares, drawn(data, positions, here.device), strict=True):
            said = predict(classifier, [batch])
            parts.append((_pooled(seen, layer, said), said))
            seen.clear()
            progress(Step(what, share.stop, len(data)))
    parts = here.together(parts)
    said = concatenate([said for _, said in parts])
    # Scores of these are asked for often; all that depends on subjects is intervals, which take long.
    return Features(np.concatenate([values for values, _ in parts]), replace(said, subjects=None))


def last_layer_of(classifier: Classifier) -> LastLayer:
    """A copy of the layer; without a bias it counts as 0.

    Raises:
        InputError: no last layer was found.
    """
    return _read(_found(classifier))


def put_last_layer(classifier: Classifier, new: LastLayer) -> None:
    """Give the layer other coefficients, in place; a layer without a bias gets one.

    Raises:
        InputError: no last layer was found.
    """
    layer = _found(classifier)
    weight, bias = new.weight, new.bias
    if len(weight) < len(layer.weight):
        weight, bias = (np.concatenate([np.zeros_like(part), part]) for part in (weight, bias))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight).view_as(layer.weight))
        layer.bias = nn.Parameter(torch.from_numpy(bias).to(layer.weight))


def _found(classifier: Classifier) -> Layer:
    """The layer that gives the logits in evaluation mode; `_pooled` sees it where there are more than one."""
    net, _ = unwrap(classifier)
    inputs = trial_inputs(classifier.spec).to(classifier.get_buffer("mean").device)
    paths = find_head(net, inputs).paths
    layer = net.get_submodule(paths[0]) if paths else None
    if not isinstance(layer, nn.Linear | nn.Conv2d):
        raise InputError(
            f"cannot find the last layer of {type(net).__name__}: no linear layer or 1x1 convolution gives "
            "its logits; take a method that trains the whole net"
        )
    return layer


@contextmanager
def _inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """What goes into a layer, as long as the block lasts."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        handle.remove()


def _pooled(seen: Sequence[Tensor], layer: Layer, said: Predictions) -> Float32[np.ndarray, "b d"]:
    """The layer's input, a vector an image, if the logits are the layer's value of it."""
    pooled = [one.mean((2, 3)) if one.ndim == 4 else one for one in seen]
    if len(pooled) == 1 and pooled[0].shape == (len(said), layer.weight.shape[1]):
        values: Float32[np.ndarray, "b d"] = pooled[0].float().cpu().numpy()
        logits = _read(layer).logits(values)
        # GPUs round the products of convolutions; what is wrong here is wrong by far more.
        if np.allclose(logits, said.logits, rtol=0, atol=1e-2 * (1 + np.abs(said.logits).max())):
            return values
    raise InputError(
        "expected logits that are a linear function of the pooled input of one last layer, got a net where "
        "they are not; take a method that trains the whole net"
    )


def _read(layer: Layer) -> LastLayer:
    weight = layer.weight.detach().double().cpu().flatten(1).numpy().copy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().cpu().numpy().copy()
    return LastLayer(weight, bias)

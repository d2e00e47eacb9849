"""Explainers by the names that are typed and recorded."""

from collections.abc import Callable, Mapping
from typing import Literal

from torch import nn

from masktune.saliency.explainers import (
    Explainer,
    GradCAM,
    GradCAMPlusPlus,
    LayerCAM,
    RandomMap,
    SafeCAM,
    XGradCAM,
)

SaliencyName = Literal["auto", "xgradcam", "gradcam", "gradcam++", "layercam", "random"]

EXPLAINERS: Mapping[str, Callable[[nn.Module, str | None, int], Explainer]] = {
    "auto": lambda net, layer, seed: SafeCAM(net, layer),
    "xgradcam": lambda net, layer, seed: XGradCAM(net, layer),
    "gradcam": lambda net, layer, seed: GradCAM(net, layer),
    "gradcam++": lambda net, layer, seed: GradCAMPlusPlus(net, layer),
    "layercam": lambda net, layer, seed: LayerCAM(net, layer),
    "random": RandomMap,
}
"""`auto` is xGradCAM where it is safe, else LayerCAM; the seed is that of random maps."""

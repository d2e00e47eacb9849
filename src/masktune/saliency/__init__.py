"""Where a classifier looks: explainers, the maps they give, and the layer they look at."""

from masktune.saliency.cam import enlarge
from masktune.saliency.explainers import (
    Explainer,
    GradCAM,
    GradCAMPlusPlus,
    LayerCAM,
    RandomMap,
    SafeCAM,
    SaliencyMaps,
    XGradCAM,
)
from masktune.saliency.layers import Layer, LayerChoice, find_layer
from masktune.saliency.layouts import Layout

__all__ = [
    "Explainer",
    "GradCAM",
    "GradCAMPlusPlus",
    "Layer",
    "LayerCAM",
    "LayerChoice",
    "Layout",
    "RandomMap",
    "SafeCAM",
    "SaliencyMaps",
    "XGradCAM",
    "enlarge",
    "find_layer",
]

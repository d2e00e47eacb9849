"""masktune: find the shortcut an image classifier takes, hide it, and tune it to look elsewhere."""

import typing as _typing

from masktune.data import BiasedDigits, BiasedMNIST, ImageFolder, Manifest
from masktune.errors import MasktuneError
from masktune.evaluation import Predictions
from masktune.masking import Masker, MeanPlusStd, Quantile, TopFraction
from masktune.methods import ERM, ContinueERM, LeastSalientMask, MaskTune, RandomMask
from masktune.models import Classifier
from masktune.saliency import GradCAM, GradCAMPlusPlus, LayerCAM, RandomMap, SaliencyMaps, XGradCAM
from masktune.selective import SelectivePredictor
from masktune.types import InputSpec
from masktune.version import VERSION as __version__  # noqa: F401, N811

if _typing.TYPE_CHECKING:
    from masktune.api import scan, tune

__all__ = [
    "ERM",
    "BiasedDigits",
    "BiasedMNIST",
    "Classifier",
    "ContinueERM",
    "GradCAM",
    "GradCAMPlusPlus",
    "ImageFolder",
    "InputSpec",
    "LayerCAM",
    "LeastSalientMask",
    "Manifest",
    "MaskTune",
    "Masker",
    "MasktuneError",
    "MeanPlusStd",
    "Predictions",
    "Quantile",
    "RandomMap",
    "RandomMask",
    "SaliencyMaps",
    "SelectivePredictor",
    "TopFraction",
    "XGradCAM",
    "scan",
    "tune",
]


def __getattr__(name: str) -> _typing.Any:
    """`scan` and `tune` know most rooms; they come when they are asked for: importing takes half as long."""
    if name not in ("scan", "tune"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from masktune import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

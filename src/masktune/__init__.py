"""masktune: find the shortcut an image classifier takes, hide it, and tune it to look elsewhere."""

from masktune.api import scan, tune
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

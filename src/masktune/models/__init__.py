"""Classifiers: a net with what it wants as input, its weights, and its predictions."""

from masktune.models.build import from_seed
from masktune.models.checks import expected_accuracy, suspicions
from masktune.models.classifier import Classifier, evaluating
from masktune.models.load import LoadedModel, load_classifier
from masktune.models.named import NamedNet, build_net
from masktune.models.predict import predict
from masktune.models.resnet32 import ResNet32
from masktune.models.small_cnn import SmallCNN
from masktune.models.specs import InputOverrides, describe
from masktune.models.vgg16_bn import VGG16BN
from masktune.models.weight_files import WeightFile, fit, read_weight_file
from masktune.models.weights import (
    Weights,
    load_weights,
    read_weights,
    save_weights,
    weights_of,
    weights_sha256,
)

__all__ = [
    "VGG16BN",
    "Classifier",
    "InputOverrides",
    "LoadedModel",
    "NamedNet",
    "ResNet32",
    "SmallCNN",
    "WeightFile",
    "Weights",
    "build_net",
    "describe",
    "evaluating",
    "expected_accuracy",
    "fit",
    "from_seed",
    "load_classifier",
    "load_weights",
    "predict",
    "read_weight_file",
    "read_weights",
    "save_weights",
    "suspicions",
    "weights_of",
    "weights_sha256",
]

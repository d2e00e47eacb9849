"""Classifiers: a net with what it wants as input, its weights, and its predictions."""

from masktune.models.build import from_seed
from masktune.models.classifier import Classifier, evaluating
from masktune.models.predict import predict
from masktune.models.small_cnn import SmallCNN
from masktune.models.weights import (
    Weights,
    load_weights,
    read_weights,
    save_weights,
    weights_of,
    weights_sha256,
)

__all__ = [
    "Classifier",
    "SmallCNN",
    "Weights",
    "evaluating",
    "from_seed",
    "load_weights",
    "predict",
    "read_weights",
    "save_weights",
    "weights_of",
    "weights_sha256",
]

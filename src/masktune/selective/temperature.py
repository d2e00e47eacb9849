"""A temperature for a classifier's logits, fitted on images of their own."""

import math

import numpy as np

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.selective.log_space import at, log_softmax

RANGE = (0.05, 20.0)
"""Temperatures that are looked at; looked at evenly in their logarithm, where the loss has one minimum."""


def fit_temperature(predictions: Predictions) -> float:
    """The temperature with the smallest negative log-likelihood, between the ends of `RANGE`.

    The images must be neither those that thresholds are calibrated on nor those that are judged: what is
    fitted on them is no longer independent of them.

    Raises:
        InputError: there are no images.
    """
    from scipy.optimize import minimize_scalar

    if not len(predictions):
        raise InputError("expected images to fit a temperature on, got none")

    def loss(log_temperature: float) -> float:
        logs = log_softmax(predictions.logits, math.exp(log_temperature))
        return -float(np.mean(at(logs, predictions.labels)))

    found = minimize_scalar(
        loss, bounds=tuple(map(math.log, RANGE)), method="bounded", options={"xatol": 1e-4}
    )
    return math.exp(float(found.x))

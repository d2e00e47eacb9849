"""Softmax without ever leaving log space: a probability of 1 - 1e-30 is not 1."""

import numpy as np
from jaxtyping import Float, Float64, Int64

from masktune.errors import InputError


def log_softmax(logits: Float[np.ndarray, "n k"], temperature: float = 1.0) -> Float64[np.ndarray, "n k"]:
    """Log-probabilities, in float64; that of the likeliest class keeps its digits near 0.

    Raises:
        InputError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise InputError(f"expected a temperature above 0, got {temperature}")
    z = logits.astype(np.float64) / temperature
    top = z.argmax(axis=1)
    below = z - np.take_along_axis(z, top[:, None], axis=1)
    others = np.exp(below)
    np.put_along_axis(others, top[:, None], 0.0, axis=1)
    return np.asarray(below - np.log1p(others.sum(axis=1, keepdims=True)))


def log_others(
    log_probabilities: Float64[np.ndarray, "n k"], label: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Log of the probability of all classes but `label`."""
    rest = log_probabilities.copy()
    np.put_along_axis(rest, label[:, None], -np.inf, axis=1)
    return np.asarray(np.logaddexp.reduce(rest, axis=1))


def at(values: Float64[np.ndarray, "n k"], label: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Each row's value at its label."""
    return np.asarray(np.take_along_axis(values, label[:, None], axis=1)[:, 0])


def log_odds(
    log_values: Float64[np.ndarray, "n k"], label: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Log of the odds of `label` against all others: ranks as its probability, but never saturates.

    `log_values` need not be normalised: logits will do.
    """
    return np.asarray(at(log_values, label) - log_others(log_values, label))

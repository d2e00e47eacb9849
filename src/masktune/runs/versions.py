"""Versions of what a number depends on, without importing it."""

import platform
from importlib.metadata import version

import masktune


def versions() -> dict[str, str]:
    """Versions of masktune, torch, numpy and Python."""
    return {
        "masktune": masktune.__version__,
        "torch": version("torch"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
    }

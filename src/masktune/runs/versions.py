"""Versions of what a number depends on, without importing it."""

import platform
from importlib.metadata import version

from masktune.version import VERSION


def versions() -> dict[str, str]:
    """Versions of masktune, torch, numpy and Python."""
    return {
        "masktune": VERSION,
        "torch": version("torch"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
    }

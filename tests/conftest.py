"""Settings of the whole suite."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # For helpers that several folders share.


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import masktune for it before jaxtyping's import hook is in place.
    config.addinivalue_line("filterwarnings", "error::masktune.errors.MasktuneWarning")

"""Settings of the whole suite."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import masktune for it before jaxtyping's import hook is in place.
    config.addinivalue_line("filterwarnings", "error::masktune.errors.MasktuneWarning")

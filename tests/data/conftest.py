import jaxtyping
import pytest


@pytest.fixture
def unchecked():
    """As users run it: without the suite's checks of types and shapes, so that our own sentences are seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

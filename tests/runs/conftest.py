import jaxtyping
import pytest


@pytest.fixture
def as_users_run():
    """Without the type checks of the test suite, which would refuse a bad value before we do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

import jaxtyping
import pytest


@pytest.fixture
def as_users_run():
    """Without the shape checks of the test suite, which would refuse a bad array before we do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

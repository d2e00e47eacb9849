import jaxtyping
import pytest
import torch
from hypothesis import settings

# The first call of a checked function is slow, on a busy machine too slow for hypothesis.
settings.register_profile("masktune", deadline=None, max_examples=25)
settings.load_profile("masktune")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def unchecked():
    """As users run it: without the suite's checks of types and shapes, so that our own sentences are seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

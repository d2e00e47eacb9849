import jaxtyping
import pytest
import torch


@pytest.fixture
def unchecked():
    """As users run it: without the suite's checks of types and shapes, so that our own sentences are seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def _one_thread():
    """Bits depend on the number of threads, and other processes of these tests have one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

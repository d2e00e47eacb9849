import pytest

from masktune.bench import Choices, biased_mnist
from small_mnist import write_small_mnist


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory):
    return write_small_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def recipe(small_mnist):
    """Two methods of the real recipe on 256 training images, two epochs."""

    def make(**choices):
        defaults = {"seeds": (0,), "methods": ("erm", "masktune"), "epochs": 2, "batch_size": 32}
        return biased_mnist(small_mnist, choices=Choices(**defaults | choices))

    return make

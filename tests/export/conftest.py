"""Nothing in this room may use the network; all of it goes through the command line."""

import pytest


@pytest.fixture
def masked(mask):
    """The same where all must be well; returns stdout."""

    def call(*words):
        code, out, err = mask(*words, "--quiet")
        assert code == 0, err
        return out

    return call


@pytest.fixture(autouse=True)
def _offline(no_network):
    """In all tests of this folder."""

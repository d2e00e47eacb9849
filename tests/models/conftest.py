"""Nothing in this room may use the network."""

import pytest


@pytest.fixture(autouse=True)
def _offline(no_network):
    """In all tests of this folder."""

"""Settings of the whole suite."""

import socket
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # For helpers that several folders share.


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import masktune for it before jaxtyping's import hook is in place.
    config.addinivalue_line("filterwarnings", "error::masktune.errors.MasktuneWarning")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # The tests run in another order each time: a net that nobody seeded would have other weights with each.
    torch.manual_seed(0)


@pytest.fixture
def unchecked():
    """As users run it: without the suite's checks of types and shapes, so that our own sentences are seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def no_network(monkeypatch):
    """Whoever tries to connect fails the test."""

    def refuse(*args, **kwargs):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def mask(capsys, monkeypatch, no_network):
    """`masktune mask`; returns (exit code, stdout, stderr). The picture, which takes longest, is left out."""
    from masktune.cli import main

    monkeypatch.setattr("masktune.report.export.draw_examples", lambda examples, path: None)

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["mask", *map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture(autouse=True)
def _one_thread():
    """Bits depend on the number of threads, and other processes of these tests have one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

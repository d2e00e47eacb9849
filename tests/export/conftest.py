"""Nothing in this room may use the network; all of it goes through the command line."""

import socket

import pytest

from masktune.cli import main


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever tries to connect fails the test."""

    def refuse(*args, **kwargs):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def mask(capsys, monkeypatch):
    """`masktune mask`; returns (exit code, stdout, stderr). The picture, which takes longest, is left out."""
    monkeypatch.setattr("masktune.report.export.draw_examples", lambda examples, path: None)

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["mask", *map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture
def masked(mask):
    """The same where all must be well; returns stdout."""

    def call(*words):
        code, out, err = mask(*words, "--quiet")
        assert code == 0, err
        return out

    return call

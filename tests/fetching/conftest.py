"""A server for one test, and no patience: pauses of nothing."""

import threading

import pytest
from tests.fetching.server import Server

from masktune.fetching.download import Patience


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def hasty():
    return Patience(tries=3, pause=0, timeout=5)

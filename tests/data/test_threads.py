import os
import signal
import threading

import pytest

from masktune.data.threads import cores, pool


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert cores() == 3


@pytest.mark.parametrize(("counted", "expected"), [(6, 6), (None, 1)])
def test_cores_where_the_system_does_not_tell_which_may_be_used(monkeypatch, counted, expected):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cores() == expected


def test_one_pool_for_all():
    assert pool(2) is pool(2)
    assert pool(2) is not pool(3)


def test_a_pool_has_so_many_threads():
    together = threading.Barrier(3, timeout=20)  # Broken unless three work at the same time.
    names = list(pool(3).map(lambda _: (together.wait(), threading.current_thread().name)[1], range(3)))
    assert len(set(names)) == 3
    assert all(name.startswith("reading") for name in names)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    assert pool(2).submit(lambda: 1).result() == 1
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # Asking threads that did not come along would wait for ever.
        os._exit(pool(2).submit(lambda: 42).result())
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 42

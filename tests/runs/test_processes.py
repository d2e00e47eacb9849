"""What happens to a folder when other processes write to it, are killed, or run out of disk."""

import errno
import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from masktune.errors import RunFolderError, StorageError
from masktune.runs import lock

from .fakes import all_rows, open_run

HERE = Path(__file__).parent
BEGIN = f"""
import sys, time, os, signal, resource
sys.path.insert(0, {str(HERE)!r})
sys.path.insert(0, {str(HERE.parent)!r})
from pathlib import Path
from runs.fakes import all_rows, open_run, row
path = Path(sys.argv[1])
"""


def start(path, code):
    child = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def end(child):
    child.kill()
    child.wait()
    child.stdout.close()


def test_two_processes_cannot_write_one_folder_until_one_is_dead(tmp_path):
    child = start(tmp_path, "run = open_run(path); print('ready', flush=True); time.sleep(60)")
    try:
        with pytest.raises(RunFolderError) as caught:
            open_run(tmp_path)
    finally:
        end(child)
    expected = f"{tmp_path} is in use by another masktune process; wait for it, or choose another folder"
    assert str(caught.value) == expected
    open_run(tmp_path).close()  # kill -9 has freed it.


def test_kill_9_in_the_middle_of_a_write_leaves_the_old_results_whole(tmp_path):
    with open_run(tmp_path) as run:
        run.write_results(all_rows())
    before = run.results_path.read_bytes()
    code = """
def killed(part, target):
    print('ready', flush=True)
    time.sleep(60)
Path.replace = killed
open_run(path).write_results([row(seed=5)])
"""
    child = start(tmp_path, code)
    child.send_signal(signal.SIGKILL)
    end(child)
    assert run.results_path.read_bytes() == before
    assert list(tmp_path.glob(".*.part"))  # The half that was written; it is cleaned now:
    with open_run(tmp_path) as again:
        assert again.results_path.exists()
    assert not list(tmp_path.glob(".*.part"))


def test_kill_9_at_any_time_leaves_results_that_can_be_read(tmp_path):
    code = """
run = open_run(path)
run.write_results(all_rows())
print('ready', flush=True)
while True:
    run.write_results(all_rows() * 50)
"""
    for seconds in (0, 0.03, 0.1):
        child = start(tmp_path, code)
        time.sleep(seconds)
        end(child)
        json.loads((tmp_path / "results.json").read_text())
        with open_run(tmp_path) as run:
            assert len(run.read_results().rows) in (4, 200)


def test_a_limit_on_file_size_is_one_sentence(tmp_path):
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from masktune.errors import StorageError
run = open_run(path)
run.write_results(all_rows())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
print('ready', flush=True)
try:
    run.write_results(all_rows() * 50)
except StorageError as error:
    print(error, flush=True)
"""
    child = start(tmp_path, code)
    message = child.stdout.readline()
    end(child)
    path = tmp_path / "results.json"
    assert message == f"cannot write {path}: the file is larger than this disk or your limits allow\n"
    with open_run(tmp_path) as run:
        assert run.read_results().rows


def test_a_full_disk_at_the_start_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(StorageError, match=r"cannot write .*run\.json: the disk is full"):
            open_run(tmp_path / "out")
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == [lock.LOCK_NAME]
    open_run(tmp_path / "out").close()  # And it can begin once there is space.


def test_without_locks_the_run_goes_on_and_cleans_nothing(tmp_path, monkeypatch):
    (tmp_path / ".run.json.0a1b2c3d.part").touch()  # Perhaps somebody is at it.

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with open_run(tmp_path) as run:
        assert run.lock is None
    monkeypatch.setattr(lock, "fcntl", None)
    with open_run(tmp_path) as run:
        assert run.lock is None
    assert (tmp_path / ".run.json.0a1b2c3d.part").exists()

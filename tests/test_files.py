import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from masktune.errors import DataDamaged, DataNotFound, StorageError
from masktune.files import complete_file, make_folder, storage_errors, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_folders_appear(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "größer")
    assert (tmp_path / "a" / "b" / "note.txt").read_bytes() == "größer".encode()
    assert names(tmp_path / "a" / "b") == ["note.txt"]


def test_until_the_block_ends_the_old_content_stands(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with complete_file(path) as part:
        assert part.parent == path.parent
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("error", [ValueError("stop"), KeyboardInterrupt()])
def test_after_an_error_the_old_content_survives_and_nothing_else(tmp_path, error):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(type(error)), complete_file(path) as part:  # noqa: PT012
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note.txt"]


def test_without_an_old_file_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), complete_file(tmp_path / "note.txt"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_our_own_errors_pass_as_they_are(tmp_path):
    # DataNotFound is an OSError too; as a StorageError it would lose what it says.
    for error in (DataNotFound("no maps there"), DataDamaged("half a file"), StorageError("said already")):
        with pytest.raises(type(error), match=f"^{error}$"), complete_file(tmp_path / "note.txt"):
            raise error


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full; free some space or choose another folder"),
        (errno.EDQUOT, "your disk quota is used up; free some space or choose another folder"),
        (errno.EACCES, "permission denied; choose a folder you may write to"),
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(tmp_path, number, reason):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(StorageError) as caught, complete_file(path):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"cannot write {path}: {reason}"
    assert isinstance(caught.value, OSError)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note.txt"]


def test_a_full_disk_while_syncing_is_said_too(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        write_text(tmp_path / "note.txt", "new")
    assert names(tmp_path) == []


def test_no_permission_to_make_the_file(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(StorageError, match=r"cannot write .*note.txt: permission denied; choose a folder"):
        write_text(tmp_path / "note.txt", "new")


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(
        StorageError, match=r"cannot make the folder .*taken/a: a part of that path is a file"
    ):
        make_folder(tmp_path / "taken" / "a")


def test_a_folder_where_the_file_should_be(tmp_path):
    (tmp_path / "note.txt").mkdir()
    with pytest.raises(StorageError, match=r"note.txt: there is a folder of that name"):
        write_text(tmp_path / "note.txt", "new")
    assert names(tmp_path) == ["note.txt"]


def test_reading_says_so():
    with (
        pytest.raises(StorageError, match=r"^cannot read x\.npz: permission denied"),
        storage_errors(Path("x.npz"), "read"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_gets_the_rights_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "note.txt", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == mode


def test_a_limit_of_the_system_is_met_for_real(tmp_path):
    write_text(tmp_path / "note.txt", "old")
    script = (
        "import pathlib, sys\n"
        "from masktune.errors import StorageError\n"
        "from masktune.files import write_text\n"
        "try:\n"
        "    write_text(pathlib.Path(sys.argv[1]), 'x' * 100_000)\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "note.txt")]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert run.stdout == (
        f"cannot write {tmp_path / 'note.txt'}: the file is larger than this disk or your limits allow\n"
    )
    assert (tmp_path / "note.txt").read_text() == "old"
    assert names(tmp_path) == ["note.txt"]

import os

import numpy as np
import pytest

from masktune.data.contents import Contents, FilesOnDisk
from masktune.errors import DataNotFound, StorageError

from .listed import fill


def on_disk(root, *names):
    return FilesOnDisk(tuple(str(root / name) for name in names))


def test_what_is_in_a_file_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"two")
    files = on_disk(tmp_path, "a.png", "b.png")
    assert isinstance(files, Contents)
    assert (len(files), files.read(1), files.where(1)) == (2, b"two", str(tmp_path / "b.png"))
    assert files.select(np.array([1, 0, 1])).read(0) == b"two"
    assert len(files.select(np.array([], dtype=np.int64))) == 0


def test_the_missing_are_found_in_every_folder(tmp_path):
    fill(tmp_path, "a/1.png", "a/2.png", "b/1.png", "top.png")
    (tmp_path / "a" / "folder.png").mkdir()
    names = ["a/1.png", "a/3.png", "b/1.png", "b/2.png", "c/1.png", "top.png", "a/folder.png", "a/2.png"]
    assert on_disk(tmp_path, *names).missing() == [1, 3, 4, 6]


def test_a_link_counts_where_it_leads_to_a_file(tmp_path):
    fill(tmp_path, "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "gone.png")
    assert on_disk(tmp_path, "link.png", "broken.png").missing() == [1]


def test_a_folder_is_listed_once_and_no_file_is_asked_for(tmp_path, monkeypatch):
    names = [f"{number}.png" for number in range(50)]
    fill(tmp_path, *names)
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    monkeypatch.setattr(os, "stat", lambda *_, **__: pytest.fail("a file was asked for by name"))
    assert on_disk(tmp_path, *names).missing() == []
    assert listed == [str(tmp_path)]


def test_the_fingerprint_sees_sizes_and_times_and_the_order(tmp_path):
    fill(tmp_path, "a.png", "b.png")
    (tmp_path / "b.png").write_bytes(b"longer")
    files = on_disk(tmp_path, "a.png", "b.png")
    before = files.fingerprint()
    assert files.fingerprint() == before
    assert files.select(np.array([1, 0])).fingerprint() != before
    os.utime(tmp_path / "a.png", ns=(5, 5))
    later = files.fingerprint()
    assert later != before
    (tmp_path / "a.png").write_bytes(b"x")
    os.utime(tmp_path / "a.png", ns=(5, 5))
    assert files.fingerprint() != later


def test_the_fingerprint_stays_when_the_folder_moves(tmp_path):
    fill(tmp_path, "here/a.png")
    before = on_disk(tmp_path, "here/a.png").fingerprint()
    (tmp_path / "here").rename(tmp_path / "there")
    assert on_disk(tmp_path, "there/a.png").fingerprint() == before


def test_what_cannot_be_read_is_named_first(tmp_path):
    files = on_disk(tmp_path, "gone.png", "folder")
    (tmp_path / "folder").mkdir()
    for touch in (lambda: files.read(0), files.fingerprint):
        with pytest.raises(DataNotFound) as caught:
            touch()
        assert str(caught.value) == (
            f"{tmp_path}/gone.png does not exist any more; was it moved since the images were listed?"
        )
    with pytest.raises(StorageError) as caught:
        files.read(1)
    assert str(caught.value) == f"{tmp_path}/folder cannot be read: is a directory"

import errno
import hashlib
import json
import os
import random
import resource
from functools import partial

import pytest

from masktune.errors import InputError, StorageError
from masktune.fetching import download as module
from masktune.fetching.download import download
from masktune.fetching.sources import Source
from masktune.fetching.trouble import Unusable

CONTENT = random.Random(0).randbytes(1_000_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@pytest.fixture
def fetch(tmp_path, hasty):
    """Fetch an address to `data.bin`; returns what is there then."""

    def call(url, size=None, checksum=None, **how):
        download(Source(url, size, checksum), tmp_path / "data.bin", patience=hasty, **how)
        return (tmp_path / "data.bin").read_bytes()

    return call


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [None, SHA256, MD5])
def test_a_file_comes_whole_and_alone(server, fetch, tmp_path, checksum):
    url = server.put("data.bin", CONTENT)
    assert fetch(url, 1_000_000, checksum) == CONTENT
    assert names(tmp_path) == ["data.bin"]
    assert server.asked("data.bin") == [None]


def test_folders_of_the_target_are_made(server, tmp_path, hasty):
    url = server.put("data.bin", b"12345")
    download(Source(url), tmp_path / "a" / "b" / "data.bin", patience=hasty)
    assert (tmp_path / "a" / "b" / "data.bin").read_bytes() == b"12345"


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_what_broke_off_is_gone_on_with(server, fetch, checksum):
    url = server.put("data.bin", CONTENT, breaks_after=[300_000, 200_000])
    assert fetch(url, checksum=checksum) == CONTENT
    assert server.asked("data.bin") == [None, "bytes=300000-", "bytes=500000-"]
    assert server.bytes_of("data.bin") == 1_000_000  # Not one byte twice.


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT, breaks_after=[400_000, 0, 0, 0])
    with pytest.raises(Unusable, match=r"^the connection broke off after 400,000 of 1,000,000 bytes$"):
        fetch(url)
    assert names(tmp_path) == ["data.bin.part", "data.bin.part.json"]
    assert fetch(url) == CONTENT
    assert server.bytes_of("data.bin") == 1_000_000
    assert names(tmp_path) == ["data.bin"]


def test_an_interruption_leaves_what_has_come_for_the_next_time(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT)

    def interrupt(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(url, progress=interrupt)
    come = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < come < 1_000_000
    assert fetch(url) == CONTENT
    assert server.asked("data.bin") == [None, f"bytes={come}-"]


def test_when_all_had_come_only_the_name_is_left_to_give(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT, breaks_after=[1_000])
    fetch(url, 1_000_000, SHA256)
    (tmp_path / "data.bin").rename(tmp_path / "data.bin.part")
    record = {"url": url, "version": '"one"', "checksum": SHA256}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(record))
    before = len(server.asked("data.bin"))
    assert fetch(url, 1_000_000, SHA256) == CONTENT
    assert len(server.asked("data.bin")) == before


def test_a_server_that_ignores_the_range_sends_all_anew(server, fetch):
    url = server.put("data.bin", CONTENT, breaks_after=[300_000], ranges=False)
    assert fetch(url) == CONTENT
    assert server.bytes_of("data.bin") == 1_300_000


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("checksum", [False, True])
def test_a_file_that_changed_between_two_tries_is_not_glued_together(server, fetch, ranges, checksum):
    url = server.put("data.bin", CONTENT, breaks_after=[300_000, 0, 0, 0], ranges=ranges)
    with pytest.raises(Unusable, match="broke off"):
        fetch(url)
    other = CONTENT[::-1]
    server.put("data.bin", other, etag='"two"', ranges=ranges)
    expected = f"sha256:{hashlib.sha256(other).hexdigest()}" if checksum else None
    assert fetch(url, checksum=expected) == other


def test_the_date_tells_versions_apart_where_there_is_no_tag(server, fetch):
    first, second = "Tue, 01 Sep 2026 10:00:00 GMT", "Wed, 02 Sep 2026 10:00:00 GMT"
    url = server.put("data.bin", CONTENT, etag=None, modified=first, breaks_after=[300_000, 0, 0, 0])
    with pytest.raises(Unusable, match="broke off"):
        fetch(url)
    server.put("data.bin", CONTENT[::-1], etag=None, modified=second)
    assert fetch(url) == CONTENT[::-1]


def test_without_tag_date_and_checksum_nothing_is_added_to_what_came(server, fetch):
    url = server.put("data.bin", CONTENT, etag=None, breaks_after=[300_000])
    assert fetch(url) == CONTENT
    assert server.asked("data.bin") == [None, None]


def test_with_a_checksum_another_mirror_goes_on(server, fetch):
    one = server.put("one/data.bin", CONTENT, breaks_after=[300_000, 0, 0, 0])
    with pytest.raises(Unusable, match="broke off"):
        fetch(one, checksum=SHA256)
    two = server.put("two/data.bin", CONTENT, etag='"of another mirror"')
    assert fetch(two, checksum=SHA256) == CONTENT
    assert server.asked("two/data.bin") == ["bytes=300000-"]


def test_without_a_checksum_another_mirror_begins_anew(server, fetch):
    one = server.put("one/data.bin", CONTENT, breaks_after=[300_000, 0, 0, 0])
    with pytest.raises(Unusable, match="broke off"):
        fetch(one)
    two = server.put("two/data.bin", CONTENT[::-1])
    assert fetch(two) == CONTENT[::-1]
    assert server.asked("two/data.bin") == [None]


def test_when_what_came_earlier_was_of_another_file_it_is_fetched_once_more(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT, etag=None)
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    record = {"url": url, "version": "", "checksum": SHA256}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(record))
    assert fetch(url, checksum=SHA256) == CONTENT
    assert server.asked("data.bin") == ["bytes=1000-", None]


@pytest.mark.parametrize("record", [None, "no json", "[]", '{"version": "1"}'])
def test_an_unfinished_file_of_unknown_origin_is_not_added_to(server, fetch, tmp_path, record):
    url = server.put("data.bin", CONTENT)
    (tmp_path / "data.bin.part").write_bytes(b"somebody else's")
    if record is not None:
        (tmp_path / "data.bin.part.json").write_text(record)
    assert fetch(url) == CONTENT


def test_more_bytes_than_the_file_has_now_begin_anew(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT)
    (tmp_path / "data.bin.part").write_bytes(b"x" * 2_000_000)
    (tmp_path / "data.bin.part.json").write_text(json.dumps({"url": url, "version": '"one"'}))
    assert fetch(url) == CONTENT
    assert server.asked("data.bin") == ["bytes=2000000-", None]


def test_another_part_than_asked_for_is_not_used(server, fetch):
    url = server.put("data.bin", CONTENT, breaks_after=[300_000], wrong_start=100)
    assert fetch(url) == CONTENT
    assert server.asked("data.bin") == [None, "bytes=300000-", None]


def test_a_checksum_that_does_not_fit_is_said_and_nothing_is_kept(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT)
    wrong = "sha256:" + "0" * 64
    with pytest.raises(Unusable) as caught:
        fetch(url, checksum=wrong)
    assert str(caught.value) == (
        f"what came is another file: expected sha256 {'0' * 64}, got {SHA256.removeprefix('sha256:')}"
    )
    assert names(tmp_path) == []


def test_another_length_than_listed_is_refused_before_anything_comes(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT)
    with pytest.raises(Unusable, match=r"^the file there has 1,000,000 bytes, not the expected 999,999$"):
        fetch(url, size=999_999)
    assert names(tmp_path) == []


def test_a_server_that_claims_too_much_is_not_waited_for_for_ever(server, fetch):
    url = server.put("data.bin", CONTENT, length=1_000_001, ranges=False)
    with pytest.raises(Unusable, match="the connection broke off after 1,000,000 of 1,000,001 bytes"):
        fetch(url)
    assert server.asked("data.bin") == [None, "bytes=1000000-", "bytes=1000000-"]


def test_a_server_that_claims_too_little_is_caught_by_the_checksum(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT, length=999_000)
    with pytest.raises(Unusable, match="what came is another file"):
        fetch(url, checksum=SHA256)
    assert names(tmp_path) == []


def test_a_server_that_does_not_say_its_length_is_believed_up_to_the_listed_one(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT, says_length=False)
    assert fetch(url, size=1_000_000) == CONTENT
    (tmp_path / "data.bin").unlink()
    with pytest.raises(Unusable, match="it sends more than the 600 kB that the file has"):
        fetch(url, size=600_000)
    assert names(tmp_path) == []


def test_a_stream_without_an_end_is_stopped(server, fetch, monkeypatch):
    monkeypatch.setattr(module, "MOST", 500_000)
    url = server.put("data.bin", CONTENT, says_length=False)
    with pytest.raises(Unusable, match="it sends more than the 500 kB"):
        fetch(url)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_repeated(server, fetch, tmp_path, status):
    url = server.put("data.bin", failures=[status] * 9)
    with pytest.raises(Unusable, match=f"^the server says {status} "):
        fetch(url)
    assert len(server.asked("data.bin")) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_waited_out(server, fetch, status):
    url = server.put("data.bin", CONTENT, failures=[status, status])
    assert fetch(url) == CONTENT
    assert len(server.asked("data.bin")) == 3


def test_a_failure_that_does_not_pass_is_said(server, fetch):
    url = server.put("data.bin", CONTENT, failures=[500] * 9)
    with pytest.raises(Unusable, match=r"^the server says 500 Internal Server Error$"):
        fetch(url)
    assert len(server.asked("data.bin")) == 3


def test_pauses_grow_and_are_said(server, tmp_path, monkeypatch):
    paused, said = [], []
    monkeypatch.setattr(module.time, "sleep", paused.append)
    url = server.put("data.bin", CONTENT, failures=[503] * 9)
    with pytest.raises(Unusable):
        download(Source(url), tmp_path / "data.bin", tell=said.append)
    assert paused == [1, 2, 4, 8]
    assert said[0] == "127.0.0.1: the server says 503 Service Unavailable; trying again in 1 s"


def test_after_new_bytes_patience_begins_anew(server, fetch):
    # Each of ten requests brings something, though only three in a row may fail.
    url = server.put("data.bin", CONTENT, breaks_after=[100_000] * 9)
    assert fetch(url) == CONTENT
    assert len(server.asked("data.bin")) == 10


PAGES = [b"<!DOCTYPE html><title>Sign in</title>", b"\n  <html lang='en'>", b"\xef\xbb\xbf<!doctype HTML>"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz", "list.txt"])
def test_a_web_page_is_no_file_of_a_data_set(server, tmp_path, hasty, page, name):
    url = server.put(name, page, kind="text/html")
    with pytest.raises(Unusable, match=r"^a web page came instead of the file"):
        download(Source(url), tmp_path / name, patience=hasty)
    assert names(tmp_path) == []


def test_a_web_page_does_not_cost_what_had_come_before(server, fetch):
    url = server.put("data.bin", CONTENT, breaks_after=[400_000, 0, 0, 0])
    with pytest.raises(Unusable):
        fetch(url, 1_000_000)
    server.put("data.bin", PAGES[0], kind="text/html", ranges=False)  # A hotel's network, before one pays.
    with pytest.raises(Unusable, match="a web page came"):
        fetch(url, 1_000_000)
    server.put("data.bin", CONTENT)
    assert fetch(url, 1_000_000) == CONTENT
    assert server.asked("data.bin")[-1] == "bytes=400000-"


@pytest.mark.parametrize(
    ("name", "kind"), [("d.zip", "zip"), ("d.tar.gz", "gz"), ("d.tgz", "gz"), ("d.gz", "gz")]
)
def test_what_does_not_begin_like_an_archive_is_none(server, tmp_path, hasty, name, kind):
    url = server.put(name, b'{"error": "quota"}')
    with pytest.raises(Unusable, match=f'^what came is no {kind} archive; it begins with b\'{{"error"'):
        download(Source(url), tmp_path / name, patience=hasty)


def test_redirects_are_followed_and_the_range_goes_with_them(server, fetch):
    server.put("there.bin", CONTENT, breaks_after=[300_000])
    url = server.put("data.bin", leads_to=server.url("there.bin"))
    assert fetch(url) == CONTENT
    assert server.asked("there.bin") == [None, "bytes=300000-"]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/data.bin", "data:,hello"])
def test_redirects_lead_to_web_servers_only(server, fetch, tmp_path, to):
    url = server.put("data.bin", leads_to=to)
    with pytest.raises(Unusable, match=r"not allowed|not followed"):
        fetch(url)
    assert names(tmp_path) == []


def test_redirects_that_go_round_end(server, fetch):
    url = server.put("data.bin", leads_to=server.url("data.bin"))
    with pytest.raises(Unusable, match="the server says 302"):
        fetch(url)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/x", "example.org/x", "http:///x", ""]
)
def test_only_web_addresses_are_fetched(fetch, url):
    with pytest.raises(InputError, match="expected an address that begins with http:// or https://, got"):
        fetch(url)


def test_where_nobody_answers_nobody_is_asked_twice(fetch, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: pytest.fail("it was waited"))
    with pytest.raises(Unusable, match=r"^it refuses connections$"):
        fetch("http://127.0.0.1:9/data.bin")  # Nothing listens at the port of "discard".


def test_a_name_that_cannot_be_looked_up(fetch):
    with pytest.raises(Unusable, match=r"^its name cannot be looked up$"):
        fetch("http://no-such-host.invalid/data.bin")


def test_a_server_that_does_not_answer_in_time(server, tmp_path, monkeypatch):
    # It accepts connections, but nobody serves them.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        url = f"http://127.0.0.1:{silent_server.getsockname()[1]}/data.bin"
        patience = module.Patience(tries=2, pause=0, timeout=0.05)
        with pytest.raises(Unusable, match=r"^it does not answer in time$"):
            download(Source(url), tmp_path / "data.bin", patience=patience)


def test_a_full_disk_is_said_and_what_came_is_kept(server, fetch, tmp_path, monkeypatch):
    url = server.put("data.bin", CONTENT)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*: the disk is full; free some space"):
        fetch(url)
    assert not (tmp_path / "data.bin").exists()


def test_a_limit_of_the_system_is_met_and_gone_beyond_later(server, fetch, tmp_path):
    url = server.put("data.bin", CONTENT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*data.bin.part: the file is larger than"):
            fetch(url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    come = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < come <= 400_000
    assert fetch(url) == CONTENT
    assert server.asked("data.bin") == [None, f"bytes={come}-"]


def test_too_little_space_is_said_before_anything_comes(server, fetch, tmp_path, monkeypatch):
    url = server.put("data.bin", CONTENT)
    usage = partial(module.shutil._ntuple_diskusage, 10**9, 10**9)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(1000))
    with pytest.raises(StorageError) as caught:
        fetch(url)
    assert str(caught.value) == (
        f"expected 1 MB of free disk at {tmp_path} for data.bin, got 1 kB; free some space or choose another "
        "folder"
    )


def test_progress_counts_what_an_earlier_call_brought(server, fetch):
    url = server.put("data.bin", CONTENT, breaks_after=[400_000, 0, 0, 0])
    with pytest.raises(Unusable):
        fetch(url)
    steps = []
    fetch(url, progress=steps.append)
    assert {(step.what, step.total, step.unit) for step in steps} == {("fetching data.bin", 1000, "kB")}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[0].done > 400
    assert [step.done for step in steps if step.done == step.total] == [1000]  # Said once, at the end.


def test_without_a_length_progress_is_told_at_the_end_alone(server, fetch):
    steps = []
    fetch(server.put("data.bin", CONTENT, says_length=False), progress=steps.append)
    assert [(step.done, step.total, step.unit) for step in steps] == [(1000, 1000, "kB")]


def test_an_empty_file_is_a_file(server, fetch):
    assert fetch(server.put("data.bin", b"")) == b""

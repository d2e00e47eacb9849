import gzip
import hashlib
import logging
import random
from dataclasses import replace

import pytest
from tests.fetching.archives_made import tar_of, zip_of
from tests.fetching.server import Server

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.fetching.getting import Got, get
from masktune.fetching.not_fetched import NotFetched
from masktune.fetching.origins import ORIGINS
from masktune.fetching.sources import Origin, Part, Source

NOISE = random.Random(0).randbytes
BIRDS = {"birds/metadata.csv": b"id\n", "birds/a.jpg": NOISE(50_000), "readme.txt": b"hello"}
TABLE = b"a,b\n1,2\n"


@pytest.fixture
def archive(tmp_path_factory):
    return tar_of(tmp_path_factory.mktemp("made") / "birds.tar.gz", BIRDS).read_bytes()


@pytest.fixture
def known(monkeypatch):
    """Make an origin known; it is no official data set, so nothing is checked at the end."""

    def add(*parts):
        origin = Origin("birds", "birds", parts, "1. Ask somebody.\n2. Put it into {root}.\n")
        monkeypatch.setattr("masktune.fetching.origins.ORIGINS", {"birds": origin})

    return add


@pytest.fixture
def bring(tmp_path, hasty):
    """`get` into tmp_path/root; returns what it did and what it said."""

    def call(**how):
        said = []
        got = get("birds", tmp_path / "root", tell=said.append, patience=hasty, **how)
        return got, said

    return call


def birds(*urls, file="birds.tar.gz", unpacked=None, **known_of):
    sources = tuple(Source(url, **known_of) for url in urls)
    return Part("birds", file, sources, holds=("metadata.csv", "a.jpg"), unpacked=unpacked or {})


def table(*urls, **known_of):
    return Part("table.csv", "table.csv", tuple(Source(url, **known_of) for url in urls))


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


WHOLE = ["birds", "birds.tar.gz", "birds/a.jpg", "birds/metadata.csv"]


def test_files_are_fetched_and_archives_unpacked(server, known, bring, tmp_path, archive):
    known(
        birds(server.put("x/birds.tar.gz", archive), size=len(archive), checksum=sha256(archive)),
        table(server.put("table.csv", TABLE)),
    )
    got, said = bring()
    assert got == Got(made=("birds", "table.csv"), archives=("birds.tar.gz",), found=None)
    assert names(tmp_path / "root") == [*WHOLE, "table.csv"]
    assert (tmp_path / "root" / "birds" / "a.jpg").read_bytes() == BIRDS["birds/a.jpg"]
    assert said[:2] == ["fetching birds.tar.gz from 127.0.0.1", "fetching table.csv from 127.0.0.1"]


def test_a_second_time_nothing_is_asked_for(server, known, bring, tmp_path, archive):
    known(birds(server.put("birds.tar.gz", archive)), table(server.put("table.csv", TABLE)))
    bring()
    (tmp_path / "root" / "birds.tar.gz").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*")}
    got, said = bring()
    assert got.made == () == got.archives
    assert len(server.asked("birds.tar.gz")) == len(server.asked("table.csv")) == 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*")} == before
    assert said[0] == f"{tmp_path / 'root' / 'birds'} is there already"
    assert said[1] == f"without birds.tar.gz the content of {tmp_path / 'root' / 'birds'} cannot be compared"


def test_where_the_first_source_is_dead_the_second_one_serves(server, known, bring, tmp_path, archive):
    known(birds(server.url("gone.tar.gz"), server.put("birds.tar.gz", archive)))
    _, said = bring()
    assert said[1] == "127.0.0.1: the server says 404 Not Found"
    assert names(tmp_path / "root") == WHOLE


def test_a_web_page_instead_of_the_archive_leads_to_the_next_source(server, known, bring, tmp_path, archive):
    page = server.put("login.tar.gz", b"<!DOCTYPE html>", kind="text/html")
    known(birds(page, server.put("birds.tar.gz", archive)))
    bring()
    assert names(tmp_path / "root") == WHOLE


def test_half_an_archive_that_nothing_gives_away_leads_to_the_next_source(
    server, known, bring, tmp_path, archive
):
    # The length fits what is sent and there is no checksum; only unpacking tells.
    half = server.put("half.tar.gz", archive[: len(archive) // 2])
    known(birds(half, server.put("birds.tar.gz", archive)))
    _, said = bring()
    assert "is truncated, damaged or no such archive" in said[1]
    assert names(tmp_path / "root") == WHOLE


def test_what_one_source_began_a_mirror_ends(server, known, bring, archive):
    dying = server.put("a/birds.tar.gz", archive, breaks_after=[20_000, 0, 0, 0])
    mirror = server.put("b/birds.tar.gz", archive, etag='"b"')
    known(birds(dying, mirror, size=len(archive), checksum=sha256(archive)))
    bring()
    assert server.bytes_of("a/birds.tar.gz") == 20_000
    assert server.bytes_of("b/birds.tar.gz") == len(archive) - 20_000


def test_where_no_source_has_it_each_reason_is_said_and_the_steps(server, known, bring, tmp_path):
    page = server.put("page.tar.gz", b"<html>")
    known(birds(server.url("gone.tar.gz"), page, "http://127.0.0.1:9/birds.tar.gz"))
    with pytest.raises(NotFetched) as caught:
        bring()
    assert str(caught.value) == (
        "expected birds.tar.gz from the places that may have it, got 127.0.0.1: the server says 404 Not "
        "Found; 127.0.0.1: a web page came instead of the file (a login, a licence to accept, or an error); "
        "127.0.0.1: it refuses connections; follow the steps above, or name another place with --source"
    )
    assert caught.value.problems == ("1. Ask somebody.", f"2. Put it into {tmp_path / 'root'}.")
    assert isinstance(caught.value, DataNotFound)
    assert not (tmp_path / "root").exists()


def test_without_a_network_that_is_what_is_said(known, bring, tmp_path):
    known(birds("https://a.invalid/birds.tar.gz", "https://b.invalid/birds.tar.gz"))
    with pytest.raises(NotFetched) as caught:
        bring()
    assert str(caught.value) == (
        "expected birds.tar.gz from a.invalid or b.invalid, but no such name can be looked up; follow the "
        "steps above, or name another place with --source, or run the same command on a machine that is "
        f"online, and copy {tmp_path / 'root'} here"
    )
    assert caught.value.problems == ("1. Ask somebody.", f"2. Put it into {tmp_path / 'root'}.")


def test_a_part_that_came_stays_when_another_does_not(server, known, bring, tmp_path, archive):
    known(birds(server.put("birds.tar.gz", archive)), table(server.url("gone.csv")))
    with pytest.raises(
        NotFetched, match=r"expected table\.csv from the place that may have it, got 127.0.0.1: "
    ):
        bring()
    assert names(tmp_path / "root") == WHOLE
    server.put("gone.csv", TABLE)
    assert bring()[0].made == ("table.csv",)


def test_an_archive_put_there_by_hand_is_used(server, known, bring, tmp_path, archive):
    known(birds(server.url("gone.tar.gz"), size=len(archive), checksum=sha256(archive)))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "birds.tar.gz").write_bytes(archive)
    assert bring()[0].made == ("birds",)
    assert names(tmp_path / "root") == WHOLE


def test_another_archive_put_there_by_hand_is_refused_and_stays(known, bring, tmp_path, archive):
    known(birds("http://127.0.0.1:9/", checksum=sha256(archive)))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "birds.tar.gz").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"birds.tar.gz is another file: expected sha256 .*; remove it, and"):
        bring()
    assert names(tmp_path / "root") == ["birds.tar.gz"]


def test_half_an_archive_put_there_by_hand_is_refused_and_stays(known, bring, tmp_path, archive):
    known(birds("http://127.0.0.1:9/"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "birds.tar.gz").write_bytes(archive[:10_000])
    with pytest.raises(DataDamaged, match="is truncated"):
        bring()
    assert names(tmp_path / "root") == ["birds.tar.gz"]


def test_half_a_folder_is_neither_taken_for_whole_nor_overwritten(known, bring, tmp_path):
    known(birds("http://127.0.0.1:9/"))
    (tmp_path / "root" / "birds").mkdir(parents=True)
    (tmp_path / "root" / "birds" / "metadata.csv").write_text("mine")
    with pytest.raises(InputError) as caught:
        bring()
    assert str(caught.value) == (
        f"expected {tmp_path / 'root' / 'birds'} whole or not there, but it has no a.jpg; remove or rename "
        "it, then run the same command again"
    )
    assert (tmp_path / "root" / "birds" / "metadata.csv").read_text() == "mine"


def test_an_interruption_while_unpacking_is_gone_on_with(server, known, bring, tmp_path, archive):
    known(birds(server.put("birds.tar.gz", archive)))

    def interrupt(step):
        if step.what.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(progress=interrupt)
    assert names(tmp_path / "root") == ["birds.tar.gz"]
    bring()
    assert names(tmp_path / "root") == WHOLE
    assert len(server.asked("birds.tar.gz")) == 1  # It was not fetched again.


def test_an_address_of_the_users_own_comes_first(server, known, bring, tmp_path, archive):
    known(birds(server.put("known/birds.tar.gz", archive), checksum=sha256(archive)))
    bring(source=server.put("mine.tar.gz", archive) + "?key=1")
    assert server.asked("known/birds.tar.gz") == []
    assert names(tmp_path / "root") == WHOLE


def test_an_address_of_the_users_own_must_have_the_same_file(server, known, bring, tmp_path, archive):
    known(birds(server.put("known/birds.tar.gz", archive), checksum=sha256(archive)))
    other = tar_of(tmp_path / "other.tar.gz", {**BIRDS, "birds/evil.py": b"import os"}).read_bytes()
    _, said = bring(source=server.put("mine.tar.gz", other))
    assert "what came is another file" in said[1]
    assert names(tmp_path / "root") == WHOLE


def test_a_folder_of_the_users_own_serves_all_files(server, known, bring, archive):
    known(birds("http://127.0.0.1:9/birds.tar.gz"), table("http://127.0.0.1:9/table.csv"))
    server.put("mine/birds.tar.gz", archive)
    server.put("mine/table.csv", TABLE)
    assert bring(source=server.url("mine/"))[0].made == ("birds", "table.csv")


def test_the_address_of_one_file_serves_that_file(server, known, bring, archive):
    known(birds(server.put("birds.tar.gz", archive)), table("http://127.0.0.1:9/table.csv"))
    bring(source=server.put("mine/table.csv", TABLE))
    assert len(server.asked("mine/table.csv")) == 1


def test_an_address_that_fits_no_file_is_refused(server, known, bring):
    known(birds(server.url("a")), table(server.url("b")))
    with pytest.raises(
        InputError, match=r"expected the address of one of birds.tar.gz, table.csv, or of their"
    ):
        bring(source=server.url("other.csv"))
    with pytest.raises(InputError, match="expected an address that begins with http:// or https://"):
        bring(source="/home/me/birds.tar.gz")


def test_an_unknown_name_makes_nothing(tmp_path):
    with pytest.raises(InputError, match=r"got 'waterbrids' \(did you mean 'waterbirds'\?\)"):
        get("waterbrids", tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_root_that_is_a_file_is_said(server, known, bring, tmp_path, archive):
    known(birds(server.put("birds.tar.gz", archive)))
    (tmp_path / "root").write_text("")
    with pytest.raises(
        InputError, match=r"expected a folder for birds, got the file .*root; name another place"
    ):
        bring()


def test_as_a_library_it_logs_what_the_command_prints(server, known, tmp_path, hasty, archive, caplog):
    known(birds(server.put("birds.tar.gz", archive)))
    with caplog.at_level(logging.INFO, "masktune.fetching"):
        get("birds", tmp_path / "root", patience=hasty)
    assert caplog.messages[0] == "fetching birds.tar.gz from 127.0.0.1"


FLOCK = {f"birds/{name}.jpg": NOISE(3000) for name in "abcdef"} | {"birds/metadata.csv": b"id\n"}
"""Seven files, so that a damaged one is not most of them."""


@pytest.fixture
def flock(server, known, bring, tmp_path):
    """Birds that were fetched and unpacked; the folder, and its archive."""
    content = tar_of(tmp_path / "flock.tar.gz", {**FLOCK, "readme.txt": b"hello"}).read_bytes()
    known(birds(server.put("birds.tar.gz", content), size=len(content), checksum=sha256(content)))
    bring()
    return tmp_path / "root" / "birds", tmp_path / "root" / "birds.tar.gz"


def test_what_was_unpacked_is_held_against_its_archive(flock, bring):
    folder, _ = flock
    assert bring()[1][0] == f"{folder} is there already"


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"\0" + content[1:], lambda content: content[:-1], lambda content: content + b"x"],
)
def test_a_damaged_file_and_one_that_is_gone_are_unpacked_anew(flock, bring, damage):
    folder, archive = flock
    bad = damage(FLOCK["birds/b.jpg"])
    (folder / "b.jpg").write_bytes(bad)
    (folder / "d.jpg").unlink()
    (folder / "mine.txt").write_text("mine")
    got, said = bring()
    assert got.made == ("birds",)
    assert said[0] == (
        f"damaged or gone, so unpacked anew from {archive}: 'birds/b.jpg', 'birds/d.jpg'; what was there "
        "stays as NAME.damaged"
    )
    assert {f"birds/{name}": (folder / name).read_bytes() for name in names(folder)} == {
        **FLOCK,
        "birds/mine.txt": b"mine",
        "birds/b.jpg.damaged": bad,
    }
    assert bring()[0].made == ()


def test_half_a_folder_beside_its_archive_is_made_whole(flock, bring):
    folder, _ = flock
    (folder / "a.jpg").unlink()  # `birds` must hold it.
    assert bring()[0].made == ("birds",)
    assert (folder / "a.jpg").read_bytes() == FLOCK["birds/a.jpg"]


def test_another_folder_of_that_name_is_not_overwritten(flock, bring):
    folder, archive = flock
    for name in "abcd":
        (folder / f"{name}.jpg").write_bytes(b"mine")
    with pytest.raises(InputError) as caught:
        bring()
    assert str(caught.value) == (
        f"expected {folder} as {archive} has it, but 4 of 7 files are others or not there; remove or rename "
        "it, then run the same command again"
    )
    assert (folder / "a.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize("checked", [True, False])
def test_a_damaged_archive_tells_nothing_about_the_folder(flock, known, bring, server, checked):
    folder, archive = flock
    if not checked:
        known(birds(server.url("birds.tar.gz")))
    archive.write_bytes(archive.read_bytes()[:9000])
    got, said = bring()
    assert got.made == ()
    assert said[0].startswith(
        f"{archive} is damaged itself, so the content of {folder} cannot be compared: "
        + ("expected sha256 " if checked else f"{archive} is truncated")
    )
    assert said[1] == f"{folder} is there already"
    (folder / "a.jpg").unlink()
    with pytest.raises(
        InputError, match=r"birds whole or not there, but it has no a\.jpg; remove or rename it"
    ):
        bring()


def test_an_archive_without_the_folder_is_compared_too(known, server, bring, tmp_path):
    files = {name.removeprefix("birds/"): content for name, content in FLOCK.items()}
    known(
        birds(server.put("birds.zip", zip_of(tmp_path / "flock.zip", files).read_bytes()), file="birds.zip")
    )
    bring()
    (tmp_path / "root" / "birds" / "c.jpg").write_bytes(b"")
    assert bring()[0].made == ("birds",)
    assert (tmp_path / "root" / "birds" / "c.jpg").read_bytes() == files["c.jpg"]


def test_a_plain_file_that_is_another_one_is_refused_and_stays(server, known, bring, tmp_path):
    known(table(server.put("table.csv", TABLE), checksum=sha256(TABLE)))
    bring()
    assert bring()[0].made == ()
    (tmp_path / "root" / "table.csv").write_bytes(TABLE[:-1])
    with pytest.raises(
        InputError, match=r"table.csv is another file: expected sha256 .*; remove it, and the"
    ):
        bring()
    assert (tmp_path / "root" / "table.csv").read_bytes() == TABLE[:-1]


@pytest.fixture
def digits(server, known, bring, tmp_path):
    """One gzipped file of which the unpacked checksum is known, fetched; the file, and its archive."""
    packed = gzip.compress(NOISE(5000), mtime=0)
    raw = sha256(gzip.decompress(packed))
    source = Source(server.put("digits.gz", packed), checksum=sha256(packed))
    known(Part("raw/digits", "raw/digits.gz", (source,), unpacked={"": raw}))
    bring()
    return tmp_path / "root" / "raw" / "digits", tmp_path / "root" / "raw" / "digits.gz"


def test_a_damaged_file_of_a_known_checksum_is_unpacked_anew(digits, bring):
    path, archive = digits
    right = path.read_bytes()
    assert bring() == (
        Got((), ("raw/digits.gz",), None),
        [f"{path} is there already", f"checking {path.parents[1]}"],
    )
    path.write_bytes(right[:100] + bytes(50) + right[150:])
    got, said = bring()
    assert got.made == ("raw/digits",)
    assert said[0].startswith(f"damaged or gone, so unpacked anew from {archive}: 'digits'; ")
    assert path.read_bytes() == right


def test_a_damaged_file_without_its_archive_is_refused_and_one_that_is_whole_is_not(digits, bring):
    path, archive = digits
    archive.unlink()
    assert bring()[1][0] == f"{path} is there already"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        InputError, match=r"digits is damaged: expected sha256 .*; remove or rename .*digits, "
    ):
        bring()


def test_a_damaged_file_beside_a_damaged_archive_is_refused(digits, bring):
    path, archive = digits
    path.write_bytes(b"")
    archive.write_bytes(b"")
    with pytest.raises(InputError, match=r"digits\.gz is another file: "):
        bring()


def test_files_in_a_folder_are_known_by_their_checksums(flock, known, bring, server):
    folder, archive = flock
    some = {name: sha256(FLOCK[f"birds/{name}"]) for name in ("c.jpg", "e.jpg")}
    known(birds(server.url("birds.tar.gz"), checksum=sha256(archive.read_bytes()), unpacked=some))
    (folder / "e.jpg").unlink()
    assert bring()[0].made == ("birds",)
    (folder / "c.jpg").unlink()
    archive.unlink()
    with pytest.raises(
        InputError, match=r"c\.jpg is damaged: it is not there; remove or rename .*birds, and the"
    ):
        bring()


def at(server: Server, name: str, **contents: bytes) -> Origin:
    """The known origin of that name, its files being these and on our server."""
    origin = ORIGINS[name]
    parts = [
        replace(
            part, holds=(), sources=(Source(server.put(part.file, contents[part.makes.partition(".")[0]])),)
        )
        for part in origin.parts
    ]
    return replace(origin, parts=tuple(parts))


def test_at_the_end_the_data_set_is_checked(server, tmp_path, hasty, monkeypatch):
    cats = {f"PetImages/{name}/{n}.jpg": b"jpeg" for name in ("Cat", "Dog") for n in range(12)}
    content = zip_of(tmp_path / "pets.zip", cats).read_bytes()
    origin = at(server, "cats-vs-dogs", PetImages=content)
    monkeypatch.setattr("masktune.fetching.origins.ORIGINS", {"cats-vs-dogs": origin})
    got = get("cats-vs-dogs", tmp_path / "root", patience=hasty)
    assert sum(row.n for row in got.found.rows) == 24
    assert not got.found.whole


def test_what_lies_there_and_does_not_pass_the_check_is_to_be_removed_first(
    server, tmp_path, hasty, monkeypatch
):
    origin = at(server, "cats-vs-dogs", PetImages=b"")
    monkeypatch.setattr("masktune.fetching.origins.ORIGINS", {"cats-vs-dogs": origin})
    (tmp_path / "PetImages" / "Cat").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        get("cats-vs-dogs", tmp_path, patience=hasty)
    said = str(caught.value)
    assert said.startswith(
        f"expected cats-vs-dogs in {tmp_path}, but 2 files are not there: 'PetImages/Cat/', "
    )
    assert said.endswith(
        f"; what is there is not fetched anew: first remove or rename PetImages in {tmp_path}"
    )

import gzip
import os
import random
import resource
import tarfile
import zipfile

import pytest
from tests.fetching.archives_made import special, tar_of, zip_of

from masktune.errors import DataDamaged, StorageError
from masktune.fetching.unpack import Limits, unpack

NOISE = random.Random(0).randbytes
BIRDS = {
    "birds/metadata.csv": b"id\n",
    "birds/001.Crow/a.jpg": NOISE(500),
    "birds/002.Gull/b.jpg": NOISE(700),
}


def made(kind, folder, files):
    """An archive of these files, of the kind that the name says."""
    path = folder / f"birds{kind}"
    return (
        zip_of(path, files) if kind == ".zip" else tar_of(path, files, mode="w" if kind == ".tar" else "w:gz")
    )


def tree(folder):
    """All files under a folder with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())


KINDS = [".zip", ".tar", ".tar.gz", ".tgz"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_of_the_targets_name_becomes_it(tmp_path, kind):
    archive = made(kind, tmp_path, {**BIRDS, "readme.txt": b"hello"})
    unpack(archive, tmp_path / "birds", holds=("metadata.csv", "001.Crow"))
    assert tree(tmp_path / "birds") == {
        name.removeprefix("birds/"): content for name, content in BIRDS.items()
    }
    assert names(tmp_path) == ["birds", archive.name]  # Neither the readme nor a hidden folder.


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_top_folder_the_whole_becomes_it(tmp_path, kind):
    archive = made(kind, tmp_path, {name.removeprefix("birds/"): content for name, content in BIRDS.items()})
    unpack(archive, tmp_path / "flat", holds=("metadata.csv",))
    assert (tmp_path / "flat" / "002.Gull" / "b.jpg").read_bytes() == BIRDS["birds/002.Gull/b.jpg"]


def test_one_gzipped_file_becomes_that_file(tmp_path):
    archive = tmp_path / "train-labels.gz"
    archive.write_bytes(gzip.compress(b"0123456789" * 6000))
    unpack(archive, tmp_path / "train-labels")
    assert (tmp_path / "train-labels").read_bytes() == b"0123456789" * 6000
    assert names(tmp_path) == ["train-labels", "train-labels.gz"]


def test_names_that_begin_with_a_dot_and_a_slash_are_fine(tmp_path):
    archive = tar_of(tmp_path / "a.tar.gz", {f"./{name}": content for name, content in BIRDS.items()})
    unpack(archive, tmp_path / "birds")
    assert len(tree(tmp_path / "birds")) == 3


def test_an_empty_folder_makes_way(tmp_path):
    (tmp_path / "birds").mkdir()
    unpack(made(".zip", tmp_path, BIRDS), tmp_path / "birds")
    assert len(tree(tmp_path / "birds")) == 3


def test_what_an_interruption_left_is_cleared_away(tmp_path):
    (tmp_path / ".birds.unpacking" / "old").mkdir(parents=True)
    unpack(made(".tar.gz", tmp_path, BIRDS), tmp_path / "birds")
    assert names(tmp_path) == ["birds", "birds.tar.gz"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "birds/../../evil.txt",
        "/evil.txt",
        "C:\\evil.txt",
        "c:evil.txt",
        "..\\evil.txt",
        "\\e.txt",
    ],
)
def test_names_that_lead_outside_are_refused(tmp_path, kind, name):
    (tmp_path / "here").mkdir()
    archive = made(kind, tmp_path / "here", {**BIRDS, name: b"evil"})
    before = tree(tmp_path)
    with pytest.raises(DataDamaged) as caught:
        unpack(archive, tmp_path / "here" / "birds")
    assert str(caught.value) == (
        f"{archive} holds a name that leads out of its folder, {name!r}; nothing of it was kept; remove it "
        "and get it from a place that you trust"
    )
    assert tree(tmp_path) == before
    assert not (tmp_path / "here" / "birds").exists()


OUTSIDE = [
    special("birds/link", tarfile.SYMTYPE, "../../outside.txt"),
    special("birds/link", tarfile.SYMTYPE, "/etc/passwd"),
    special("birds/link", tarfile.SYMTYPE, ".."),
    special("birds/link", tarfile.LNKTYPE, "../outside.txt"),
    special("birds/link", tarfile.LNKTYPE, "/etc/passwd"),
    special("birds/link", tarfile.SYMTYPE, "nothing.jpg"),
]


@pytest.mark.parametrize("link", OUTSIDE, ids=lambda info: f"{info.type.decode()} {info.linkname}")
def test_links_that_lead_outside_or_to_nothing_are_refused(tmp_path, link):
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "here").mkdir()
    archive = tar_of(tmp_path / "here" / "birds.tar.gz", BIRDS, extra=(link,))
    with pytest.raises(
        DataDamaged, match=r"holds a link that leads out of it or to nothing, 'birds/link' to '"
    ):
        unpack(archive, tmp_path / "here" / "birds")
    assert names(tmp_path / "here") == ["birds.tar.gz"]


def test_a_file_behind_a_link_to_the_outside_does_not_go_there(tmp_path):
    # The classic: first a link to a folder outside, then a file "in" it.
    (tmp_path / "outside").mkdir()
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "birds.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(special("birds/door", tarfile.SYMTYPE, "../../outside"))
        archive.addfile(tarfile.TarInfo("birds/door/evil.txt"))
    with pytest.raises(DataDamaged):
        unpack(path, tmp_path / "here" / "birds")
    assert names(tmp_path / "outside") == []


@pytest.mark.parametrize(
    "link",
    [
        special("birds/again.jpg", tarfile.SYMTYPE, "001.Crow/a.jpg"),
        special("birds/again.jpg", tarfile.LNKTYPE, "birds/001.Crow/a.jpg"),
    ],
)
def test_a_link_within_the_archive_becomes_a_copy(tmp_path, link):
    unpack(tar_of(tmp_path / "birds.tar.gz", BIRDS, extra=(link,)), tmp_path / "birds")
    copy = tmp_path / "birds" / "again.jpg"
    assert copy.read_bytes() == BIRDS["birds/001.Crow/a.jpg"]
    assert not copy.is_symlink()
    assert copy.stat().st_nlink == 1


def test_links_that_go_round_are_refused(tmp_path):
    ring = (special("birds/a", tarfile.SYMTYPE, "b"), special("birds/b", tarfile.SYMTYPE, "a"))
    with pytest.raises(DataDamaged):
        unpack(tar_of(tmp_path / "birds.tar", BIRDS, mode="w", extra=ring), tmp_path / "birds")
    assert names(tmp_path) == ["birds.tar"]


def test_a_zip_holds_no_links(tmp_path):
    with pytest.raises(DataDamaged, match="holds a link that leads out"):
        unpack(zip_of(tmp_path / "b.zip", BIRDS, links={"birds/link": "/etc/passwd"}), tmp_path / "birds")
    assert names(tmp_path) == ["b.zip"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(tmp_path, kind):
    archive = tar_of(tmp_path / "birds.tar", BIRDS, mode="w", extra=(special("birds/device", kind),))
    with pytest.raises(DataDamaged, match=r"holds 'birds/device', which is no file, folder or link"):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == ["birds.tar"]


def test_neither_owner_nor_rights_come_from_the_archive(tmp_path):
    path = tmp_path / "birds.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("birds/run.sh")
        info.mode, info.uid = 0o4777, 12345
        archive.addfile(info)
    unpack(path, tmp_path / "birds")
    stat = (tmp_path / "birds" / "run.sh").stat()
    assert stat.st_mode & 0o7111 == 0
    assert stat.st_uid == os.getuid()


ZEROS = b"\0" * 3_000_000  # Packs to about 3 kB.


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_a_bomb_is_stopped(tmp_path, kind):
    archive = made(kind, tmp_path, {"birds/bomb": ZEROS})
    assert archive.stat().st_size < 10_000
    with pytest.raises(DataDamaged, match=r"unpacks to more than 1 MB; nothing of it was kept"):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == [archive.name]


def test_a_bomb_of_one_file_is_stopped(tmp_path):
    (tmp_path / "labels.gz").write_bytes(gzip.compress(ZEROS))
    with pytest.raises(DataDamaged, match="unpacks to more than 1 MB"):
        unpack(tmp_path / "labels.gz", tmp_path / "labels")
    assert names(tmp_path) == ["labels.gz"]


def test_many_small_files_make_a_bomb_too(tmp_path):
    archive = zip_of(tmp_path / "b.zip", {f"birds/{number}": b"\0" * 100_000 for number in range(20)})
    with pytest.raises(DataDamaged, match="unpacks to more than 1 MB"):
        unpack(archive, tmp_path / "birds")


def test_a_size_that_the_zip_understates_does_not_help_a_bomb(tmp_path):
    archive = zip_of(tmp_path / "b.zip", {"birds/bomb": ZEROS})
    size = len(ZEROS).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with zipfile.ZipFile(archive) as changed:
        assert changed.infolist()[0].file_size == 10
    with pytest.raises(DataDamaged):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == ["b.zip"]


def test_a_large_archive_may_become_twenty_times_as_large(tmp_path):
    content = NOISE(100_000) + b"\0" * 1_500_000
    archive = zip_of(tmp_path / "b.zip", {"birds/a": content})
    unpack(archive, tmp_path / "birds")
    assert (tmp_path / "birds" / "a").read_bytes() == content


def test_too_many_members_are_refused(tmp_path):
    archive = zip_of(tmp_path / "b.zip", {f"birds/{number}": b"" for number in range(11)})
    unpack(archive, tmp_path / "birds", limits=Limits(members=11))
    with pytest.raises(DataDamaged, match="holds more than 10 files"):
        unpack(archive, tmp_path / "other", limits=Limits(members=10))
    assert names(tmp_path) == ["b.zip", "birds"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_half_an_archive_leaves_nothing(tmp_path, kind, share):
    files = {f"birds/{number}.jpg": NOISE(5000) for number in range(50)}
    archive = made(kind, tmp_path, files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataDamaged, match=r"is truncated, damaged or no such archive"):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == [archive.name]


def test_a_tar_cut_between_two_files_is_half_an_archive(tmp_path):
    # 512 bytes of header and 512 of content a file: after the second nothing but the end is missing.
    archive = tar_of(tmp_path / "birds.tar", {f"birds/{n}": NOISE(512) for n in range(4)}, mode="w")
    archive.write_bytes(archive.read_bytes()[: 2 * 1024])
    with pytest.raises(DataDamaged, match="it has no end"):
        unpack(archive, tmp_path / "birds")


@pytest.mark.parametrize("at", [1024, 2048 + 10])
def test_a_damaged_tar_does_not_end_early(tmp_path, at):
    archive = tar_of(tmp_path / "birds.tar", {f"birds/{n}": NOISE(512) for n in range(4)}, mode="w")
    content = bytearray(archive.read_bytes())
    content[at] ^= 0xFF  # In the header of the second or third file.
    archive.write_bytes(content)
    with pytest.raises(DataDamaged):
        unpack(archive, tmp_path / "birds")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_a_changed_byte_is_noticed(tmp_path, kind):
    archive = made(kind, tmp_path, {"birds/a.jpg": NOISE(50_000)})
    content = bytearray(archive.read_bytes())
    content[20_000] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataDamaged):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == [archive.name]


def test_a_changed_byte_of_one_gzipped_file_is_noticed(tmp_path):
    content = bytearray(gzip.compress(NOISE(50_000)))
    content[20_000] ^= 0xFF
    (tmp_path / "labels.gz").write_bytes(content)
    with pytest.raises(DataDamaged):
        unpack(tmp_path / "labels.gz", tmp_path / "labels")
    assert names(tmp_path) == ["labels.gz"]


@pytest.mark.parametrize("kind", [*KINDS, ".gz"])
def test_what_is_no_archive_is_said(tmp_path, kind):
    archive = tmp_path / f"birds{kind}"
    archive.write_bytes(b"<html>" * 1000)
    with pytest.raises(DataDamaged, match=r"is truncated, damaged or no such archive .*; get it again$"):
        unpack(archive, tmp_path / "birds")
    assert names(tmp_path) == [archive.name]


def test_a_locked_zip_is_said(tmp_path):
    archive = zip_of(tmp_path / "b.zip", {"birds/a": b"content"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # The flag "encrypted", at the file and in the directory at the end.
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataDamaged, match=r"cannot be unpacked \(.*password"):
        unpack(archive, tmp_path / "birds")


def test_another_archive_than_expected_leaves_nothing(tmp_path):
    archive = made(".tar.gz", tmp_path, {"cats/1.jpg": b"meow"})
    with pytest.raises(DataDamaged) as caught:
        unpack(archive, tmp_path / "birds", holds=("metadata.csv", "001.Crow"))
    assert str(caught.value) == (
        f"expected birds with metadata.csv, 001.Crow in {archive}, but it has no metadata.csv, 001.Crow; get "
        "another copy"
    )
    assert names(tmp_path) == ["birds.tar.gz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_leaves_nothing(tmp_path, error):
    def interrupt(step):
        raise error

    archive = made(".tar.gz", tmp_path, BIRDS)
    with pytest.raises(error):
        unpack(archive, tmp_path / "birds", progress=interrupt)
    assert names(tmp_path) == ["birds.tar.gz"]


def test_a_full_disk_leaves_nothing(tmp_path):
    archive = made(".zip", tmp_path, {"birds/a.jpg": NOISE(50_000)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*a\.jpg: the file is larger than this disk"):
            unpack(archive, tmp_path / "birds")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == ["birds.zip"]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_goes_through_the_archive_and_ends_once(tmp_path, kind):
    archive = made(kind, tmp_path, {f"birds/{number}.jpg": NOISE(20_000) for number in range(30)})
    steps = []
    unpack(archive, tmp_path / "birds", progress=steps.append)
    assert {step.what for step in steps} == {f"unpacking birds{kind}"}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert [step.done == step.total for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[len(steps) // 2].done > steps[0].total // 4

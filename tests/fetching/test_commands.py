"""`masktune data get` and `masktune data build-in9`, as they are typed."""

import gzip
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fetching.archives_made import zip_of
from tests.fetching.test_imagenet9 import imagenet  # noqa: F401 - a fixture.
from tests.shared_data import SHARED_DATA, needs_shared_data

import masktune
from masktune.cli import main
from masktune.fetching.sources import Origin, Part, Source
from masktune.fetching.synsets import in9_class_of

SRC = Path(masktune.__file__).parent


@pytest.fixture
def typed(capsys):
    """A command; returns (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture
def pets(server, tmp_path, monkeypatch):
    """Cats vs Dogs is 24 tiny files on our server."""
    files = {f"PetImages/{name}/{n}.jpg": b"jpeg" for name in ("Cat", "Dog") for n in range(12)}
    content = zip_of(tmp_path / "pets.zip", files).read_bytes()
    part = Part("PetImages", "pets.zip", (Source(server.put("pets.zip", content)),), ("Cat", "Dog"))
    steps = "1. Get pets.zip from a friend.\n2. Put it into {root}.\n"
    origin = Origin("cats-vs-dogs", "cats-vs-dogs", (part,), steps, note="Mind the fleas.")
    monkeypatch.setattr("masktune.fetching.origins.ORIGINS", {"cats-vs-dogs": origin})


def test_terms_and_size_are_said_before_and_counts_after(pets, typed, tmp_path):
    code, out, err = typed("data", "get", "cats-vs-dogs", tmp_path / "root")
    assert code == 0
    first, second, third, fourth, *_ = out.splitlines()
    assert first.endswith(": how much there is to fetch, only its server knows")
    assert second.startswith("licence: ")
    assert third == "Mind the fleas."
    assert fourth.startswith(first.partition(":")[0])  # What the check says.
    assert "not whole" in fourth
    assert out.splitlines()[-1] == f"no longer needed in {tmp_path / 'root'}: pets.zip"
    said = [re.sub(r"[\d.]+ s$", "T s", line) for line in err.splitlines()]
    assert said[0] == "fetching pets.zip from 127.0.0.1"
    assert re.fullmatch(r"fetching pets\.zip: \d+ (bytes|kB) in T s", said[1])
    assert re.fullmatch(r"unpacking pets\.zip: \d+ (bytes|kB) in T s", said[2])
    assert said[3] == f"checking {tmp_path / 'root'}"


def test_quiet_is_quiet(pets, typed, tmp_path):
    code, _, err = typed("data", "get", "cats-vs-dogs", tmp_path / "root", "--quiet")
    assert (code, err) == (0, "")


def test_where_nothing_comes_the_steps_are_shown_and_one_line_says_why(server, pets, typed, tmp_path):
    server.files.clear()
    code, _, err = typed("data", "get", "cats-vs-dogs", tmp_path / "root", "--quiet")
    assert code == 2
    *steps, last = err.splitlines()
    assert steps == ["1. Get pets.zip from a friend.", f"2. Put it into {tmp_path / 'root'}."]
    assert last == (
        "error: expected pets.zip from the place that may have it, got 127.0.0.1: the server says 404 Not "
        "Found; follow the steps above, or name another place with --source"
    )
    assert not (tmp_path / "root").exists()


def test_a_mistyped_name_is_one_line(typed, tmp_path, no_network):
    code, out, err = typed("data", "get", "cifar", tmp_path / "root")
    assert (code, out) == (2, "")
    assert err == (
        "error: expected a data set of waterbirds, celeba, imagenet9, imagenet9-train, cifar10, svhn, "
        "cats-vs-dogs, mnist, got 'cifar' (did you mean 'cifar10'?)\n"
    )


def test_the_help_names_every_data_set(typed):
    from masktune.fetching import ORIGINS

    _, out, _ = typed("data", "get", "--help")
    assert all(name in out for name in ORIGINS)


@needs_shared_data
def test_mnist_comes_though_the_line_breaks(server, typed, tmp_path):
    raw = SHARED_DATA / "mnist" / "MNIST" / "raw"
    for path in raw.glob("*.gz"):
        server.put(f"mnist/{path.name}", path.read_bytes())
    images = server.files["/mnist/train-images-idx3-ubyte.gz"]
    images.breaks_after = [4_000_000]
    code, out, err = typed("data", "get", "mnist", tmp_path, "--source", server.url("mnist/"))
    assert code == 0
    assert out.splitlines()[0] == "mnist: 12 MB to fetch"
    assert (
        "127.0.0.1: the connection broke off after 4,000,000 of 9,912,422 bytes; trying again in 1 s" in err
    )
    assert server.bytes_of("mnist/train-images-idx3-ubyte.gz") == 9_912_422
    for path in raw.glob("*.gz"):
        assert (tmp_path / "MNIST" / "raw" / path.stem).read_bytes() == gzip.decompress(path.read_bytes())


@needs_shared_data
@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_whole_only_where_its_files_are(typed, tmp_path, no_network, packed):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (SHARED_DATA / "mnist" / "MNIST" / "raw").glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        if packed:
            (raw / path.name).write_bytes(path.read_bytes())
    code, out, _ = typed("data", "get", "mnist", tmp_path)
    assert (code, "mnist is whole" in out) == (0, True)
    right = (raw / "train-images-idx3-ubyte").read_bytes()
    (raw / "train-images-idx3-ubyte").write_bytes(right[:100_000] + bytes(4000) + right[104_000:])
    code, out, err = typed("data", "get", "mnist", tmp_path)
    assert (code, "mnist is whole" in out) == ((0, True) if packed else (2, False))
    assert ("damaged or gone, so unpacked anew" if packed else "train-images-idx3-ubyte is damaged: ") in err
    if packed:
        assert (raw / "train-images-idx3-ubyte").read_bytes() == right


def test_where_no_name_can_be_looked_up_the_steps_are_shown_too(typed, tmp_path, monkeypatch):
    def nobody(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = typed("data", "get", "svhn", tmp_path, "--quiet")
    assert code == 2
    assert err.splitlines()[0] == "To get SVHN by hand:"
    assert (
        "follow the steps above, or name another place with --source, or run the same" in err.splitlines()[-1]
    )


def test_an_interruption_says_how_to_go_on(server, tmp_path):
    url = server.put("train-images-idx3-ubyte.gz", b"\x1f\x8b" + b"x" * 9_912_420, stalls_after=3_000_000)
    command = [
        sys.executable,
        "-m",
        "masktune",
        "data",
        "get",
        "mnist",
        str(tmp_path / "root"),
        "--source",
        url,
    ]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background a shell has it ignored, and children take that over.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    part = tmp_path / "root" / "MNIST" / "raw" / "train-images-idx3-ubyte.gz.part"
    try:
        assert server.stalled.wait(120)
        until = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert err.splitlines()[-1] == "interrupted; the same command goes on where this one stopped"
    assert 0 < part.stat().st_size <= 3_000_000


def test_build_in9_prints_counts_and_what_differs(imagenet, typed, tmp_path, no_network):  # noqa: F811
    code, out, err = typed("data", "build-in9", imagenet, tmp_path / "root", "--validation", 4)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["train", "val"]
    assert lines[1].split() == ["00_dog", "28", "4"]
    assert lines[10].split() == ["all", "252", "36"]
    assert "The authors' IN-9L has 183,006 and 7,200; which images those are was never published" in lines[11]
    assert lines[12] == "452 images were left out so that all classes have as many; --unbalanced keeps them."
    assert lines[13].startswith("No test images beside ")
    assert re.fullmatch(r"linking ImageNet-9: 288 images in [\d.]+ s\n", err)


def test_build_in9_counts_missing_synsets_in_one_line(typed, tmp_path, no_network):
    (tmp_path / "train" / "n01440764").mkdir(parents=True)
    code, out, err = typed("data", "build-in9", tmp_path, tmp_path / "root")
    assert (code, out) == (2, "")
    first = list(in9_class_of())[:3]
    assert err == (
        f"error: expected images of 370 WordNet ids in {tmp_path}/train, but 370 have none: {first[0]!r}, "
        f"{first[1]!r}, {first[2]!r} and 367 more; unpack ImageNet's training images there, one folder an "
        "id\n"
    )
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "words", [["data", "list"], ["data", "check", "waterbirds", "."], ["reproduce", "list"]]
)
def test_no_other_command_uses_the_network(typed, no_network, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, _, _ = typed(*words)
    assert code in (0, 2)


@needs_shared_data
def test_checking_a_data_set_that_is_there_does_not_use_the_network(typed, no_network):
    assert typed("data", "check", "waterbirds", SHARED_DATA / "waterbirds", "--quiet")[0] == 0


def test_one_file_alone_reaches_for_the_room_that_fetches():
    users = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        if re.search(r"^\s*(from|import) masktune\.fetching", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {name for name in users if not name.startswith("fetching/")} == {"cli/data_get.py"}

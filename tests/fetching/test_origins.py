"""The table of sources: what can be held against other sources here."""

import gzip
import hashlib
import re
from urllib.parse import urlsplit

import pytest
from tests.shared_data import SHARED_DATA, needs_shared_data

from masktune.data.official.registry import OFFICIAL
from masktune.errors import InputError
from masktune.fetching.checksums import differs
from masktune.fetching.origins import ORIGINS, origin_of
from masktune.fetching.sources import packing_of

PARTS = {f"{name}: {part.makes}": part for name, origin in ORIGINS.items() for part in origin.parts}
SOURCES = {source.url: source for part in PARTS.values() for source in part.sources}


def test_every_official_data_set_can_be_got():
    assert set(OFFICIAL) | {"mnist"} == {origin.data_set for origin in ORIGINS.values()}


@pytest.mark.parametrize("url", SOURCES)
def test_what_comes_without_encryption_has_a_checksum(url):
    source = SOURCES[url]
    assert urlsplit(url).scheme == "https" or source.checksum is not None
    assert source.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}", source.checksum)
    assert (source.size is None) == (source.checksum is None)


@pytest.mark.parametrize("name", PARTS)
def test_an_archive_says_what_it_must_hold(name):
    part = PARTS[name]
    assert bool(part.holds) == (part.packing in ("zip", "tar"))
    assert len({(source.size, source.checksum) for source in part.sources}) == 1


@pytest.mark.parametrize("name", ORIGINS)
def test_there_are_steps_for_a_person_that_name_the_files(name):
    origin = ORIGINS[name]
    steps = origin.by_hand.format(root="ROOT")
    assert "1. " in steps
    assert "ROOT" in steps
    for part in origin.parts:
        assert name == "imagenet9-train" or part.file.rpartition("/")[2] in steps


@pytest.mark.parametrize("name", OFFICIAL)
def test_facts_and_origins_say_the_licence_once(name):
    assert OFFICIAL[name].facts.licence
    assert ORIGINS[name].licence == ""


def test_a_mistyped_name_gets_near_names():
    with pytest.raises(InputError, match=r"got 'waterbird' \(did you mean 'waterbirds'\?\)$"):
        origin_of("waterbird")


@pytest.mark.parametrize(
    ("file", "packing"),
    [
        ("a.zip", "zip"),
        ("a.tar.gz", "tar"),
        ("a.TGZ", "tar"),
        ("a.tar", "tar"),
        ("a.gz", "gz"),
        ("a.v1.tar.gz", "tar"),
    ],
)
def test_packing_by_name(file, packing):
    assert packing_of(file) == packing


@pytest.mark.parametrize("file", ["a.txt", "a.mat", "a", "zip"])
def test_what_is_not_packed(file):
    assert packing_of(file) is None


def test_sizes_are_said_where_they_are_known():
    # 1,443,490,838 + 26,721,026 + 2,836,386 bytes.
    assert ORIGINS["celeba"].size == "1.5 GB to fetch"
    assert ORIGINS["mnist"].size == "12 MB to fetch"
    assert ORIGINS["waterbirds"].size == "about 0.5 GB to fetch"
    assert ORIGINS["imagenet9"].size == "how much there is to fetch, only its server knows"


@needs_shared_data
@pytest.mark.parametrize("part", ORIGINS["mnist"].parts, ids=lambda part: part.makes)
def test_mnists_sizes_and_checksums_are_those_of_the_files_that_torchvision_knows(part):
    path = SHARED_DATA / "mnist" / part.file
    assert path.stat().st_size == part.size
    assert differs(path, part.sources[0].checksum) == ""
    assert differs(path, "md5:" + TORCHVISION[path.name]) == ""


@needs_shared_data
@pytest.mark.parametrize("part", ORIGINS["mnist"].parts, ids=lambda part: part.makes)
def test_mnists_unpacked_files_have_the_known_checksums(part):
    content = gzip.decompress((SHARED_DATA / "mnist" / part.file).read_bytes())
    assert part.unpacked == {"": f"sha256:{hashlib.sha256(content).hexdigest()}"}


# torchvision 0.29.1, datasets/mnist.py.
TORCHVISION = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@pytest.mark.vision
def test_addresses_are_those_of_torchvision():
    datasets = pytest.importorskip("torchvision.datasets")
    assert datasets.CIFAR10.url in SOURCES
    assert {address for address, *_ in datasets.SVHN.split_list.values()} - set(SOURCES) == {
        "http://ufldl.stanford.edu/housenumbers/extra_32x32.mat"
    }
    ids = {name: identity for identity, _, name in datasets.CelebA.file_list}
    for part in ORIGINS["celeba"].parts:
        assert any(source.url.endswith(f"id={ids[part.file]}") for source in part.sources)
    assert {f"{datasets.MNIST.mirrors[0]}{name}" for name in TORCHVISION} <= set(SOURCES)


@pytest.mark.vision
def test_cifars_unpacked_files_have_the_checksums_that_torchvision_knows():
    known = pytest.importorskip("torchvision.datasets").CIFAR10
    files = dict([*known.train_list, *known.test_list, (known.meta["filename"], known.meta["md5"])])
    assert ORIGINS["cifar10"].parts[0].unpacked == {name: f"md5:{md5}" for name, md5 in files.items()}

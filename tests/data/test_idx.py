import errno
import gzip
import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest

from masktune.data.idx import fingerprint, read_mnist
from masktune.errors import DataDamaged, DataNotFound, MasktuneError, StorageError

from .files_of_mnist import IMAGES, LABELS, idx, write_mnist


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inside", ["MNIST/raw", "raw", "."])
def test_what_was_written_is_read(tmp_path, packed, inside):
    parts = write_mnist(tmp_path / inside, packed=packed)
    for part, (images, digits) in parts.items():
        read_images, read_digits = read_mnist(tmp_path, part)
        assert np.array_equal(read_images, images)
        assert np.array_equal(read_digits, digits)


def test_the_fingerprint_is_that_of_the_content_packed_or_not(tmp_path):
    parts = write_mnist(tmp_path / "packed" / "MNIST" / "raw", packed=True)
    write_mnist(tmp_path / "plain", packed=False)
    content = b"".join(array.tobytes() for part in ("train", "test") for array in parts[part])
    assert fingerprint(tmp_path / "packed") == hashlib.sha256(content).hexdigest()
    assert fingerprint(tmp_path / "plain") == fingerprint(tmp_path / "packed")


def test_the_fingerprint_sees_one_changed_pixel(tmp_path):
    images, _ = write_mnist(tmp_path, packed=False)["train"]
    before = fingerprint(tmp_path)
    images[3, 4, 5] ^= 1
    path = tmp_path / IMAGES["train"]
    path.write_bytes(idx(images))
    os.utime(path, ns=(1, 1))  # Another time of change, as any later write has.
    assert fingerprint(tmp_path) != before


def test_a_folder_that_may_only_be_read_is_left_as_it_is(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    write_mnist(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(fingerprint(tmp_path)) == 64
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    finally:
        folder.chmod(0o755)


def test_what_was_read_cannot_be_changed(tmp_path):
    write_mnist(tmp_path)
    images, digits = read_mnist(tmp_path, "train")
    for array in (images, digits):  # They are kept for the next who asks.
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_nothing_there_says_what_was_looked_for_and_how_to_get_it(tmp_path):
    with pytest.raises(DataNotFound) as caught:
        read_mnist(tmp_path / "nowhere", "train")
    root = tmp_path / "nowhere"
    assert str(caught.value) == (
        f"no MNIST at {root}: looked for train-images-idx3-ubyte and train-images-idx3-ubyte.gz in "
        f"{root}/MNIST/raw, {root}/raw, {root}; put MNIST's four files there, or let torchvision fetch them: "
        f"python -c \"import torchvision; torchvision.datasets.MNIST('{root}', download=True)\""
    )
    assert isinstance(caught.value, FileNotFoundError)


def test_one_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / f"{LABELS['test']}.gz").unlink()
    read_mnist(tmp_path, "train")
    with pytest.raises(DataNotFound, match="looked for t10k-labels-idx1-ubyte and"):
        read_mnist(tmp_path, "test")


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "mnist").write_text("no folder")
    with pytest.raises(DataNotFound, match="no MNIST at"):
        read_mnist(tmp_path / "mnist", "train")


def shortened(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "kind", ["gz cut off", "gz cut in its header", "gz flipped", "plain cut off", "longer"]
)
@pytest.mark.parametrize("name", [IMAGES["train"], LABELS["train"]])
def test_a_truncated_file_is_named(tmp_path, kind, name):
    write_mnist(tmp_path, packed=kind.startswith("gz"))
    path = tmp_path / (f"{name}.gz" if kind.startswith("gz") else name)
    content = path.read_bytes()
    damaged = {
        "gz cut off": shortened(content),
        "gz cut in its header": content[:5],
        "gz flipped": content[:-6] + bytes((content[-6] ^ 255,)) + content[-5:],  # In the checksum.
        "plain cut off": shortened(content),
        "longer": content + b"\0",
    }[kind]
    path.write_bytes(damaged)
    with pytest.raises(DataDamaged, match=f"^{re.escape(str(path))} is truncated or damaged; get it again$"):
        read_mnist(tmp_path, "train")


def test_a_file_that_is_not_packed_but_says_so(tmp_path):
    images, _ = write_mnist(tmp_path)["train"]
    path = tmp_path / f"{IMAGES['train']}.gz"
    path.write_bytes(idx(images))
    with pytest.raises(DataDamaged, match="is truncated or damaged"):
        read_mnist(tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (IMAGES["train"], b"<html>404</html>" * 10),
        (IMAGES["train"], b""),
        (IMAGES["train"], idx(np.zeros(5))),  # Labels under the images' name.
        (LABELS["train"], idx(np.zeros((5, 28, 28)))),
    ],
)
def test_something_else_under_its_name(tmp_path, name, content):
    write_mnist(tmp_path)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    dimensions = 3 if name == IMAGES["train"] else 1
    sentence = rf"{name}.gz is no MNIST file \(IDX with {dimensions} dimensions\); get it again$"
    with pytest.raises(DataDamaged, match=sentence):
        read_mnist(tmp_path, "train")


@pytest.mark.parametrize(
    ("images", "digits", "came"),
    [
        (np.zeros((3, 28, 28)), np.array([1, 2]), r"images \(3, 28, 28\) and 2 digits up to 2"),
        (np.zeros((3, 28, 28)), np.array([1, 2, 10]), r"images \(3, 28, 28\) and 3 digits up to 10"),
        (np.zeros((3, 28, 27)), np.array([1, 2, 3]), r"images \(3, 28, 27\) and 3 digits up to 3"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, images, digits, came):
    (tmp_path / IMAGES["train"]).write_bytes(idx(images))
    (tmp_path / LABELS["train"]).write_bytes(idx(digits))
    sentence = f"^expected 28x28 images and as many digits from 0 to 9 in .*, got {came}; get MNIST's four"
    with pytest.raises(DataDamaged, match=sentence):
        read_mnist(tmp_path, "train")


def test_no_permission_is_one_of_our_sentences(tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(StorageError, match=r"^cannot read .*: permission denied") as caught:
        read_mnist(tmp_path, "train")
    assert isinstance(caught.value, MasktuneError)

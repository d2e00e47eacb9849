import hashlib
import sys

import numpy as np
import pytest
from PIL import Image

from masktune.data import check
from masktune.data.check import check_images, usable
from masktune.errors import MissingExtra, UnreadableImages
from masktune.types import Step

from .pictures import colours, deep, encoded, write


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def good(root):
    return write(root, {f"{at}.png": colours(at, (12 + at, 20)) for at in range(3)})


def mixed(root):
    """Good and bad ones in turn; a folder stands where the last one was listed."""
    files = {
        "0.png": colours(0),
        "1.png": b"",
        "2.jpg": encoded(colours(2, (64, 80)), "JPEG"),
        "3.jpg": encoded(colours(3, (64, 80)), "JPEG")[:-400],
        "4.png": colours(4),
        "5.png": b"<html>not found</html>",
        "6.png": colours(6),
        "7.png": colours(7),
    }
    samples = write(root, files)
    (root / "6.png").unlink()
    (root / "7.png").unlink()
    (root / "7.png").mkdir()
    return samples


def test_digests_are_of_the_files(tmp_path):
    checked = check_images(good(tmp_path))
    contents = [(tmp_path / f"{at}.png").read_bytes() for at in range(3)]
    assert checked.digests.tolist() == [sha256(content) for content in contents]
    assert checked.sizes.tolist() == [[12, 20], [13, 20], [14, 20]]
    assert checked.readable.tolist() == [True, True, True]
    assert (checked.floats, checked.problems) == (False, ())


def test_sizes_are_of_the_upright_whole(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by a quarter.
    turned = encoded(colours(0, (200, 300)), "JPEG", exif=exif)
    checked = check_images(write(tmp_path, {"turned.jpg": turned, "b.jpg": encoded(colours(1), "JPEG")}))
    assert checked.sizes.tolist() == [[300, 200], [12, 16]]


def test_problems_in_the_order_of_the_samples(tmp_path):
    checked = check_images(mixed(tmp_path))
    assert checked.readable.tolist() == [True, False, True, False, True, False, False, False]
    empty, cut, page, gone, folder = checked.problems
    assert empty == f"{tmp_path}/1.png is empty (0 bytes)"
    assert cut.startswith(f"{tmp_path}/3.jpg is truncated or damaged (")
    assert page == f"{tmp_path}/5.png is a web page, not an image; download it again"
    assert gone.startswith(f"{tmp_path}/6.png does not exist any more")  # The path once, not twice.
    assert folder == f"{tmp_path}/7.png cannot be read: is a directory"
    assert checked.digests[~checked.readable].tolist() == [""] * 5
    assert checked.sizes[~checked.readable].tolist() == [[0, 0]] * 5
    assert checked.digests[2] == sha256((tmp_path / "2.jpg").read_bytes())


def test_the_sha256_is_of_all_that_can_be_read(tmp_path):
    checked = check_images(mixed(tmp_path))
    readable = [sha256((tmp_path / name).read_bytes()) for name in ("0.png", "2.jpg", "4.png")]
    assert checked.sha256 == sha256("".join(readable).encode())
    assert checked.select(checked.readable).sha256 == checked.sha256


@pytest.mark.parametrize(
    ("rule", "floats"), [("dtype", False), ("percentile", True), ((0, 100), True), ((0, 255), True)]
)
def test_bytes_become_floats_under_a_range(tmp_path, rule, floats):
    assert check_images(good(tmp_path), rule).floats is floats


def test_one_image_of_sixteen_bits_makes_floats(tmp_path):
    files = {"a.png": colours(0), "b.png": deep(), "c.png": colours(1)}
    assert check_images(write(tmp_path, files)).floats
    del files["b.png"]
    assert not check_images(write(tmp_path, files)).floats


def test_floats_beyond_one_need_a_range(tmp_path):
    samples = write(
        tmp_path, {"a.tif": encoded(np.full((4, 4), 40, np.float32), "TIFF"), "b.png": colours(0)}
    )
    (problem,) = check_images(samples).problems
    assert problem == (
        f"{tmp_path}/a.tif holds floats from 40 to 40, not 0 to 1; say what is black and white: --range LO HI"
    )
    assert check_images(samples, (0, 100)).problems == ()


def test_steps_of_the_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "_AT_ONCE", 2)
    steps = []
    checked = check_images(good(tmp_path), progress=steps.append)
    assert steps == [Step("checking images", done, 3) for done in (0, 2, 3)]
    assert checked.sizes[:, 0].tolist() == [12, 13, 14]


def test_a_selection_of_what_was_found(tmp_path):
    checked = check_images(mixed(tmp_path))
    some = checked.select(np.arange(8) >= 4)
    assert some.readable.tolist() == [True, False, False, False]
    assert some.sizes.tolist() == [[12, 16], [0, 0], [0, 0], [0, 0]]
    assert some.digests[0] == sha256((tmp_path / "4.png").read_bytes())
    assert some.problems == checked.problems


def test_all_can_be_used(tmp_path):
    samples = good(tmp_path)
    checked = check_images(samples)
    assert usable(samples, checked) is samples
    assert usable(samples, checked, skip_unreadable=True) is samples


def test_some_cannot_be_used(tmp_path):
    samples = mixed(tmp_path)
    checked = check_images(samples)
    with pytest.raises(UnreadableImages) as caught:
        usable(samples, checked)
    assert caught.value.problems == checked.problems
    assert str(caught.value) == (
        f"expected 8 images that can be read, but 5 cannot: {tmp_path}/1.png is empty (0 bytes); and 4 more; "
        "mend or remove them, or pass --skip-unreadable"
    )
    skipped = usable(samples, checked, skip_unreadable=True)
    assert skipped.ids.tolist() == ["0.png", "2.jpg", "4.png"]
    assert [skipped.contents.where(at) for at in range(3)] == [
        f"{tmp_path}/{name}" for name in ("0.png", "2.jpg", "4.png")
    ]


def test_none_to_check(tmp_path):
    checked = check_images(good(tmp_path).select(np.array([], dtype=np.int64)))
    assert (len(checked.digests), checked.sizes.shape, checked.floats) == (0, (0, 2), False)
    assert checked.sha256 == sha256(b"")


def test_a_library_that_is_missing_is_no_fault_of_the_image(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    samples = write(tmp_path, {"a.png": colours(0), "b.dcm": bytes(128) + b"DICM" + bytes(64)})
    with pytest.raises(MissingExtra, match=r"pip install 'masktune\[dicom\]'"):
        check_images(samples)

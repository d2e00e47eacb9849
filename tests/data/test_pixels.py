import numpy as np
import pytest

from masktune.data.decode import Picture
from masktune.data.pixels import to_pixels
from masktune.errors import DataDamaged


def picture(values, black=0, white=255):
    values = np.asarray(values)[None, :, None]
    return Picture(values, values.shape[:2], black, white)


def row(pixels):
    return pixels[0, :, 0].tolist()


def test_bytes_stay_bytes():
    values = np.array([0, 7, 255], dtype=np.uint8)
    assert to_pixels(picture(values)).dtype == np.uint8
    assert row(to_pixels(picture(values))) == [0, 7, 255]


def test_sixteen_bits_become_shares_of_65535():
    found = to_pixels(picture(np.array([0, 257, 65535], dtype=np.uint16), white=65535))
    assert found.dtype == np.float32
    assert row(found) == pytest.approx([0, 257 / 65535, 1])
    # 256 neighbouring values stay apart, which 8 bits would not keep.
    close = to_pixels(picture(np.arange(1000, 1256, dtype=np.uint16), white=65535))
    assert len(np.unique(close)) == 256


def test_a_range_in_the_files_own_units():
    values = np.array([-1000, 0, 40, 400], dtype=np.float32)
    assert row(to_pixels(picture(values), (-160, 240))) == pytest.approx([0, 0.4, 0.5, 1])
    bytes_too = np.array([0, 50, 75, 255], dtype=np.uint8)
    assert row(to_pixels(picture(bytes_too), (50, 100))) == [0, 0, 0.5, 1]


def test_percentiles_by_hand():
    values = np.arange(101, dtype=np.uint16)  # The 1st percentile is 1, the 99th is 99.
    found = to_pixels(picture(values, white=65535), "percentile")
    assert row(found)[:3] == pytest.approx([0, 0, 1 / 98])
    assert row(found)[-2:] == [1, 1]


@pytest.mark.parametrize("rule", ["dtype", "percentile", (0, 100)])
def test_inverted_under_every_rule(rule):
    values = np.arange(101, dtype=np.uint16)
    upright = to_pixels(picture(values, 0, 100), rule)
    assert to_pixels(picture(values, 100, 0), rule) == pytest.approx(1 - upright, abs=1e-6)


def test_an_even_picture_is_no_division_by_zero():
    assert row(to_pixels(picture(np.full(4, 7, dtype=np.uint16), white=65535), "percentile")) == [0] * 4


def test_floats_out_of_range_and_not_finite():
    with pytest.raises(
        DataDamaged, match=r"holds floats from 0 to 3071, not 0 to 1; say what .* --range LO HI"
    ):
        to_pixels(picture(np.array([0, 3071], dtype=np.float32), white=1))
    with pytest.raises(DataDamaged, match="no finite numbers"):
        to_pixels(picture(np.array([0, np.nan], dtype=np.float32), white=1))

import io

import numpy as np
import pytest
from PIL import Image

from masktune.data.decode import Picture
from masktune.export.encode import encode, file_names, mask_image, masked_image, overlay_image
from masktune.masking import fill_named


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("cat/1.jpg", "cat/1.png"),
        ("cat/1", "cat/1.png"),
        ("cat/.hidden", "cat/.hidden.png"),
        ("cat/a.b.tiff", "cat/a.b.png"),
        ("../../etc/passwd.png", "etc/passwd.png"),
        ("/data/cat/1.jpg", "data/cat/1.png"),
        (r"C:\data\1.jpg", "C_/data/1.png"),
    ],
)
def test_a_file_stays_inside_of_its_folder(sample, name):
    assert file_names([sample], "masked") == {sample: name}


def test_overlays_are_jpeg_and_the_others_png():
    endings = {"masked": "png", "masks": "png", "overlays": "jpg"}
    assert {what: file_names(["1.gif"], what)["1.gif"] for what in endings} == {
        what: f"1.{ending}" for what, ending in endings.items()
    }


def test_no_two_samples_get_one_name():
    samples = [
        "1.png",
        "1.jpg",
        "1.PNG.gif",
        "1.png.gif",
        "a:b.png",
        "a_b.png",
        "x/../2.png",
        "x/2.png",
        "3.png",
    ]
    names = file_names(samples, "masked")
    assert list(names) == samples
    assert len({name.casefold() for name in names.values()}) == len(samples)
    assert names["1.jpg"] == "1.jpg.png"
    assert names["3.png"] == "3.png"
    # What is added does not depend on the other samples' order.
    assert file_names(samples[::-1], "masked") == names


def decoded(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.format, image.mode, np.asarray(image)


HIDDEN = np.array([[True, False, False], [False, False, True]])


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (np.arange(1, 7, dtype=np.uint8).reshape(2, 3, 1), "L"),
        (np.arange(1, 19, dtype=np.uint8).reshape(2, 3, 3), "RGB"),
        (np.arange(1, 7, dtype=np.uint16).reshape(2, 3, 1) * 10_001, "I;16"),
    ],
)
def test_hidden_pixels_are_black_and_the_others_keep_their_bits(values, mode):
    white = np.iinfo(values.dtype).max
    made = masked_image(Picture(values, (2, 3), 0, white), HIDDEN, fill_named("black"), "1", "dtype")
    kind, found_mode, found = decoded(encode(made, "masked"))
    assert (kind, found_mode) == ("PNG", mode)
    assert np.array_equal(found.reshape(values.shape), np.where(HIDDEN[:, :, None], 0, values))


def test_floats_and_units_of_scanners_become_16_bits_from_black_to_white():
    # From -1000 to 1000: 0 is the middle, 32768 of 65535 when rounded to the even number.
    values = np.array([[-1000, 0, 1000], [500, -500, 7]], dtype=np.int32)[:, :, None]
    picture = Picture(values, (2, 3), -1000, 1000)
    made = masked_image(picture, HIDDEN, fill_named("black"), "1", "dtype")
    assert made.dtype == np.uint16
    assert made[:, :, 0].tolist() == [[0, 32768, 65535], [49151, 16384, 0]]


def test_a_mask_is_white_where_hidden():
    kind, mode, found = decoded(encode(mask_image(HIDDEN), "masks"))
    assert (kind, mode) == ("PNG", "L")
    assert found.tolist() == [[255, 0, 0], [0, 0, 255]]


def test_an_overlay_goes_from_blue_by_green_to_red():
    # Half jet, half an image of 100: jet at 0, a half and 1 is (0, 0, .5), (.5, 1, .5), (.5, 0, 0).
    picture = Picture(np.full((1, 3, 1), 100, dtype=np.uint8), (1, 3), 0, 255)
    made = overlay_image(
        picture, np.array([[0, 0.5, 1]], dtype=np.float32), np.ones((1, 3), dtype=bool), "dtype"
    )
    assert made.tolist() == [[[50, 50, 114], [114, 178, 114], [114, 50, 50]]]


def test_an_overlay_leaves_what_the_net_never_sees_as_it_is():
    # Else it would look like "not looked at".
    picture = Picture(np.full((1, 2, 1), 100, dtype=np.uint8), (1, 2), 0, 255)
    made = overlay_image(picture, np.zeros((1, 2), dtype=np.float32), np.array([[True, False]]), "dtype")
    assert made.tolist() == [[[50, 50, 114], [100, 100, 100]]]

import numpy as np
import pytest
from PIL import Image

from masktune.report import draw_examples
from masktune.report.sheet import Side
from masktune.runs import Examples


def examples(n, channels=3):
    images = np.full((n, channels, 8, 8), 200, dtype=np.uint8)
    hidden = np.zeros((n, 8, 8), dtype=bool)
    hidden[:, 2:5, 2:5] = True
    maps = hidden.astype(np.float32)
    return Examples(
        images=images,
        masked=np.where(hidden[:, None], 0, images).astype(np.uint8),
        maps=maps,
        hidden=hidden,
        titles=np.array(["a group"] * n),
        captions=np.array(["p 0.90 → 0.40"] * n),
    )


def test_two_examples_a_row_and_the_outline_of_what_is_hidden(tmp_path):
    heights = []
    for n in (1, 4):
        draw_examples(examples(n), tmp_path / "masks.png")
        with Image.open(tmp_path / "masks.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        heights.append(pixels.shape[0])
        # Cyan occurs in the outline alone.
        cyan = (pixels[..., 0] < 120) & (pixels[..., 1] > 200) & (pixels[..., 2] > 200)
        assert cyan.sum() > 50 * n
    assert heights[1] > 1.8 * heights[0]  # Two rows instead of one.


def test_grey_images_and_nothing_hidden(tmp_path):
    blank = examples(2, channels=1)
    blank.hidden[:] = False
    draw_examples(blank, tmp_path / "masks.png")
    with Image.open(tmp_path / "masks.png") as picture:
        assert picture.format == "PNG"


def test_examples_come_back_from_disk(tmp_path):
    made = examples(2)
    made.save(tmp_path / "examples.npz")
    loaded = Examples.load(tmp_path / "examples.npz")
    assert np.array_equal(loaded.masked, made.masked)
    assert loaded.titles.tolist() == ["a group", "a group"]


def test_maps_of_two_classifiers_stand_beside_each_other(tmp_path):
    made = examples(2)
    blank = Side(np.zeros_like(made.maps), np.array(["old", "old"]))
    peak = Side(np.ones_like(made.maps), np.array(["$ tuned $", "tuned"]))
    widths = []
    for sides in ((), (blank, peak)):
        draw_examples(made, tmp_path / "masks.png", sides=sides)
        with Image.open(tmp_path / "masks.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        widths.append(pixels.shape[1])
    assert widths[1] == pytest.approx(widths[0] * 4 / 3, abs=1)
    # Jet at 0 is dark blue, at 1 dark red; each lies over the grey of its own two panels.
    blue = (pixels[..., 2] > pixels[..., 0] + 60) & (pixels[..., 1] < 130)
    red = (pixels[..., 0] > pixels[..., 2] + 60) & (pixels[..., 1] < 130)
    assert blue.sum() == pytest.approx(red.sum(), rel=0.1)
    assert red.sum() > 10_000

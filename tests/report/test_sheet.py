import numpy as np
from PIL import Image

from masktune.report import draw_examples
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

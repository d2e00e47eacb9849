import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.findings.properties import PROPERTIES, properties_of

NEAR = {"abs": 2e-6, "nan_ok": True}


def grey(values):
    """One image of one channel, uint8."""
    return torch.tensor(np.asarray(values, dtype=np.uint8))[None, None]


def of(images):
    """The properties of the first image."""
    return {name: float(values[0]) for name, values in properties_of(images).items()}


def noisy(seed, channels=3, size=(40, 48), count=3):
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = 128 + 100 * np.sin(rows / 7 + np.arange(channels)[:, None, None]) * np.cos(columns / 9)
    values = waves + random.normal(0, 12, (count, channels, *size))
    return torch.from_numpy(values.clip(0, 255).astype(np.uint8))


def test_constant_grey():
    found = of(grey(np.full((32, 32), 51)))
    assert found["brightness"] == found["border brightness"] == pytest.approx(0.2, abs=1e-6)
    assert found["darkest pixels"] == found["lightest pixels"] == pytest.approx(0.2, abs=1e-6)
    for name in ("contrast", "sharpness", "noise", "edge density", "entropy"):
        assert found[name] == 0
    for name in ("border unevenness", "border contrast", "black border share", "white border share"):
        assert found[name] == 0
    for name in ("symmetry", "redness", "greenness", "blueness", "saturation", "colourfulness"):
        assert math.isnan(found[name])


def test_half_black_half_white():
    values = np.zeros((32, 32))
    values[:, 16:] = 255
    found = of(grey(values))
    assert (found["brightness"], found["contrast"], found["entropy"], found["symmetry"]) == (0.5, 0.5, 1, -1)
    assert (found["darkest pixels"], found["lightest pixels"]) == (0, 1)
    # Of the inner 30 columns two touch the edge, with a Laplacian of 1 and -1.
    assert found["sharpness"] == pytest.approx(math.sqrt(2 / 30), abs=1e-6)
    assert found["edge density"] == pytest.approx(
        1 / 31, abs=1e-6
    )  # Each of 31 steps across, one is an edge.
    assert found["noise"] == 0  # A straight edge is none.
    # Ring of two pixels: half of it black, half white.
    assert (found["black border share"], found["white border share"]) == (0.5, 0.5)
    assert (found["border unevenness"], found["border contrast"]) == (0.5, 0)


def test_checkerboard():
    rows, columns = np.mgrid[:32, :32]
    found = of(grey((rows + columns) % 2 * 255))
    assert (found["brightness"], found["contrast"], found["edge density"]) == (0.5, 0.5, 1)
    assert found["sharpness"] == 4  # The Laplacian is 4 or -4 everywhere.
    assert found["noise"] == pytest.approx(1.4826 * 8 / 6, abs=1e-6)  # Immerkaer's mask gives 8 or -8.
    assert found["symmetry"] == -1  # Columns 0 and 31 differ.
    assert of(grey(((rows[:, :31] + columns[:, :31]) % 2) * 255))["symmetry"] == 1


def test_red():
    images = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    images[:, 0] = 255
    found = of(images)
    assert found["brightness"] == pytest.approx(0.299, abs=1e-6)
    assert found["redness"] == pytest.approx(0.701, abs=1e-6)
    assert found["greenness"] == found["blueness"] == pytest.approx(-0.299, abs=1e-6)
    assert found["saturation"] == 1
    # Opponents are 1 and 0.5 everywhere, so there is no spread.
    assert found["colourfulness"] == pytest.approx(0.3 * math.sqrt(1.25), abs=1e-6)


@pytest.mark.parametrize(
    ("frame", "black", "white"), [(0, 1, 0), (2, 1, 0), (3, 0, 0), (253, 0, 1), (252, 0, 0)]
)
def test_a_frame(frame, black, white):
    values = np.full((64, 48), frame)
    values[4:60, 3:45] = 100  # A sixteenth of either side.
    found = of(grey(values))
    assert (found["black border share"], found["white border share"]) == (black, white)
    assert found["border brightness"] == pytest.approx(frame / 255, abs=1e-6)
    assert found["border contrast"] == pytest.approx((frame - 100) / 255, abs=1e-6)
    assert found["border unevenness"] == 0
    colour = grey(values).expand(1, 3, -1, -1)
    assert of(colour)["black border share"] == black
    assert of(colour)["white border share"] == white


def test_colour_without_colour_is_grey():
    images = noisy(1, channels=1)
    one, three = properties_of(images), properties_of(images.expand(-1, 3, -1, -1))
    colours = ("redness", "greenness", "blueness", "saturation", "colourfulness")
    for name in PROPERTIES:
        if name in colours:
            assert np.isnan(one[name]).all()
            assert np.allclose(three[name], 0, atol=1e-6)
        else:
            assert three[name] == pytest.approx(one[name], abs=2e-6)


def test_noise_that_was_added():
    random = np.random.default_rng(0)
    smooth = np.linspace(80, 180, 200)[:, None] + np.linspace(-20, 20, 200)
    for sigma in (4, 8):
        found = of(grey(np.rint(smooth + random.normal(0, sigma, (200, 200)))))
        assert found["noise"] * 255 == pytest.approx(sigma, rel=0.05)


def reference(image):
    """(c, h, w) in [0, 1] as float64, by the definitions, with plain loops where they are clearer."""
    luma = image[0] if len(image) == 1 else 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    height, width = luma.shape
    steps = np.rint(luma * 1020) / 1020
    shares = np.histogram(steps, bins=32, range=(0, 1))[0] / luma.size
    laplacian, mask, edges = [], [], []
    for row in range(height - 1):
        for column in range(width - 1):
            across, down = (
                luma[row, column + 1] - luma[row, column],
                luma[row + 1, column] - luma[row, column],
            )
            edges.append(math.hypot(across, down) > 0.1)
            if row and column:
                part = luma[row - 1 : row + 2, column - 1 : column + 2]
                laplacian.append((part * [[0, 1, 0], [1, -4, 1], [0, 1, 0]]).sum())
                mask.append(abs((part * [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]).sum()))
    median = np.percentile(np.rint(np.array(mask) * 1020) / 1020, 50, method="inverted_cdf")
    down, across = max(1, height // 16), max(1, width // 16)
    inner = np.zeros(luma.shape, dtype=bool)
    inner[down:-down, across:-across] = True
    ring = luma[~inner]
    found = {
        "brightness": luma.mean(),
        "contrast": luma.std(),
        "darkest pixels": np.percentile(steps, 1, method="inverted_cdf"),
        "lightest pixels": np.percentile(steps, 99, method="inverted_cdf"),
        "entropy": -sum(share * math.log2(share) for share in shares if share),
        "symmetry": np.corrcoef(luma.ravel(), luma[:, ::-1].ravel())[0, 1],
        "sharpness": np.std(laplacian),
        "noise": median / 0.6745 / 6,
        "edge density": np.mean(edges),
        "border brightness": ring.mean(),
        "border unevenness": ring.std(),
        "border contrast": ring.mean() - luma[inner].mean(),
        "black border share": np.mean(np.rint(ring * 255 * 1000) <= 2000),
        "white border share": np.mean(np.rint(ring * 255 * 1000) >= 253000),
    }
    if len(image) == 1:
        return found
    red, green, blue = image
    opponents = red - green, (red + green) / 2 - blue
    highest, lowest = image.max(0), image.min(0)
    return found | {
        "redness": red.mean() - luma.mean(),
        "greenness": green.mean() - luma.mean(),
        "blueness": blue.mean() - luma.mean(),
        "saturation": np.where(highest > 0, (highest - lowest) / np.where(highest > 0, highest, 1), 0).mean(),
        "colourfulness": math.hypot(*(o.std() for o in opponents))
        + 0.3 * math.hypot(*(o.mean() for o in opponents)),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(40, 48), (33, 17), (5, 6)])
def test_against_definitions_in_float64(channels, size):
    images = noisy(5, channels, size)
    found = properties_of(images)
    for position, image in enumerate(images.numpy()):
        for name, value in reference(image.astype(np.float64) / 255).items():
            # The median may fall on the next step where float32 rounds a tie otherwise.
            near = 2e-4 if name == "noise" else 1e-3 if name.endswith("pixels") else 2e-5
            assert found[name][position] == pytest.approx(value, abs=near), name


def test_floats_and_bytes_are_alike():
    for channels in (1, 3):
        images = noisy(7, channels)
        bytes_, floats = properties_of(images), properties_of(images.to(torch.float32) / 255)
        halves = properties_of(images.to(torch.float64) / 255)
        for name in PROPERTIES:
            assert np.array_equal(bytes_[name], floats[name], equal_nan=True)
            assert halves[name] == pytest.approx(bytes_[name], **NEAR)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), count=st.integers(1, 20))
def test_an_image_has_the_same_properties_in_any_batch(seed, count):
    images = noisy(seed, size=(20, 24), count=count)
    together = properties_of(images)
    for position in (0, count - 1):
        alone = properties_of(images[position : position + 1])
        for name in PROPERTIES:
            assert together[name][position] == pytest.approx(alone[name][0], abs=2e-6)


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_ranges_and_mirror(seed):
    images = noisy(seed, size=(20, 25))
    found, mirrored = properties_of(images), properties_of(images.flip(3))
    for name in ("saturation", "edge density", "black border share", "white border share", "brightness"):
        assert ((found[name] >= 0) & (found[name] <= 1)).all()
    for name in set(PROPERTIES) - {"edge density"}:  # Steps are to the right and below.
        assert mirrored[name] == pytest.approx(found[name], abs=3e-6)


def test_names_and_types():
    found = properties_of(noisy(0))
    assert tuple(found) == PROPERTIES
    assert all(values.dtype == np.float64 and values.shape == (3,) for values in found.values())
    none = properties_of(torch.empty(0, 3, 8, 8))
    assert tuple(none) == PROPERTIES
    assert all(len(values) == 0 for values in none.values())


def test_too_few_pixels():
    one = of(grey([[128]]))
    assert one["brightness"] == pytest.approx(128 / 255, abs=1e-6) == one["border brightness"]
    for name in ("sharpness", "noise", "edge density", "border contrast", "symmetry"):
        assert math.isnan(one[name])
    row = of(grey([[0, 255]]))
    assert (row["brightness"], row["border unevenness"], row["black border share"]) == (0.5, 0.5, 0.5)


def test_many_channels_have_brightness_but_no_colour():
    images = torch.zeros(1, 4, 8, 8)
    images[:, 0] = 1
    found = of(images)
    assert found["brightness"] == 0.25
    assert math.isnan(found["redness"])


def test_the_images_stay_as_they_are():
    images = noisy(0).to(torch.float32) / 255
    images.requires_grad_()
    before = images.detach().clone()
    properties_of(images)
    assert torch.equal(images, before)
    assert images.grad is None


def test_a_millisecond_an_image():
    images = noisy(0, size=(224, 224), count=8)
    times = []
    for _ in range(10):
        start = time.thread_time()
        properties_of(images)
        times.append(time.thread_time() - start)
    assert min(times) / 8 < 0.003  # One on our machines; three times as slow is still all right.

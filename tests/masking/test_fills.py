import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masktune.errors import InputError
from masktune.masking.fills import (
    Black,
    Blur,
    Constant,
    DatasetMean,
    ImageMean,
    Noise,
    fill_named,
    fill_normalised,
)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILLS = [
    Black(),
    Constant((1.0, 0.5, 0.0)),
    DatasetMean(IMAGENET_MEAN),
    ImageMean(),
    Noise(),
    Blur(),
    Blur(1.0),
]
each_fill = pytest.mark.parametrize("fill", FILLS, ids=str)
IDS = ("a.png", "b.png", "c.png")


def some_images(seed=0, dtype=torch.uint8):
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (3, 3, 10, 14), generator=random, dtype=torch.uint8)
    hidden = torch.rand(3, 10, 14, generator=random) < 0.3
    return (images if dtype == torch.uint8 else images.to(dtype) / 255), hidden


def one_pixel():
    """A grey image 0 40 / 80 160 of which the 160 is hidden."""
    images = torch.tensor([[[[0, 40], [80, 160]]]], dtype=torch.uint8)
    return images, images[:, 0] == 160


@pytest.mark.parametrize(
    ("fill", "value"),
    [
        (Black(), 0),
        (Constant((1.0,)), 255),
        (Constant((0.5,)), 128),  # 127.5 rounds to the even number.
        (DatasetMean((0.2,)), 51),
        (ImageMean(), 70),  # (0 + 40 + 80 + 160) / 4
    ],
    ids=str,
)
def test_values_by_hand(fill, value):
    images, hidden = one_pixel()
    assert fill(images, hidden).tolist() == [[[[0, 40], [80, value]]]]


def test_each_channel_has_its_own_colour():
    images, hidden = some_images()
    filled = Constant((1.0, 0.2, 0.0))(images, hidden)
    assert (filled.movedim(1, -1)[hidden] == torch.tensor([255, 51, 0])).all()


def test_blur_by_hand():
    # Two pixels, sigma 0.5: the weight of the neighbour is exp(-0.5 * (1 / 0.5)²) = exp(-2) = 0.1353, so the
    # second becomes (0 * 0.1353 + 1) / 1.1353 = 0.8808.
    images = torch.tensor([[[[0.0, 1.0]]]])
    filled = Blur(0.1)(images, torch.tensor([[[False, True]]]))
    torch.testing.assert_close(filled, torch.tensor([[[[0.0, 0.8808]]]]), atol=1e-4, rtol=0)


def test_blur_keeps_a_flat_image_and_takes_detail_away():
    flat = torch.full((1, 3, 32, 32), 0.25)
    everything = torch.ones(1, 32, 32, dtype=torch.bool)
    torch.testing.assert_close(Blur()(flat, everything), flat)
    chess = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2).float().expand(1, 1, 32, 32)
    inner = Blur()(chess, everything)[..., 8:-8, 8:-8]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), atol=1e-3, rtol=0)


@each_fill
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@given(seed=st.integers(0, 99))
def test_visible_pixels_keep_their_bits_and_hidden_ones_stay_in_range(fill, dtype, seed):
    images, hidden = some_images(seed, dtype)
    before = images.clone()
    filled = fill(images, hidden, IDS)
    assert filled.dtype == dtype
    assert torch.equal(images, before)
    visible = ~hidden[:, None].expand_as(images)
    assert torch.equal(filled[visible], images[visible])
    assert filled.min() >= 0
    assert filled.max() <= (255 if dtype == torch.uint8 else 1)


@each_fill
def test_a_fill_depends_on_its_own_image_only(fill):
    images, hidden = some_images()
    filled = fill(images, hidden, IDS)
    order = [2, 0, 1]
    assert torch.equal(fill(images[order], hidden[order], [IDS[at] for at in order]), filled[order])
    assert torch.equal(fill(images[1:2], hidden[1:2], IDS[1:2]), filled[1:2])


@each_fill
def test_nothing_hidden_changes_nothing(fill):
    images, hidden = some_images()
    assert torch.equal(fill(images, torch.zeros_like(hidden), IDS), images)


def test_noise_is_uniform_and_belongs_to_seed_and_id():
    images = torch.zeros(2, 3, 100, 100)
    everything = torch.ones(2, 100, 100, dtype=torch.bool)
    noise = Noise()(images, everything, ["a", "b"])
    # Of 60,000 uniform numbers the mean is 0.5 with a standard error of 0.289 / sqrt(60000) = 0.0012.
    assert abs(noise.mean() - 0.5) < 0.005
    assert abs(noise.std() - 0.2887) < 0.005
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0, 0], noise[0, 1])
    assert not torch.equal(Noise(seed=1)(images, everything, ["a", "b"]), noise)


def test_noise_of_a_pixel_does_not_depend_on_what_else_is_hidden():
    images, hidden = some_images()
    everything = Noise()(images, torch.ones_like(hidden), IDS)
    assert torch.equal(Noise()(images, hidden, IDS), torch.where(hidden[:, None], everything, images))


def test_black_is_minus_mean_over_std_once_normalised():
    images, hidden = some_images(dtype=torch.float32)
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    filled = fill_normalised((images - mean) / std, hidden, Black(), IMAGENET_MEAN, IMAGENET_STD)
    assert torch.equal(filled.movedim(1, -1)[hidden], (-mean / std).flatten().expand(int(hidden.sum()), 3))
    torch.testing.assert_close(
        filled[0, :, hidden[0]][:, 0], torch.tensor([-2.118, -2.036, -1.804]), atol=1e-3, rtol=0
    )


@each_fill
def test_filling_and_normalising_can_change_places(fill):
    images, hidden = some_images(dtype=torch.float32)
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    normalised = (images - mean) / std
    filled = fill_normalised(normalised, hidden, fill, IMAGENET_MEAN, IMAGENET_STD, IDS)
    torch.testing.assert_close(filled, (fill(images, hidden, IDS) - mean) / std)
    visible = ~hidden[:, None].expand_as(images)
    assert torch.equal(filled[visible], normalised[visible])


@pytest.mark.parametrize(
    ("name", "fill"),
    [
        ("black", Black()),
        ("image_mean", ImageMean()),
        ("noise", Noise()),
        ("blur", Blur()),
        ("dataset_mean", DatasetMean((0.5,))),
    ],
)
def test_names(name, fill):
    assert fill_named(name, dataset_mean=[0.5]) == fill


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: fill_named("blakc"),
            r"expected a fill of black, .*, got 'blakc' \(did you mean 'black'\?\)",
        ),
        (lambda: fill_named("dataset_mean"), "the fill 'dataset_mean' needs the mean; pass fill=DatasetMean"),
        (lambda: Constant((128.0,)), r"expected a colour of numbers in \[0, 1\], got \(128.0,\); divide"),
        (lambda: DatasetMean(()), r"expected a colour of numbers in \[0, 1\], got \(\)"),
        (lambda: Blur(3.0), "expected sigma as a share"),
        (lambda: Noise()(*one_pixel()), r"the noise fill draws by sample id and got no ids; pass ids"),
        (lambda: Constant((0.1, 0.2, 0.3))(*one_pixel()), "expected 1 or 1 numbers for 1 channels, got 3"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InputError, match=message):
        make()

"""How a picture is brought to what a net wants, against torchvision's own transforms."""

import numpy as np
import pytest
import torch

from masktune.masking.fit import Fit
from masktune.masking.geometry import apply_view, hidden_to_source, maps_to_source, resize
from masktune.types import InputSpec, View

SOURCES = [(375, 500), (500, 375), (333, 500), (160, 213), (224, 224), (61, 97), (1000, 30), (256, 341)]


def picture(size, channels=3):
    """Smooth waves with some noise, as uint8 (1, c, h, w)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [127 + 90 * np.sin(rows / (5 + c)) * np.cos(columns / (7 + 2 * c)) for c in range(channels)]
    noise = np.random.default_rng(0).normal(0, 12, (channels, *size))
    return torch.from_numpy((np.stack(waves) + noise).clip(0, 255).astype(np.uint8))[None]


@pytest.mark.vision
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("resized", "cropped"), [(256, 224), (232, 224), (40, 40), (65, 60)])
def test_a_crop_is_torchvisions(source, resized, cropped):
    v2 = pytest.importorskip("torchvision.transforms.v2")
    theirs = v2.Compose([v2.Resize(resized, antialias=True), v2.CenterCrop(cropped)])(picture(source))
    spec = InputSpec((cropped, cropped), crop_share=cropped / resized)
    assert torch.equal(Fit.of(source, spec).apply(picture(source)), theirs)


@pytest.mark.vision
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_squashed_is_torchvisions(source, mode):
    v2 = pytest.importorskip("torchvision.transforms.v2")
    theirs = v2.Resize((48, 80), interpolation=v2.InterpolationMode(mode), antialias=True)(picture(source))
    ours = Fit.of(source, InputSpec((48, 80), resize="squash")).apply(picture(source), mode)
    assert torch.equal(ours, theirs)


@pytest.mark.vision
@pytest.mark.parametrize("source", SOURCES)
def test_squashed_and_cut_is_torchvisions(source):
    # Waterbirds as others read it: squashed to 256 x 256, the middle 224 x 224 cut out.
    v2 = pytest.importorskip("torchvision.transforms.v2")
    theirs = v2.Compose([v2.Resize((256, 256), antialias=True), v2.CenterCrop(224)])(picture(source))
    fit = Fit.of(source, InputSpec((224, 224), resize="squash", crop_share=0.875))
    assert torch.equal(fit.apply(picture(source)), theirs)
    height, width = source
    assert fit.view.box == pytest.approx((height / 16, width / 16, height * 7 / 8, width * 7 / 8))


def test_padded_by_hand():
    fit = Fit.of((100, 50), InputSpec((20, 20), resize="pad"))
    assert (fit.whole, fit.offset) == ((20, 10), (0, -5))
    seen = fit.apply(torch.full((1, 1, 100, 50), 200, dtype=torch.uint8))
    assert (seen[0, 0, :, 5:15] == 200).all()
    assert seen.sum() == 200 * 20 * 10  # Black on both sides.
    assert fit.view == View((100, 50), (0, -25, 100, 100), (20, 20))
    assert fit.view.seen == 1


def test_a_wide_net_takes_as_much_as_it_can():
    fit = Fit.of((100, 100), InputSpec((20, 40)))
    assert (fit.whole, fit.offset) == ((40, 40), (10, 0))
    assert fit.view.seen == 0.5


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("spec", [InputSpec((32, 32), crop_share=0.875), InputSpec((32, 48), resize="pad")])
def test_the_view_shows_the_same_as_the_fit(source, spec):
    fit = Fit.of(source, spec)
    view = fit.view
    if all(float(number).is_integer() for number in view.box):
        pytest.skip("a box of whole pixels is cut before it is resized")
    assert torch.equal(apply_view(picture(source), view), fit.apply(picture(source)))


@pytest.mark.parametrize("source", [(375, 500), (61, 97), (500, 375)])
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_a_mark_is_found_where_it_was(source, resize):
    # A white square of a picture is hidden as the net sees it; back at the source it covers the same place.
    spec = InputSpec((64, 64), resize=resize, crop_share=0.875)
    image = torch.zeros(1, 1, *source, dtype=torch.uint8)
    top, left, side = source[0] // 3, source[1] // 2, source[0] // 4
    image[:, :, top : top + side, left : left + side] = 255
    fit = Fit.of(source, spec)
    back = hidden_to_source(fit.apply(image)[:, 0] > 127, fit.view)[0]
    found = back.nonzero()
    pixel = max(fit.view.box[2] / 64, fit.view.box[3] / 64, 1)  # One pixel of the net, in the source.
    corners = torch.tensor([top, left, top + side - 1, left + side - 1])
    assert (torch.cat((found.amin(0), found.amax(0))) - corners).abs().max() <= pixel
    low = maps_to_source((fit.apply(image)[:, 0] / 255).float(), fit.view)[0]
    middle = (top + side // 2, left + side // 2)
    assert low[middle] == pytest.approx(1, abs=0.01)
    assert low[0, 0] == 0


def test_what_the_crop_does_not_see_is_neither_hidden_nor_salient():
    fit = Fit.of((100, 200), InputSpec((50, 50)))
    everywhere = torch.ones(1, 50, 50)
    assert fit.view.box == (0, 50, 100, 100)
    for back in (hidden_to_source(everywhere.bool(), fit.view)[0], maps_to_source(everywhere, fit.view)[0]):
        assert (back[:, 50:150] == 1).all()
        assert back.sum() == 100 * 100


def test_bicubic_floats_stay_in_range():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    enlarged = resize(edge, (32, 32), "bicubic")
    assert (enlarged.min().item(), enlarged.max().item()) == (0, 1)

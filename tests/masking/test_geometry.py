import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from masktune.errors import InputError
from masktune.masking.fit import Fit
from masktune.masking.geometry import (
    apply_view,
    hidden_through_view,
    hidden_to_source,
    maps_to_source,
    random_views,
    resize,
)
from masktune.types import InputSpec, View


@st.composite
def views(draw, source=None, size=None):
    height, width = source or (draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    box = (top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))
    return View(
        (height, width),
        box,
        size or (draw(st.integers(1, 40)), draw(st.integers(1, 40))),
        draw(st.booleans()),
    )


def some_hidden(size, count=1):
    return torch.rand(count, *size, generator=torch.Generator().manual_seed(0)) < 0.5


def test_cut_and_mirror_by_hand():
    images = torch.arange(12, dtype=torch.uint8).view(1, 1, 3, 4)  # 0 1 2 3 / 4 5 6 7 / 8 9 10 11
    view = View(source=(3, 4), box=(1, 1, 2, 3), size=(2, 3), flip=True)
    assert apply_view(images, view).tolist() == [[[[7, 6, 5], [11, 10, 9]]]]


def test_each_image_may_have_its_own_view():
    images = torch.arange(8, dtype=torch.uint8).view(2, 1, 2, 2)  # 0 1 / 2 3 and 4 5 / 6 7
    first, second = View((2, 2), (0, 0, 1, 1), (1, 1)), View((2, 2), (1, 1, 1, 1), (1, 1))
    assert apply_view(images, [first, second]).flatten().tolist() == [0, 7]


@pytest.mark.vision
@pytest.mark.parametrize("source", [(33, 47), (224, 180), (28, 28)])
@pytest.mark.parametrize("size", [(32, 32), (50, 21), (224, 224)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_resizing_is_torchvisions(source, size, dtype):
    from torchvision.transforms import v2

    images = torch.randint(0, 256, (2, 3, *source), dtype=torch.uint8)
    images = images if dtype == torch.uint8 else images / 255
    assert torch.equal(resize(images, size), v2.functional.resize(images, list(size), antialias=True))


@pytest.mark.vision
def test_a_view_is_torchvisions_resized_crop():
    from torchvision.transforms import v2

    images = torch.randint(0, 256, (2, 3, 60, 44), dtype=torch.uint8)
    view = View((60, 44), (7, 3, 31, 40), (24, 32), flip=True)
    expected = v2.functional.horizontal_flip(
        v2.functional.resized_crop(images, 7, 3, 31, 40, [24, 32], antialias=True)
    )
    assert torch.equal(apply_view(images, view), expected)


def test_a_mask_lies_where_its_view_was_cut():
    # A 2x2 view of columns 1-2 and rows 1-2, mirrored: its upper left pixel is source row 1, column 2.
    view = View(source=(4, 5), box=(1, 1, 2, 2), size=(2, 2), flip=True)
    hidden = torch.tensor([[[True, False], [False, False]]])
    expected = torch.zeros(1, 4, 5, dtype=torch.bool)
    expected[0, 1, 2] = True
    assert torch.equal(hidden_to_source(hidden, view), expected)


@given(view=views())
def test_to_the_source_is_nearest_inside_the_box_and_nothing_outside(view):
    hidden = some_hidden(view.size)
    top, left, height, width = view.box
    upright = hidden.flip(-1) if view.flip else hidden
    expected = torch.zeros(1, *view.source, dtype=torch.bool)
    box = functional.interpolate(upright[None].double(), (height, width), mode="nearest")[0].bool()
    expected[:, top : top + height, left : left + width] = box
    assert torch.equal(hidden_to_source(hidden, view), expected)


@given(view=views())
def test_from_the_source_is_cut_then_nearest_then_mirrored(view):
    hidden = some_hidden(view.source)
    top, left, height, width = view.box
    cut = hidden[:, top : top + height, left : left + width]
    expected = functional.interpolate(cut[None].double(), view.size, mode="nearest")[0].bool()
    expected = expected.flip(-1) if view.flip else expected
    assert torch.equal(hidden_through_view(hidden, View.whole(view.source), view), expected)


@given(view=views())
def test_through_its_own_view_a_mask_stays(view):
    hidden = some_hidden(view.size)
    assert torch.equal(hidden_through_view(hidden, view, view), hidden)


@given(data=st.data())
def test_a_batch_of_views_is_each_on_its_own(data):
    old = [data.draw(views(size=(7, 9))) for _ in range(3)]
    new = [data.draw(views(source=one.source, size=(6, 5))) for one in old]
    hidden = some_hidden((7, 9), count=3)
    alone = [hidden_through_view(hidden[at : at + 1], old[at], new[at]) for at in range(3)]
    assert torch.equal(hidden_through_view(hidden, old, new), torch.cat(alone))


def covered(mark, hidden):
    return (mark & hidden).sum() / mark.sum()


@pytest.mark.parametrize("flip", [False, True])
def test_a_mark_off_the_centre_stays_under_its_mask(flip):
    """What the official code gets wrong (paper.md §4, 9): it stretches the mask over the whole image."""
    # A white mark near the upper border of a portrait image, 218 x 178 as CelebA's.
    source = torch.zeros(1, 1, 218, 178)
    source[..., 28:36, 120:128] = 1.0
    seen_by_masker = View((218, 178), (20, 0, 178, 178), (224, 224))  # The centre cut, enlarged.
    hidden = apply_view(source, seen_by_masker)[:, 0] > 0.01  # A mask that covers the mark and its soft edge.
    at_source = hidden_to_source(hidden, seen_by_masker)
    assert covered(source[:, 0] > 0, at_source) == 1
    assert at_source.sum() <= 12 * 12
    # The tuning epoch sees another, mirrored, not square cut of the same image.
    seen_in_tuning = View((218, 178), (11, 37, 150, 120), (96, 128), flip)
    image = apply_view(source, seen_in_tuning)
    moved = hidden_through_view(hidden, seen_by_masker, seen_in_tuning)
    assert covered(image[:, 0] > 0.5, moved) == 1
    assert moved.sum() < 3 * (image > 0.5).sum()
    # The official geometry misses most of the mark.
    stretched = functional.interpolate(hidden[None].float(), (218, 178), mode="nearest")[0].bool()
    assert covered(source[:, 0] > 0, stretched) < 0.5


@pytest.mark.parametrize("at", [(40, 60), (150, 430), (300, 60)])
def test_on_waterbirds_the_mask_lies_on_its_mark_and_the_official_codes_does_not(at):
    """The net sees the middle 224 of 256 squashed pixels; the official code lays its mask over all."""
    source = torch.zeros(1, 1, 375, 500)
    source[..., at[0] : at[0] + 12, at[1] : at[1] + 12] = 1.0
    fit = Fit.of((375, 500), InputSpec((224, 224), resize="squash", crop_share=0.875))
    hidden = fit.apply(source)[:, 0] > 0.01
    ours = hidden_to_source(hidden, fit.view)
    assert covered(source[:, 0] > 0, ours) == 1
    assert centre(ours) == pytest.approx(centre(source[:, 0] > 0), abs=2)
    # base_method.py:424-455 and data_save_load.py:12-27: nearest to the size of the file.
    official = functional.interpolate(hidden[None].float(), (375, 500), mode="nearest")[0].bool()
    # What lies d from the middle is laid d * 256 / 224 from it.
    down, across = centre(source[:, 0] > 0)
    moved = [(down - 187.5) * 256 / 224 + 187.5, (across - 250) * 256 / 224 + 250]
    assert centre(official) == pytest.approx(moved, abs=2)
    assert covered(source[:, 0] > 0, official) < 0.5


def centre(hidden):
    return hidden[0].nonzero().double().mean(0).tolist()


def test_maps_are_laid_back_smoothly():
    maps = torch.tensor([[[0.0, 1.0]]])
    view = View((2, 6), (1, 1, 1, 4), (1, 2), flip=True)
    # Mirrored back 1 0; on four pixels 1, 0.75, 0.25, 0; outside the box 0.
    assert maps_to_source(maps, view).tolist() == [[[0, 0, 0, 0, 0, 0], [0, 1, 0.75, 0.25, 0, 0]]]


def test_random_views_depend_on_seed_epoch_and_id_only():
    ids = [f"{number}.png" for number in range(50)]
    views = random_views((60, 80), (32, 32), ids, epoch=3, seed=1)
    assert random_views((60, 80), (32, 32), ids[::-1], epoch=3, seed=1) == views[::-1]
    assert random_views((60, 80), (32, 32), ids[7:8], epoch=3, seed=1) == views[7:8]
    assert random_views((60, 80), (32, 32), ids, epoch=4, seed=1) != views
    assert random_views((60, 80), (32, 32), ids, epoch=3, seed=2) != views


def test_random_views_have_the_areas_shapes_and_places_asked_for():
    views = random_views(
        (400, 400), (32, 32), [str(number) for number in range(1000)], epoch=0, seed=0, scale=(0.2, 0.5)
    )
    areas = [view.box[2] * view.box[3] / 400**2 for view in views]
    shapes = [view.box[3] / view.box[2] for view in views]
    assert min(areas) > 0.198
    assert max(areas) < 0.502
    assert abs(sum(areas) / 1000 - 0.35) < 0.01
    assert min(shapes) > 0.745
    assert max(shapes) < 1.34
    assert abs(sum(map(math.log, shapes))) / 1000 < 0.02
    assert 430 < sum(view.flip for view in views) < 570
    assert min(view.box[0] for view in views) == 0
    assert max(view.box[0] + view.box[2] for view in views) == 400


def test_random_views_can_be_the_whole_image():
    (view,) = random_views(
        (30, 30), (30, 30), ["a"], epoch=0, seed=0, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=False
    )
    assert view == View.whole((30, 30))
    # Where the shape does not fit, the cut is shortened: 30 x 90 has no square of its area.
    (view,) = random_views(
        (30, 90), (30, 30), ["a"], epoch=0, seed=0, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=False
    )
    assert view.box[2:] == (30, 52)  # sqrt(2700) = 51.96


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda image, mask: apply_view(image, View.whole((5, 5))),
            r"expected images of \(5, 5\) pixels, got \(4, 4\)",
        ),
        (
            lambda image, mask: apply_view(image, [View.whole((4, 4))] * 2),
            "expected one view, or one for each of 1 images, got 2",
        ),
        (
            lambda image, mask: hidden_through_view(mask, View.whole((4, 4)), View.whole((5, 5))),
            r"expected two views of one source, got sources of \(4, 4\) and \(5, 5\)",
        ),
        (
            lambda image, mask: hidden_to_source(mask, View((9, 9), (0, 0, 9, 9), (3, 3))),
            r"expected masks of \(3, 3\) pixels, as their view, got \(4, 4\)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool))


def test_results_of_several_sizes_are_refused():
    wholes = [View.whole((4, 4))] * 2
    others = [View((4, 4), (0, 0, 4, 4), (2, 2)), View((4, 4), (0, 0, 4, 4), (3, 3))]
    with pytest.raises(InputError, match="expected views of one size"):
        hidden_through_view(torch.zeros(2, 4, 4, dtype=torch.bool), wholes, others)

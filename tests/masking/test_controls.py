import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masktune.errors import InputError
from masktune.masking.controls import least_salient, roll_elsewhere
from masktune.masking.thresholds import MeanPlusStd
from masktune.saliency.cam import enlarge, scale

IDS = ("a.png", "b.png", "c.png", "d.png")


def blobs(seed=0):
    maps = enlarge(scale(torch.randn(4, 7, 7, generator=torch.Generator().manual_seed(seed))), (20, 30))
    return maps, MeanPlusStd(1.0)(maps)


@given(seed=st.integers(0, 999))
def test_a_rolled_mask_is_the_same_shape_elsewhere(seed):
    _, hidden = blobs()
    for before, after in zip(hidden, roll_elsewhere(hidden, IDS, seed), strict=True):
        assert before.sum() == after.sum()
        assert not torch.equal(before, after)
        rolls = (torch.roll(before, (down, across), (0, 1)) for down in range(20) for across in range(30))
        assert any(torch.equal(after, roll) for roll in rolls)


def test_a_single_pixel_goes_everywhere_but_where_it_was():
    hidden = torch.zeros(2000, 2, 3, dtype=torch.bool)
    hidden[:, 0, 0] = True
    places = (
        roll_elsewhere(hidden, [str(number) for number in range(2000)], seed=0).flatten(1).long().argmax(1)
    )
    counts = torch.bincount(places, minlength=6)
    assert counts[0] == 0
    assert (counts[1:] - 400).abs().max() < 72  # Four standard deviations, sqrt(2000 * 0.2 * 0.8) = 18 each.


def test_an_empty_mask_stays_empty():
    empty = torch.zeros(4, 20, 30, dtype=torch.bool)
    assert not roll_elsewhere(empty, IDS, seed=0).any()
    assert not least_salient(torch.rand(4, 20, 30), empty, IDS, seed=0).any()


def test_the_least_salient_pixels_are_as_many_and_the_lowest():
    # Values 0..8 and a mask of three pixels: the three lowest are 0, 1, 2.
    maps = torch.tensor([[[8, 7, 6], [5, 4, 3], [2, 1, 0]]], dtype=torch.float32)
    hidden = maps > 5
    assert torch.equal(least_salient(maps, hidden, ["a"], seed=0), maps < 3)


@given(seed=st.integers(0, 999))
def test_the_least_salient_area_is_equal_and_no_pixel_left_is_lower(seed):
    maps, hidden = blobs(seed)
    least = least_salient(maps, hidden, IDS, seed)
    assert torch.equal(least.sum((1, 2)), hidden.sum((1, 2)))
    highest_hidden = maps.masked_fill(~least, -1).amax((1, 2))
    lowest_visible = maps.masked_fill(least, 2).amin((1, 2))
    assert (highest_hidden <= lowest_visible).all()


def test_equal_pixels_are_hidden_in_patches_that_move_with_id_and_seed():
    maps = torch.zeros(200, 28, 28)
    hidden = torch.zeros(200, 28, 28, dtype=torch.bool)
    hidden[:, :5, :8] = True
    ids = [str(number) for number in range(200)]
    least = least_salient(maps, hidden, ids, seed=0)
    # In patches: of the neighbours to the right of a hidden pixel most are hidden; scattered, 5 % would be.
    assert (least[:, :, :-1] & least[:, :, 1:]).sum() > 0.6 * least.sum()
    # Not always the same corner: each quarter of the image gets its share, 2000 of 8000.
    quarters = [
        least[:, rows, columns].sum()
        for rows in (slice(14), slice(14, 28))
        for columns in (slice(14), slice(14, 28))
    ]
    assert all(1300 < quarter < 2700 for quarter in quarters)
    assert not torch.equal(least, least_salient(maps, hidden, ids, seed=1))


@pytest.mark.parametrize("ids", [IDS[:1], (*IDS, "e.png")])
def test_each_image_needs_its_id(ids):
    maps, hidden = blobs()
    for control in (lambda: roll_elsewhere(hidden, ids, 0), lambda: least_salient(maps, hidden, ids, 0)):
        with pytest.raises(InputError, match=f"expected 4 ids, one an image, got {len(ids)}"):
            control()


def test_controls_depend_on_seed_and_id_only():
    maps, hidden = blobs()
    order = [2, 0, 3, 1]
    shuffled = [IDS[at] for at in order]
    rolled = roll_elsewhere(hidden, IDS, seed=3)
    least = least_salient(maps, hidden, IDS, seed=3)
    assert torch.equal(roll_elsewhere(hidden[order], shuffled, seed=3), rolled[order])
    assert torch.equal(least_salient(maps[order], hidden[order], shuffled, seed=3), least[order])
    assert torch.equal(roll_elsewhere(hidden[2:3], IDS[2:3], seed=3), rolled[2:3])
    assert not torch.equal(roll_elsewhere(hidden, IDS, seed=4), rolled)

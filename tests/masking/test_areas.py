import pytest
import torch

from masktune.masking import AREAS, MeanPlusStd
from masktune.masking.areas import hidden_areas

IDS = tuple("abcdefghijkl")


def low(n=12, seed=2):
    """Maps of noise at layer size."""
    return torch.rand(n, 4, 4, generator=torch.Generator().manual_seed(seed))


def areas(maps, ids=IDS, seed=3):
    return hidden_areas(maps, (32, 32), MeanPlusStd(1.0), ids, seed)


def test_areas_are_equal_in_size_and_those_of_the_image_whatever_its_batch():
    maps = low()
    found, two = areas(maps), areas(maps[[7, 2]], (IDS[7], IDS[2]))
    assert list(found) == list(AREAS)
    sizes = found["salient"].sum((1, 2))
    assert (sizes > 0).all()
    for area in AREAS:
        assert torch.equal(found[area].sum((1, 2)), sizes)
        assert torch.equal(two[area], found[area][[7, 2]])


def test_another_seed_moves_the_two_to_compare_with_alone():
    found, other = areas(low()), areas(low(), seed=4)
    assert torch.equal(other["salient"], found["salient"])
    assert not torch.equal(other["random"], found["random"])


@pytest.mark.parametrize("area", AREAS)
def test_maps_that_were_never_saved_make_the_same_areas_as_saved_ones(area):
    # Saved are half floats, which 0.1 and 1/3 are not, and ranks must not depend on who keeps the map.
    maps = low()
    kept = maps.half().float()
    assert not torch.equal(maps, kept)
    assert torch.equal(areas(maps)[area], areas(kept)[area])

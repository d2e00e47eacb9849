import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.masking import AREAS, MapsManifest, MeanPlusStd, SavedMaps, TopFraction
from masktune.masking.areas import hidden_areas
from masktune.masking.controls import least_salient, roll_elsewhere
from masktune.saliency import enlarge
from masktune.testing import ShortcutImages
from masktune.training.devices import Processes
from masktune.trial.hiding import BATCH, Areas, hidden_logits
from masktune.types import View

from .tiny import CLASSES, brightness, images

FOUR = TopFraction(4 / 64)


def saved(stored, ids, size=(8, 8)):
    """Maps by hand, at layer size."""
    stored = np.asarray(stored, dtype=np.float16)
    n, *grid = stored.shape
    manifest = MapsManifest("by hand", "none", "predicted", "abc", size, tuple(grid), n, None)
    empty = stored.max((1, 2)) == 0
    return SavedMaps(manifest, stored, tuple(ids), np.zeros(n, np.int64), empty, (View.whole(size),))


def floats(*pixels):
    """Images of 8 x 8 whose three channels are equal."""
    stacked = torch.tensor(np.stack(pixels), dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    n = len(pixels)
    return InMemory(
        stacked.contiguous(), np.ones(n, np.int64), np.array([f"i{at}" for at in range(n)]), CLASSES
    )


def spot(inside, outside):
    """The upper left 2 x 2 pixels, and the rest."""
    made = np.full((8, 8), outside)
    made[:2, :2] = inside
    return made


def test_logits_by_hand():
    # The net's second logit is 50 (mean - 0.5). Four pixels are 1, sixty are 0.5: a mean of 34 / 64.
    data = floats(spot(1.0, 0.5))
    found = hidden_logits(brightness(), data, Areas(saved([spot(1, 0.5)], data.ids), FOUR, seed=0))
    assert list(found) == list(AREAS) == ["salient", "random", "least_salient"]
    # Without the four 30 / 64, without four of the others 32 / 64.
    assert found["salient"] == pytest.approx(np.array([[1.5625, -1.5625]]), abs=1e-4)
    assert found["least_salient"] == pytest.approx(np.zeros((1, 2)), abs=1e-4)
    # A square of four pixels that lies elsewhere covers at most two of its own.
    assert -1.5625 < found["random"][0, 1] <= 0.7813


def test_where_all_pixels_are_equal_the_place_says_nothing():
    data = floats(np.full((8, 8), 0.8))
    found = hidden_logits(brightness(), data, Areas(saved([spot(1, 0.1)], data.ids), FOUR, seed=0))
    for area in AREAS:  # 60 / 64 of 0.8 is 0.75.
        assert found[area] == pytest.approx(np.array([[-12.5, 12.5]]), abs=1e-4)


def test_of_an_empty_map_nothing_is_hidden():
    data = floats(np.full((8, 8), 0.8))
    found = hidden_logits(brightness(), data, Areas(saved([spot(0, 0)], data.ids), FOUR, seed=0))
    for area in AREAS:
        assert found[area] == pytest.approx(np.array([[-15, 15]]), abs=1e-4)


def test_the_same_as_a_plain_loop_over_single_images():
    data, random = images(BATCH + 10), np.random.default_rng(1)
    maps, threshold, net = saved(random.random((len(data), 4, 4)), data.ids), MeanPlusStd(1.0), brightness()
    expected = {area: [] for area in AREAS}
    for at, name in enumerate(data.ids.tolist()):
        low = maps.low([name])
        whole = enlarge(low, (8, 8))
        salient = threshold(whole)
        hidden = (
            salient,
            roll_elsewhere(salient, [name], 5),
            least_salient(whole, salient, [name], 5),
        )
        for area, mask in zip(AREAS, hidden, strict=True):
            black = data.images[at : at + 1].clone()
            black[:, :, mask[0]] = 0
            expected[area].append(net(black).detach().numpy())
    found = hidden_logits(net, data, Areas(maps, threshold, seed=5))
    for area in AREAS:
        assert found[area].dtype == np.float32
        assert found[area] == pytest.approx(np.concatenate(expected[area]), abs=1e-4)
    assert not np.allclose(found["salient"], found["random"], atol=0.1)
    assert not np.allclose(found["salient"], found["least_salient"], atol=0.1)


def test_areas_are_equal_in_size_and_those_of_the_image_whatever_its_batch():
    data = ShortcutImages(12, size=(32, 32), bits=12)
    maps = saved(np.random.default_rng(2).random((12, 4, 4)), data.ids, (32, 32))
    areas = Areas(maps, MeanPlusStd(1.0), seed=3)
    found = areas.of(data.__getitems__(range(12)))
    sizes = found["salient"].sum((1, 2))
    assert (sizes > 0).all()
    for area in AREAS:
        assert torch.equal(found[area].sum((1, 2)), sizes)
        assert torch.equal(areas.of(data.__getitems__([7, 2]))[area], found[area][[7, 2]])
    other = Areas(maps, MeanPlusStd(1.0), seed=4).of(data.__getitems__(range(12)))
    assert torch.equal(other["salient"], found["salient"])
    assert not torch.equal(other["random"], found["random"])


def test_maps_that_were_never_saved_make_the_same_areas_as_saved_ones():
    # 0.1 and 1/3 are no float16 numbers, and their ranks must not depend on who keeps the map.
    low = torch.rand(5, 3, 3, generator=torch.Generator().manual_seed(0))
    ids = tuple("abcde")
    kept = saved(low.half().numpy(), ids).low(ids)
    assert not torch.equal(low, kept)
    first, second = (hidden_areas(one, (8, 8), MeanPlusStd(1.0), ids, 0) for one in (low, kept))
    for area in AREAS:
        assert torch.equal(first[area], second[area])


def test_processes_share_the_images(monkeypatch):
    # Two of them, asked one after the other, each for its own part: 250 images and 10.
    monkeypatch.setattr(Processes, "together", lambda self, parts: parts)
    data, net = images(BATCH + 10), brightness()
    areas = Areas(saved(np.random.default_rng(1).random((len(data), 4, 4)), data.ids), FOUR, seed=0)
    whole = hidden_logits(net, data, areas)
    first, second = (hidden_logits(net, data, areas, here=Processes(rank, 2)) for rank in (0, 1))
    for area in AREAS:
        assert (len(first[area]), len(second[area])) == (250, 10)
        assert np.array_equal(np.concatenate([first[area], second[area]]), whole[area])


def test_progress_is_said_and_the_mode_is_left():
    data, net, seen = images(BATCH + 10), brightness().train(), []
    areas = Areas(saved(np.ones((len(data), 4, 4)), data.ids), FOUR, seed=0)
    hidden_logits(net, data, areas, what="hiding for masktune", progress=seen.append)
    assert [(step.what, step.done, step.total) for step in seen] == [
        ("hiding for masktune", 250, 260),
        ("hiding for masktune", 260, 260),
    ]
    assert net.training


def test_an_image_without_a_map_is_named():
    data = floats(spot(1, 0))
    with pytest.raises(InputError, match="expected ids of samples with a map, got 'i0'"):
        hidden_logits(brightness(), data, Areas(saved([spot(1, 0)], ["other"]), FOUR, seed=0))

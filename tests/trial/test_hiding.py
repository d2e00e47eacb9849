from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.data import InMemory
from masktune.errors import InputError
from masktune.masking import MapsManifest, MeanPlusStd, SavedMaps, TopFraction
from masktune.saliency import enlarge
from masktune.testing import ShortcutImages
from masktune.training.devices import Processes
from masktune.trial.hiding import CHANGES, Areas, Donors, changed_logits
from masktune.types import View

from .tiny import CLASSES, brightness, images

FOUR = TopFraction(4 / 64)
SWAPS = ("other_class", "same_class", "own_other_class")


def saved(stored, ids, size=(8, 8)):
    """Maps by hand, at layer size."""
    stored = np.asarray(stored, dtype=np.float16)
    n, *grid = stored.shape
    manifest = MapsManifest("by hand", "none", "predicted", "abc", size, tuple(grid), n, None)
    empty = stored.max((1, 2)) == 0
    return SavedMaps(manifest, stored, tuple(ids), np.zeros(n, np.int64), empty, (View.whole(size),))


def floats(*pixels, labels=None):
    """Images of 8 x 8 whose three channels are equal; all are bright ones if nothing is said."""
    stacked = torch.tensor(np.stack(pixels), dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    n = len(pixels)
    labels = np.ones(n, np.int64) if labels is None else np.array(labels)
    return InMemory(stacked.contiguous(), labels, np.array([f"i{at}" for at in range(n)]), CLASSES)


def spot(inside, outside, rows=slice(0, 2), columns=slice(0, 2)):
    """The upper left 2 x 2 pixels, or others, and the rest."""
    made = np.full((8, 8), outside, dtype=float)
    made[rows, columns] = inside
    return made


def random_areas(data, seed=1, threshold=FOUR):
    """Maps of noise."""
    return Areas(saved(np.random.default_rng(seed).random((len(data), 4, 4)), data.ids), threshold)


def asked(net, data, areas, own=None, seed=0, **others):
    """With the donors that a seed makes."""
    return changed_logits(net, data, areas, Donors.of(data, seed), own or areas, **others)


def named(labels, ids=None):
    """Black images with these labels."""
    labels = np.array(labels, dtype=np.int64)
    ids = np.array([f"n{at}" for at in range(len(labels))]) if ids is None else ids
    return InMemory(torch.zeros(len(labels), 1, 2, 2), labels, ids, tuple("abcd"))


def test_logits_by_hand():
    # The net's second logit is 50 (mean - 0.5). Four pixels are 1, sixty are 0.5: a mean of 34 / 64.
    data = floats(spot(1.0, 0.5))
    found = asked(brightness(), data, Areas(saved([spot(1, 0.5)], data.ids), FOUR))
    assert list(found) == list(CHANGES) == ["salient", *SWAPS]
    # Without the four 30 / 64.
    assert found["salient"] == pytest.approx(np.array([[1.5625, -1.5625]]), abs=1e-4)
    # It is alone, so it swaps with itself.
    for change in SWAPS:
        assert found[change] == pytest.approx(np.array([[-1.5625, 1.5625]]), abs=1e-4)


def test_of_an_empty_map_nothing_is_hidden():
    data = floats(np.full((8, 8), 0.8))
    found = asked(brightness(), data, Areas(saved([spot(0, 0)], data.ids), FOUR))
    assert found["salient"] == pytest.approx(np.array([[-15, 15]]), abs=1e-4)


def test_both_salient_areas_take_the_donors_pixels_and_nothing_else_does():
    # The pixels of the first are 0/128 to 63/128, of the second 64/128 to 127/128; areas in two corners.
    codes = np.arange(128).reshape(2, 8, 8) / 128
    data = floats(*codes, labels=[0, 1])
    corners = [spot(1, 0.1), spot(1, 0.1, slice(6, 8), slice(5, 7))]
    areas = Areas(saved(corners, data.ids), FOUR)
    first, second = data.__getitems__([0]), data.__getitems__([1])
    expected = codes[0].copy()
    expected[:2, :2] = codes[1][:2, :2]
    expected[6:8, 5:7] = codes[1][6:8, 5:7]
    assert np.array_equal(areas.salient(first)[0].numpy(), corners[0] == 1)
    assert np.array_equal(areas.swapped(first, second)[0].numpy(), np.stack([expected] * 3))
    # The other way round the same places are swapped, so no pixel is lost.
    other = areas.swapped(second, first)[0, 0].numpy()
    assert np.array_equal(other + expected, codes.sum(0))


def test_an_empty_map_leaves_the_area_of_the_other_image():
    data = floats(np.zeros((8, 8)), np.ones((8, 8)), labels=[0, 1])
    areas = Areas(saved([spot(0, 0), spot(1, 0.1)], data.ids), FOUR)
    changed = areas.swapped(data.__getitems__([0]), data.__getitems__([1]))
    assert np.array_equal(changed[0, 0].numpy(), spot(1, 0))


def test_a_swap_keeps_whole_numbers():
    data = images(4)
    changed = random_areas(data).swapped(data.__getitems__([0, 1]), data.__getitems__([2, 3]))
    assert changed.dtype == torch.uint8


def test_logits_of_a_swap_by_hand():
    # Two dark images and two bright ones, of 0.25, 0.375, 0.625 and 0.75; the net's second logit is
    # 50 (mean - 0.5). Areas: four pixels of each image, upper left of dark and lower right of bright ones.
    pixels = [0.25, 0.375, 0.625, 0.75]
    data = floats(*(np.full((8, 8), one) for one in pixels), labels=[0, 0, 1, 1])
    corners = [spot(1, 0.1)] * 2 + [spot(1, 0.1, slice(6, 8), slice(6, 8))] * 2
    donors = Donors(other_class=np.array([2, 3, 1, 0]), same_class=np.array([1, 0, 3, 2]))
    areas = Areas(saved(corners, data.ids), FOUR)
    # The net itself looks at the lower row of all images.
    own = Areas(saved([spot(1, 0.1, slice(7, 8), slice(0, 8))] * 4, data.ids), TopFraction(8 / 64))
    found = changed_logits(brightness(), data, areas, donors, own)
    for change, of, many in (
        ("other_class", donors.other_class, 8),  # Both corners.
        ("same_class", donors.same_class, 4),  # The same corner twice.
        ("own_other_class", donors.other_class, 8),  # The same row twice.
    ):
        means = [((64 - many) * pixels[at] + many * pixels[donor]) / 64 for at, donor in enumerate(of)]
        assert found[change][:, 1] == pytest.approx(50 * (np.array(means) - 0.5), abs=1e-4)


def test_where_an_arm_looks_itself_matters_for_its_own_swap_alone():
    data, net = images(20), brightness()
    areas, own = random_areas(data, seed=1), random_areas(data, seed=2)
    with_own, without, swapped = (asked(net, data, *both) for both in ((areas, own), (areas,), (own,)))
    assert np.array_equal(with_own["own_other_class"], swapped["other_class"])
    assert not np.array_equal(with_own["own_other_class"], without["own_other_class"])
    for change in CHANGES[:-1]:
        assert np.array_equal(with_own[change], without[change])
    assert np.array_equal(without["own_other_class"], without["other_class"])


def test_the_same_as_a_plain_loop_over_single_images():
    data, random = images(60), np.random.default_rng(1)
    maps, own = (saved(random.random((len(data), 4, 4)), data.ids) for _ in range(2))
    threshold, net, donors = MeanPlusStd(1.0), brightness(), Donors.of(data, 5)
    expected = {change: [] for change in CHANGES}
    for at, name in enumerate(data.ids.tolist()):
        black = data.images[at : at + 1].clone()
        black[:, :, threshold(enlarge(maps.low([name]), (8, 8)))[0]] = 0
        expected["salient"].append(net(black).detach().numpy())
        others = donors.other_class[at], donors.same_class[at], donors.other_class[at]
        for change, other, of in zip(SWAPS, others, (maps, maps, own), strict=True):
            union = threshold(enlarge(of.low([name, data.ids[other]]), (8, 8))).any(0)
            changed = data.images[at : at + 1].clone()
            changed[0, :, union] = data.images[other][:, union]
            expected[change].append(net(changed).detach().numpy())
    found = changed_logits(net, data, Areas(maps, threshold), donors, Areas(own, threshold))
    for change in CHANGES:
        assert found[change].dtype == np.float32
        assert found[change] == pytest.approx(np.concatenate(expected[change]), abs=1e-4)
    assert not any(np.allclose(found[one], found[other], atol=0.1) for one, other in pairwise(CHANGES))


def test_an_area_is_that_of_the_image_whatever_its_batch():
    data = ShortcutImages(12, size=(32, 32), bits=12)
    areas = Areas(saved(np.random.default_rng(2).random((12, 4, 4)), data.ids, (32, 32)), MeanPlusStd(1.0))
    whole = areas.salient(data.__getitems__(list(range(12))))
    assert (whole.sum((1, 2)) > 0).all()
    assert torch.equal(areas.salient(data.__getitems__([7, 2])), whole[[7, 2]])


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_how_many_pass_at_once_does_not_matter(monkeypatch, at_once):
    data, net = images(30), brightness()
    areas, own = random_areas(data, seed=1), random_areas(data, seed=2)
    expected = asked(net, data, areas, own)
    monkeypatch.setattr("masktune.trial.hiding.at_once", lambda spec: at_once)
    found = asked(net, data, areas, own)
    for change in CHANGES:
        assert found[change] == pytest.approx(expected[change], abs=1e-4)


def test_processes_share_the_images(monkeypatch):
    # Two of them, asked one after the other, each for its own part: 25 images and 10.
    monkeypatch.setattr("masktune.trial.hiding.at_once", lambda spec: 25)
    data, net = images(35), brightness()
    areas = random_areas(data)
    whole = asked(net, data, areas)
    monkeypatch.setattr(Processes, "together", lambda self, parts: parts)
    first, second = (asked(net, data, areas, here=Processes(rank, 2)) for rank in (0, 1))
    for change in CHANGES:
        assert (len(first[change]), len(second[change])) == (25, 10)
        assert np.array_equal(np.concatenate([first[change], second[change]]), whole[change])


def test_progress_is_said_and_the_mode_is_left():
    data, net, seen = images(510), brightness().train(), []
    asked(net, data, random_areas(data), what="hiding for masktune", progress=seen.append)
    # Images of 8 x 8 pixels pass by 500.
    assert [(step.what, step.done, step.total) for step in seen] == [
        ("hiding for masktune", 500, 510),
        ("hiding for masktune", 510, 510),
    ]
    assert net.training


def test_an_image_without_a_map_is_named():
    data = floats(spot(1, 0))
    with pytest.raises(InputError, match="expected ids of samples with a map, got 'i0'"):
        asked(brightness(), data, Areas(saved([spot(1, 0)], ["other"]), FOUR))


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=40), seed=st.integers(0, 3))
def test_donors_are_of_another_class_or_other_images_of_the_same(labels, seed):
    data = named(labels)
    found, own = Donors.of(data, seed), np.arange(len(labels))
    assert sorted(found.same_class) == own.tolist()  # Each gives its place away once.
    assert np.array_equal(data.labels[found.same_class], data.labels)
    counts = np.bincount(data.labels)
    alone = counts[data.labels] == 1
    assert np.array_equal(found.same_class == own, alone)
    other = data.labels[found.other_class] != data.labels
    assert other.all() if (counts > 0).sum() > 1 else np.array_equal(found.other_class, own)


@settings(deadline=None, max_examples=30)
@given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=20), order=st.randoms(use_true_random=False))
def test_who_swaps_with_whom_does_not_depend_on_the_order_of_the_data(labels, order):
    data = named(labels)
    at = list(range(len(labels)))
    order.shuffle(at)
    turned = named(data.labels[at], data.ids[at])
    first, second = Donors.of(data, 0), Donors.of(turned, 0)
    for kind in ("other_class", "same_class"):
        of = dict(zip(data.ids, data.ids[getattr(first, kind)], strict=True))
        assert dict(zip(turned.ids, turned.ids[getattr(second, kind)], strict=True)) == of


def test_a_small_class_gives_all_of_its_images_about_equally_often():
    # Ten of one class and three of the other: 3, 3 and 4 times; the three get three different ones.
    data = named([0] * 10 + [1] * 3)
    found = Donors.of(data, 0).other_class
    assert sorted(np.bincount(found[:10], minlength=13)[10:]) == [3, 3, 4]
    assert len(set(found[10:])) == 3


def test_of_several_classes_each_gives_images_to_the_others():
    data = named(np.arange(200) % 4)
    found = data.labels[Donors.of(data, 0).other_class]
    for label in range(4):
        assert set(found[data.labels == label]) == set(range(4)) - {label}


def test_another_seed_makes_other_pairs():
    data = named([0, 1] * 20)
    first, again, other = (Donors.of(data, seed) for seed in (0, 0, 1))
    for kind in ("other_class", "same_class"):
        assert np.array_equal(getattr(first, kind), getattr(again, kind))
        assert not np.array_equal(getattr(first, kind), getattr(other, kind))


def test_who_swaps_with_whom_is_not_who_comes_next():
    # Without the seeded order each image would take the place of the one before it in the data.
    data = named([0] * 40)
    assert (np.roll(np.arange(40), 1) == Donors.of(data, 0).same_class).sum() < 10

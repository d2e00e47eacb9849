"""Where the classifiers look, in words, and the pictures of before and after."""

import io
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.data import InMemory, Subset
from masktune.evaluation import Predictions
from masktune.masking import TopFraction
from masktune.trial.arms import Arm
from masktune.trial.hiding import Areas
from masktune.trial.looking import SHOWN, pictures_of, places_of

from .test_hiding import saved

CLASSES = ("dark", "bright")


def data_of(labels):
    """An image of a grey level of its own each, as bright as its number."""
    n = len(labels)
    grey = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8).contiguous()
    return InMemory(grey, np.array(labels), np.array([f"p{at:03d}" for at in range(n)]), CLASSES)


def arm_of(name, data, predicted, maps=None, classes=CLASSES):
    """What an arm says, and where it looks."""
    logits = np.eye(2, dtype=np.float32)[np.array(predicted)]
    maps = np.zeros((len(data), 3, 3)) if maps is None else maps
    said = Predictions(logits, data.labels, data.ids, classes)
    return Arm(name, said, {}, Areas(saved(maps, data.ids), TopFraction(0.1)))


def arms_of(data, before, after, **others):
    return {
        name: arm_of(name, data, said, **others)
        for name, said in (("untouched", before), ("masktune", after))
    }


def drawn(data, before, after, seed=0, **others):
    """The pictures of two arms."""
    return pictures_of(arms_of(data, before, after, **others), data, seed=seed)


def map_with(*cells):
    """A map of 6 x 6 with these cells at 1."""
    made = np.zeros((6, 6))
    for cell in cells:
        made[cell] = 1
    return made


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        ([(0, 0)], "top left corner"),
        ([(0, 5)], "top right corner"),
        ([(5, 0), (5, 1)], "bottom left corner"),
        ([(4, 4)], "bottom right corner"),
        ([(0, 2), (0, 3)], "top edge"),
        ([(5, 3)], "bottom edge"),
        ([(2, 0)], "left edge"),
        ([(3, 5)], "right edge"),
        ([(2, 2)], "centre"),
        ([(0, 0), (5, 5)], "centre"),  # Their middle.
        ([(0, 0), (0, 1), (3, 0)], "top left corner"),  # Down (0.5 + 0.5 + 3.5) / 3 / 6 = 1/4.
        ([(0, 0), (3, 0)], "left edge"),  # Down (0.5 + 3.5) / 2 / 6 = 1/3.
        ([], ""),
    ],
)
def test_the_middle_of_a_map_in_words(cells, place):
    data = data_of([0])
    assert places_of(arm_of("untouched", data, [0], [map_with(*cells)]), data).tolist() == [place]


def test_a_faint_map_has_the_place_of_a_strong_one_and_halves_count_half():
    data = data_of([0, 0])
    maps = np.stack([0.001 * map_with((0, 0)), map_with((0, 0)) + 0.5 * map_with((5, 5))])
    # (0.5 + 0.5 * 5.5) / 1.5 / 6 = 0.361.
    assert places_of(arm_of("untouched", data, [0, 0], maps), data).tolist() == ["top left corner", "centre"]


def test_places_are_in_the_order_of_the_images_not_of_the_maps():
    data = data_of([0, 0, 0])
    arm = arm_of("untouched", data, [0] * 3, np.stack([map_with((0, 0)), map_with((5, 5)), map_with()]))
    turned = Subset(data, torch.tensor([2, 0, 1]))
    assert places_of(arm, turned).tolist() == ["", "top left corner", "bottom right corner"]


def test_maps_need_not_be_square():
    data, low = data_of([0]), np.zeros((1, 3, 9))
    low[0, 1, 8] = 1
    assert places_of(arm_of("untouched", data, [0], low), data).tolist() == ["right edge"]


# Of 120 images 30 gained, 20 lost, 40 wrong and 30 right: labels are 0, so an answer of 1 is wrong.
BEFORE = [1] * 30 + [0] * 20 + [1] * 40 + [0] * 30
AFTER = [0] * 30 + [1] * 20 + [1] * 40 + [0] * 30
MANY = data_of([0] * 120)


def test_gained_come_first_then_lost_then_others_and_all_are_48():
    shown = drawn(MANY, BEFORE, AFTER)
    assert len(shown) == SHOWN == 48
    assert [one.kind for one in shown] == ["gained"] * 16 + ["lost"] * 16 + ["wrong"] * 8 + ["right"] * 8
    assert len({one.id for one in shown}) == 48


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((3, 2, 60, 60), (3, 2, 21, 22)),  # 43 are left, half of them 21.
        ((0, 0, 60, 4), (0, 0, 44, 4)),
        ((0, 0, 4, 60), (0, 0, 4, 44)),
        ((60, 0, 0, 0), (16, 0, 0, 0)),
        ((2, 1, 3, 4), (2, 1, 3, 4)),
    ],
)
def test_what_changed_leaves_room_for_wrong_and_right(numbers, shown):
    said = np.repeat([[1, 0], [0, 1], [1, 1], [0, 0]], numbers, axis=0)  # Gained, lost, wrong, right.
    found = drawn(data_of([0] * len(said)), *said.T)
    kinds = Counter(one.kind for one in found)
    assert tuple(kinds[kind] for kind in ("gained", "lost", "wrong", "right")) == shown


def test_a_picture_is_its_image_with_its_words():
    labels, before, after = [0, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1]
    data = data_of(labels)
    for one in drawn(data, before, after):
        at = data.ids.tolist().index(one.id)
        assert (one.label, one.before, one.after) == tuple(CLASSES[of[at]] for of in (labels, before, after))
        grey = np.asarray(Image.open(io.BytesIO(one.jpeg)))
        assert grey.shape == (8, 8, 3)
        assert abs(grey.astype(int) - at).max() <= 2


def test_both_maps_are_those_of_the_two_nets():
    data, random = data_of([0, 1] * 4), np.random.default_rng(0)
    maps = {name: random.random((8, 3, 3)).astype(np.float16) for name in ("untouched", "masktune")}
    arms = {name: arm_of(name, data, [0] * 8, maps[name]) for name in maps}
    shown = pictures_of(arms, data, seed=0)
    assert len(shown) == 8
    for one in shown:
        at = data.ids.tolist().index(one.id)
        assert np.array_equal(one.low_before, maps["untouched"][at])
        assert np.array_equal(one.low_after, maps["masktune"][at])


def test_the_same_seed_shows_the_same_pictures_whatever_the_order_of_the_data():
    order = np.random.default_rng(3).permutation(120)
    turned = Subset(MANY, torch.from_numpy(order))
    first, again, other = ([one.id for one in drawn(MANY, BEFORE, AFTER, seed=seed)] for seed in (0, 0, 1))
    assert first == again != other
    assert [one.id for one in drawn(turned, np.array(BEFORE)[order], np.array(AFTER)[order])] == first


def test_classes_without_names_go_by_their_number():
    (one,) = drawn(data_of([1]), [0], [1], classes=None)
    assert (one.label, one.before, one.after) == ("1", "0", "1")

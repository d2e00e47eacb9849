import numpy as np
import pytest

from data.listed import make
from masktune.errors import InputError
from masktune.intake import drawn, drawn_by_class

LABELS = [0] * 80 + [1] * 20


def test_each_class_gives_its_share():
    samples = make(LABELS)
    chosen = drawn_by_class(samples, 10)
    assert samples.labels[chosen].tolist() == [0] * 8 + [1] * 2
    assert chosen.tolist() == sorted(chosen.tolist())


def test_a_rare_class_gives_two():
    # Its share of 10 would be a tenth of an image.
    chosen = drawn_by_class(make([0] * 198 + [1] * 2), 10)
    assert chosen[-2:].tolist() == [198, 199]
    assert len(chosen) == 12


def test_all_where_there_are_no_more():
    samples = make(LABELS)
    assert drawn_by_class(samples, 100).tolist() == drawn(samples, 1000).tolist() == list(range(100))


def test_fewer_than_two_a_class_are_refused():
    with pytest.raises(InputError, match="expected at least 4 images, two a class, got 3"):
        drawn_by_class(make(LABELS), 3)
    assert len(drawn(make(LABELS), 3)) == 3


@pytest.mark.parametrize("draw", [drawn, drawn_by_class])
def test_the_order_of_the_listing_changes_nothing(draw):
    samples = make(LABELS)
    shuffled = samples.select(np.random.default_rng(0).permutation(100))
    first = samples.ids[draw(samples, 20, 5)]
    second = shuffled.ids[draw(shuffled, 20, 5)]
    assert sorted(first.tolist()) == sorted(second.tolist())


@pytest.mark.parametrize("draw", [drawn, drawn_by_class])
def test_a_seed_is_an_argument(draw):
    samples = make(LABELS)
    first, again, other = (draw(samples, 20, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_an_image_more_moves_at_most_one():
    few, many = make(LABELS[:-1]), make(LABELS)
    first, second = (set(one.ids[drawn(one, 20)].tolist()) for one in (few, many))
    assert len(first - second) <= 1

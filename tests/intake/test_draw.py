from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def per_split(samples, chosen):
    return Counter(zip(samples.splits[chosen].tolist(), samples.labels[chosen].tolist(), strict=True))


def test_the_draw_is_the_same_on_every_machine():
    samples = make([0] * 6 + [1] * 4)
    # Three and two, the first by `printf 'draw\x1f0\x1f000.png' | b2sum -l 64`, of coreutils.
    assert samples.ids[drawn_by_class(samples, 5)].tolist() == [
        "000.png",
        "002.png",
        "005.png",
        "007.png",
        "008.png",
    ]


def test_each_split_keeps_its_share_of_each_class():
    samples = make(([0] * 8 + [1] * 2) * 6, splits=["train"] * 40 + ["validation"] * 20)
    chosen = drawn_by_class(samples, 30)
    assert per_split(samples, chosen) == {
        ("train", 0): 16,
        ("train", 1): 4,
        ("validation", 0): 8,
        ("validation", 1): 2,
    }


def test_a_small_split_gives_two_of_each_class():
    # Its share of 20 would be less than an image of each class.
    samples = make([0, 1] * 50, splits=["train"] * 94 + ["validation"] * 6)
    assert per_split(samples, drawn_by_class(samples, 20)) == {
        ("train", 0): 9,
        ("train", 1): 9,
        ("validation", 0): 2,
        ("validation", 1): 2,
    }


def test_subjects_are_drawn_whole():
    # Twenty patients with three images each: 15 of class 0, 5 of class 1.
    subjects = [f"p{at // 3}" for at in range(60)]
    samples = make([0] * 45 + [1] * 15, subjects=subjects)
    for seed in range(10):
        chosen = drawn_by_class(samples, 24, seed)
        assert Counter(Counter(samples.subjects[chosen].tolist()).values()) == {3: 8}
        assert Counter(samples.labels[chosen].tolist()) == {0: 18, 1: 6}
        # 25 is nearer to 24 than to 27, and 26 nearer to 27.
        assert len(drawn_by_class(samples, 25, seed)) == 24
        assert len(drawn_by_class(samples, 26, seed)) == 27


def test_a_subject_counts_for_its_rarest_class():
    # Ten of 40 patients have one ill image among three: by most images all would be healthy.
    labels = [int(patient < 10 and image == 0) for patient in range(40) for image in range(3)]
    samples = make(labels, subjects=[f"p{at // 3}" for at in range(120)])
    for seed in range(10):
        chosen = drawn_by_class(samples, 48, seed)
        assert Counter(samples.labels[chosen].tolist()) == {0: 44, 1: 4}


def test_subjects_in_two_splits_are_drawn_from_both():
    samples = make(
        [0, 1] * 20, splits=["train"] * 20 + ["test"] * 20, subjects=[f"p{at % 20}" for at in range(40)]
    )
    chosen = drawn_by_class(samples, 20)
    assert set(Counter(samples.subjects[chosen].tolist()).values()) == {2}
    assert per_split(samples, chosen) == {
        (split, label): 5 for split in ("train", "test") for label in (0, 1)
    }


def test_every_class_has_two_images_though_a_large_subject_takes_the_room():
    # All of class 1 that is not of the large patient: two patients with an image each.
    labels = [0] * 10 + [1] * 20 + [1, 1]
    samples = make(labels, subjects=["a"] * 5 + ["b"] * 5 + ["c"] * 20 + ["d", "e"])
    for seed in range(10):
        chosen = drawn_by_class(samples, 10, seed)
        assert (np.bincount(samples.labels[chosen]) >= 2).all()


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 2), st.sampled_from(["train", "test"])),
        min_size=10,
        max_size=60,
    ),
    share=st.floats(0.1, 0.9),
    order=st.randoms(use_true_random=False),
    by_split=st.booleans(),
)
def test_no_subject_is_divided_no_class_is_lost_and_no_order_matters(rows, share, order, by_split):
    named = [(f"{at}.png", f"p{subject}", label, split) for at, (subject, label, split) in enumerate(rows)]

    def draw(rows):
        ids, subjects, labels, splits = zip(*rows, strict=True)
        samples = make(
            labels,
            ids=list(ids),
            subjects=list(subjects),
            splits=list(splits) if by_split else None,
            classes=tuple("abc"),
        )
        count = max(6, round(share * len(rows)))
        return samples, drawn_by_class(samples, count, 1)

    samples, chosen = draw(named)
    drawn_of = Counter(samples.subjects[chosen].tolist())
    sizes = Counter(samples.subjects.tolist())
    assert all(drawn_of[subject] == sizes[subject] for subject in drawn_of)
    splits = samples.splits if by_split else np.full(len(samples), "")
    kinds = Counter(zip(splits.tolist(), samples.labels.tolist(), strict=True))
    found = Counter(zip(splits[chosen].tolist(), samples.labels[chosen].tolist(), strict=True))
    assert all(found[kind] >= min(2, n) for kind, n in kinds.items())
    order.shuffle(named)
    again, other = draw(named)
    assert set(again.ids[other].tolist()) == set(samples.ids[chosen].tolist())


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.tuples(*[st.lists(st.integers(1, 6), min_size=6, max_size=20)] * 2),
    share=st.floats(0.3, 0.7),
    seed=st.integers(0, 5),
)
def test_a_part_is_as_near_to_what_was_asked_for_as_whole_subjects_allow(sizes, share, seed):
    of_class = [(label, size) for label, some in enumerate(sizes) for size in some]
    subjects = [f"p{at}" for at, (_, size) in enumerate(of_class) for _ in range(size)]
    samples = make([label for label, size in of_class for _ in range(size)], subjects=subjects)
    count = max(4, round(share * len(samples)))
    off = len(drawn_by_class(samples, count, seed)) - count
    assert abs(off) <= max(sizes[0] + sizes[1])

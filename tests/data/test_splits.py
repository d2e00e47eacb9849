from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.data.splits import (
    Crossing,
    Doubles,
    cells,
    crossing_subjects,
    doubles,
    drawn_splits,
    split_table,
    with_splits,
)
from masktune.errors import InputError

from .listed import make

FEW = settings(max_examples=60, deadline=None)


def split_of(samples):
    return dict(zip(samples.ids.tolist(), samples.splits.tolist(), strict=True))


def shares(samples):
    return Counter(zip(samples.splits.tolist(), samples.labels.tolist(), strict=True))


def test_every_class_gives_its_share():
    divided = with_splits(make([0] * 100 + [1] * 20))
    assert divided.made == ("train", "validation", "test")
    assert shares(divided.samples) == {
        ("train", 0): 70,
        ("validation", 0): 15,
        ("test", 0): 15,
        ("train", 1): 14,
        ("validation", 1): 3,
        ("test", 1): 3,
    }


def test_a_rare_class_is_in_every_split():
    counts = shares(with_splits(make([0] * 50 + [1] * 3)).samples)
    assert [counts[split, 1] for split in ("train", "validation", "test")] == [1, 1, 1]


def test_what_is_given_stays():
    splits = ["train"] * 40 + ["test"] * 4
    samples = make([0, 1] * 22, splits=splits)
    divided = with_splits(samples)
    assert divided.made == ("validation",)
    assert divided.samples.ids.tolist() == samples.ids.tolist()
    assert divided.samples.splits[40:].tolist() == ["test"] * 4
    assert Counter(divided.samples.splits[:40].tolist()) == {"train": 34, "validation": 6}
    again = with_splits(divided.samples)
    assert again.made == ()
    assert again.samples is divided.samples


def test_only_what_is_needed_is_made():
    samples = make([0, 1] * 20)
    assert with_splits(samples, ("train",)).samples.split_names == ("train",)
    divided = with_splits(samples, ("test",))
    assert divided.made == ("test",)
    assert shares(divided.samples) == {("train", 0): 17, ("train", 1): 17, ("test", 0): 3, ("test", 1): 3}
    # Test images are the same ones, whether validation is made beside or not.
    whole = split_of(with_splits(samples).samples)
    alone = split_of(divided.samples)
    assert all(whole[name] == "test" for name, split in alone.items() if split == "test")


def test_the_seed_decides():
    samples = make([0, 1] * 50)
    first, same, other = (with_splits(samples, seed=seed).samples.splits.tolist() for seed in (0, 0, 1))
    assert first == same != other


def test_the_draw_is_the_same_on_every_machine():
    made = split_of(with_splits(make([0, 1] * 10)).samples)
    # Of each class the first two by `printf 'split\x1f0\x1f000.png' | b2sum -l 64`, of coreutils.
    assert sorted(name for name, split in made.items() if split == "validation") == [
        "004.png",
        "005.png",
        "010.png",
        "019.png",
    ]


@FEW
@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    asked=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    seed=st.integers(0, 5),
)
def test_shares_are_right_within_one_image(labels, asked, seed):
    labels = labels + [0, 1, 2] * 3
    asked = dict(zip(("validation", "test"), asked, strict=True))
    divided = with_splits(make(labels, classes=("a", "b", "c")), seed=seed, shares=asked)
    counts = shares(divided.samples)
    for label, n in Counter(labels).items():
        assert counts["train", label] >= 1
        for split, share in asked.items():
            assert counts[split, label] >= 1
            assert abs(counts[split, label] - share * n) <= 1


@FEW
@given(
    rows=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 1)), min_size=1, max_size=80),
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 5),
)
def test_no_subject_on_both_sides_and_no_order_matters(rows, order, seed):
    rows = rows + [(100 + 2 * number + label, label) for number in range(3) for label in (0, 1)]
    named = [(f"{position}.png", f"p{subject}", label) for position, (subject, label) in enumerate(rows)]

    def divide(rows):
        ids, subjects, labels = zip(*rows, strict=True)
        return with_splits(make(labels, ids=list(ids), subjects=list(subjects)), seed=seed).samples

    samples = divide(named)
    assert crossing_subjects(samples) == ()
    assert {
        split: set(samples.labels[samples.splits == split].tolist()) for split in samples.split_names
    } == {split: {0, 1} for split in ("train", "validation", "test")}
    before = split_of(samples)
    order.shuffle(named)
    assert split_of(divide(named)) == before


@FEW
@given(n=st.integers(10, 200), seed=st.integers(0, 5))
def test_a_new_image_moves_at_most_one_over_each_border(n, seed):
    before = split_of(with_splits(make([0, 1] * n), seed=seed).samples)
    ids = [f"{position:03d}.png" for position in range(2 * n)]
    after = split_of(with_splits(make([0, 1] * n + [0], ids=[*ids, "new.png"]), seed=seed).samples)
    assert sum(after[name] != split for name, split in before.items()) <= 2


def test_a_subject_counts_for_its_rarest_class():
    # Ten of 100 patients have one ill image among five; by their most frequent label all would be healthy.
    labels = [int(patient < 10 and image == 0) for patient in range(100) for image in range(5)]
    subjects = [f"p{patient}" for patient in range(100) for _ in range(5)]
    for seed in range(20):
        samples = with_splits(make(labels, subjects=subjects), seed=seed).samples
        assert [shares(samples)[split, 1] for split in ("train", "validation", "test")] == [6, 2, 2]


def test_a_split_of_any_name_is_drawn_as_validation_is():
    names, labels = np.array([f"{at:03d}.png" for at in range(40)]), np.array([0, 1] * 20)
    for seed in range(3):
        kept = drawn_splits(names, labels, {"calibration": 0.2}, seed)
        other = drawn_splits(names, labels, {"validation": 0.2}, seed)
        assert ((kept == "calibration") == (other == "validation")).all()
        assert Counter(kept[::2].tolist()) == Counter(kept[1::2].tolist()) == {"train": 16, "calibration": 4}


def test_the_least_that_a_class_gives():
    names, labels = np.array([f"{at}.png" for at in range(9)]), np.array([0] * 5 + [1] * 2 + [2] * 2)
    for least, expected in ((0, {0: 1}), (1, {0: 1, 1: 1, 2: 1}), (3, {0: 3, 1: 1, 2: 1})):
        chosen = drawn_splits(names, labels, {"validation": 0.1}, 0, least=least) == "validation"
        # A tenth of five images rounds to one, of two to none; one of each class stays behind.
        assert Counter(labels[chosen].tolist()) == expected


def test_a_number_for_each_class_of_each_split():
    labels = np.array([0, 2, 0, 2, 1])
    splits = np.array(["train", "train", "test", "test", "train"])
    # Test is the first by name: its classes are 0 to 2, those of train 3 to 5.
    assert cells(labels, splits).tolist() == [3, 5, 0, 2, 4]
    assert cells(labels, None) is labels


def test_too_few_of_a_class():
    with pytest.raises(InputError) as caught:
        with_splits(make([0] * 10 + [1] * 2))
    assert str(caught.value) == (
        "class 'dog' has no images in split 'validation', which was to be made: it has only 2 images for "
        "train, validation, test; add images, or give the splits yourself"
    )
    with pytest.raises(InputError, match="it has only 1 subjects for train, validation"):
        with_splits(
            make([0, 0, 1, 1], subjects=["a", "b", "c", "c"]),
            ("train", "validation"),
            shares={"validation": 0.5},
        )


def test_nothing_to_draw_from():
    with pytest.raises(InputError) as caught:
        with_splits(make([0, 1, 0, 1], splits=["validation", "validation", "test", "test"]))
    assert str(caught.value) == (
        "expected training images, got validation and test only; give a split 'train' too"
    )


def test_what_cannot_be_asked_for():
    samples = make([0, 1] * 20)
    with pytest.raises(
        InputError, match=r"no split 'valdation' \(did you mean 'validation'\?\); there are train,"
    ):
        with_splits(samples, ("train", "valdation"))
    with pytest.raises(InputError, match="expected a share of the images for the split 'test', got none"):
        with_splits(samples, shares={"validation": 0.1})
    for wrong in ({"validation": 0.5, "test": 0.5}, {"validation": 0.0, "test": 0.1}):
        with pytest.raises(InputError, match="expected shares above 0 that leave images for training, got"):
            with_splits(samples, shares=wrong)


def test_subjects_in_two_splits_are_named():
    samples = make(
        [0] * 8,
        splits=["train", "test", "train", "test", "validation", "test", "train", "train"],
        subjects=["a", "a", "b", "b", "c", "c", "c", "d"],
    )
    found = crossing_subjects(samples)
    assert found == (
        Crossing(("train", "validation"), ("c",)),
        Crossing(("train", "test"), ("a", "b", "c")),
        Crossing(("validation", "test"), ("c",)),
    )
    assert str(found[1]) == "subjects with images in train and in test: 3 ('a', 'b', 'c')"
    assert crossing_subjects(make([0], splits=["train"])) == ()
    assert crossing_subjects(make([0], subjects=["a"])) == ()


def test_the_same_bytes_in_two_splits_are_named():
    samples = make([0] * 8, splits=["train"] * 4 + ["test"] * 4)
    digests = np.array(["x", "y", "y", "", "y", "x", "", "y"])
    found = doubles(digests, samples)
    assert found == (
        Doubles(
            ("train", "test"),
            3,
            (("001.png", "004.png"), ("000.png", "005.png"), ("001.png", "007.png")),
        ),
    )
    assert str(found[0]) == (
        "images of test whose bytes are in train too: 3 (004.png = 001.png, 005.png = 000.png, 007.png = "
        "001.png)"
    )
    assert doubles(np.array(["x"] * 3), make([0] * 3)) == ()
    assert doubles(np.array(["x", "x", "y"]), make([0] * 3, splits=["train", "train", "test"])) == ()


def test_the_table_for_the_record():
    samples = make([0, 1], splits=["train", "test"])
    assert split_table(samples) == [("000.png", "train"), ("001.png", "test")]
    with pytest.raises(InputError, match="expected samples with splits, got none"):
        split_table(make([0, 1]))


def test_calibration_is_drawn_beside_validation_and_test():
    names, labels = np.array([f"{at:03d}.png" for at in range(100)]), np.array([0, 1] * 50)
    shares = {"validation": 0.1, "calibration": 0.2, "test": 0.3}
    drawn = drawn_splits(names, labels, shares, 0)
    for label in (0, 1):
        of_class = drawn[labels == label].tolist()
        counts = {name: of_class.count(name) for name in ("train", *shares)}
        assert counts == {"train": 20, "validation": 5, "calibration": 10, "test": 15}
    # The others are drawn as they are without it.
    without = drawn_splits(names, labels, {"validation": 0.1, "test": 0.3}, 0)
    for name in ("validation", "test"):
        assert ((drawn == name) == (without == name)).all()

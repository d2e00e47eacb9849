import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.data.biased_images import BiasedDigitImages, GreyDigits, lay_out
from masktune.data.shortcut import Shortcut, group_names
from masktune.errors import InputError

from .files_of_mnist import some_digits


def official(images, digits, ratio, squares=1):
    """`mnist_rgb.py` and `add_color_bias_to_images`, image by image (paper.md section 3.5)."""
    in_order = [i for digit in range(10) for i in range(len(digits)) if digits[i] == digit]
    of_class = {0: [i for i in in_order if digits[i] < 5], 1: [i for i in in_order if digits[i] >= 5]}
    made = []
    for label, members in of_class.items():
        count = round(len(members) * (1 - ratio)) if label == 0 else round(len(members) * ratio)
        for place, i in enumerate(members):
            image = np.stack([images[i]] * 3)
            if place < count:
                for row in range(4):
                    for column in range(4):
                        image[:, row, column] = (255, 0, 0)
                        if squares == 2:
                            image[:, row, 27 - column] = (0, 0, 255)
            made.append((f"train/{i:05d}", label, image, place < count))
    return made


def laid_out(n=120, seed=1, validation=0, split="train", **settings):
    images, digits = some_digits(n, seed)
    shortcut = Shortcut(**settings)
    grey = GreyDigits.of("train", images, digits)
    return BiasedDigitImages(*lay_out(grey, split, shortcut, validation, 0), shortcut), images, digits


@pytest.mark.parametrize(("ratio", "squares"), [(0.2, 1), (0.2, 2), (0.01, 1), (0.0, 1), (1.0, 2)])
def test_the_official_sorting_index_by_index(ratio, squares):
    data, images, digits = laid_out(conflict_ratio=ratio, squares=squares)
    expected = official(images, digits, ratio, squares)
    assert data.ids.tolist() == [name for name, *_ in expected]
    assert data.labels.tolist() == [label for _, label, *_ in expected]
    assert data.carries.tolist() == [carries for *_, carries in expected]
    assert np.array_equal(data.images.numpy(), np.stack([image for *_, image, _ in expected]))


def test_validation_is_taken_out_of_the_official_order_after_the_bias():
    train, images, digits = laid_out(conflict_ratio=0.2, validation=40)
    held_back, *_ = laid_out(conflict_ratio=0.2, validation=40, split="validation")
    expected = {name: (image, carries) for name, _, image, carries in official(images, digits, 0.2)}
    assert (len(train), len(held_back)) == (80, 40)
    assert set(train.ids) | set(held_back.ids) == set(expected)
    assert not set(train.ids) & set(held_back.ids)
    for data in (train, held_back):
        in_order = [name for name in expected if name in set(data.ids)]
        assert data.ids.tolist() == in_order
        for name, image, carries in zip(data.ids, data.images.numpy(), data.carries, strict=True):
            assert np.array_equal(image, expected[name][0])
            assert carries == expected[name][1]


def test_conflicting_images_are_the_last_of_one_class_and_the_first_of_the_other():
    data, *_ = laid_out(n=500, conflict_ratio=0.1)
    digits = data.grey.digits
    conflicting = data.carries == (data.labels == 1)
    assert set(digits[conflicting]) == {4, 5}
    _, _, shuffled = laid_out(n=500, conflict_ratio=0.1)
    n0, n1 = (shuffled < 5).sum(), (shuffled >= 5).sum()
    assert conflicting.sum() == (n0 - round(n0 * 0.9)) + round(n1 * 0.1)


def test_the_random_protocol_draws_from_all_digits_and_is_seeded():
    images, digits = some_digits(2000, 3)
    shortcut = Shortcut(protocol="random", conflict_ratio=0.1)
    first, again, other = (shortcut.carriers(digits, "train", seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    conflicting = first == (digits >= 5)
    assert set(digits[conflicting]) == set(range(10))
    n0, n1 = (digits < 5).sum(), (digits >= 5).sum()
    assert first[digits < 5].sum() == round(n0 * 0.9)
    assert first[digits >= 5].sum() == round(n1 * 0.1)
    assert images.shape == (2000, 28, 28)


def test_under_the_random_protocol_the_order_is_that_of_the_file():
    data, images, _ = laid_out(protocol="random", conflict_ratio=0.2)
    assert data.ids.tolist() == [f"train/{i:05d}" for i in range(120)]
    assert np.array_equal(data.grey.images, images)


def test_ids_name_the_same_image_whatever_the_protocol():
    grey = {}
    for protocol in ("sorted", "random"):
        for split in ("train", "validation", "validation_conflicting"):
            data, *_ = laid_out(protocol=protocol, validation=40, split=split)
            for name, image, label in zip(data.ids, data.grey.images, data.labels, strict=True):
                seen = grey.setdefault(name, (image, label))
                assert np.array_equal(seen[0], image)
                assert seen[1] == label
    assert len(grey) == 120


@pytest.mark.parametrize("protocol", ["sorted", "random"])
def test_settings_are_chosen_on_held_back_images_with_the_reverse_shortcut(protocol):
    train, *_ = laid_out(protocol=protocol, validation=40)
    held_back, *_ = laid_out(protocol=protocol, validation=40, split="validation")
    reverse, *_ = laid_out(protocol=protocol, validation=40, split="validation_conflicting")
    assert len(reverse) == 20
    assert set(reverse.ids) <= set(held_back.ids)
    assert not set(reverse.ids) & set(train.ids)
    assert np.array_equal(reverse.carries, reverse.labels == 1)


def test_with_two_squares_right_is_the_first_colour_reversed():
    grey = np.full((1, 6, 6), 9, dtype=np.uint8)
    image = Shortcut(squares=2, square_size=2).lay_on(grey, np.array([True]))[0]
    red = [[255, 255, 9, 9, 0, 0]] * 2 + [[9] * 6] * 4
    green = [[0, 0, 9, 9, 0, 0]] * 2 + [[9] * 6] * 4
    blue = [[0, 0, 9, 9, 255, 255]] * 2 + [[9] * 6] * 4
    assert image.tolist() == [red, green, blue]


GREY = np.array([[[0, 7], [255, 0]]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("bias", "red", "others", "pixels"),
    [
        ("background", [[255, 7], [255, 255]], [[0, 7], [255, 0]], [[True, False], [False, True]]),
        ("foreground", [[0, 255], [255, 0]], [[0, 0], [0, 0]], [[False, True], [True, False]]),
        ("none", [[0, 7], [255, 0]], [[0, 7], [255, 0]], [[False, False], [False, False]]),
    ],
)
def test_the_other_shortcuts_pixel_by_pixel(bias, red, others, pixels):
    shortcut = Shortcut(bias=bias)
    carries = np.array([True])
    assert shortcut.lay_on(GREY, carries)[0].tolist() == [red, others, others]
    assert shortcut.pixels(GREY, carries)[0].tolist() == pixels
    without = np.array([False])
    assert shortcut.lay_on(GREY, without)[0].tolist() == [GREY[0].tolist()] * 3
    assert not shortcut.pixels(GREY, without).any()


def test_the_source_stays_grey():
    grey = np.zeros((2, 28, 28), dtype=np.uint8)
    Shortcut().lay_on(grey, np.array([True, True]))
    assert not grey.any()


@settings(deadline=None)
@given(
    digits=st.lists(st.integers(0, 9), max_size=60),
    ratio=st.floats(0, 1),
    protocol=st.sampled_from(["sorted", "random"]),
)
def test_the_shares_hold_for_any_digits(digits, ratio, protocol):
    digits = np.array(sorted(digits), dtype=np.uint8)
    carries = Shortcut(conflict_ratio=ratio, protocol=protocol).carriers(digits, "train", 0)
    assert carries[digits < 5].sum() == round((digits < 5).sum() * (1 - ratio))
    assert carries[digits >= 5].sum() == round((digits >= 5).sum() * ratio)


def test_the_three_test_sets():
    digits = np.arange(10, dtype=np.uint8)
    carriers = {place: Shortcut().carriers(digits, place, 0) for place in ("raw", "aligned", "conflicting")}
    assert digits[carriers["raw"]].tolist() == []
    assert digits[carriers["aligned"]].tolist() == [0, 1, 2, 3, 4]
    assert digits[carriers["conflicting"]].tolist() == [5, 6, 7, 8, 9]


def test_no_bias_no_carriers():
    digits = np.arange(10, dtype=np.uint8)
    for place in ("train", "raw", "aligned", "conflicting"):
        assert not Shortcut(bias="none").carriers(digits, place, 0).any()


@pytest.mark.parametrize(
    ("bias", "names"),
    [
        ("square", ["0-4 with square", "0-4 without square", "5-9 with square", "5-9 without square"]),
        (
            "background",
            [f"{name} {word} red background" for name in ("0-4", "5-9") for word in ("with", "without")],
        ),
        (
            "foreground",
            [f"{name} {word} red digit" for name in ("0-4", "5-9") for word in ("with", "without")],
        ),
    ],
)
def test_groups_have_names(bias, names):
    labels, carries = np.array([0, 0, 1, 1]), np.array([True, False, True, False])
    assert group_names(labels, carries, bias).tolist() == names


@pytest.mark.parametrize(
    ("settings", "variant"),
    [
        ({}, "sorted"),
        ({"protocol": "random"}, "random"),
        ({"squares": 2}, "sorted-two-squares"),
        ({"bias": "background"}, "sorted-background"),
        ({"conflict_ratio": 0.05, "square_size": 3}, "sorted-3px-0.05"),
    ],
)
def test_results_are_filed_under_what_departs_from_the_paper(settings, variant):
    assert Shortcut(**settings).variant == variant


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"conflict_ratio": 1.5}, "expected a conflict ratio from 0 to 1, got 1.5"),
        ({"conflict_ratio": float("nan")}, "expected a conflict ratio from 0 to 1, got nan"),
        ({"square_size": 0}, "expected a square of 1 to 14 pixels, got 0"),
        ({"square_size": 15}, "expected a square of 1 to 14 pixels, got 15"),
        ({"squares": 3}, "expected 1 or 2 squares, got 3"),
        (
            {"bias": "sqare"},
            (
                "expected bias as one of square, background, foreground, none, got 'sqare' "
                "(did you mean 'square'?)"
            ),
        ),
        (
            {"protocol": "sort"},
            "expected protocol as one of sorted, random, got 'sort' (did you mean 'sorted'?)",
        ),
    ],
)
def test_a_shortcut_checks_itself(settings, sentence):
    with pytest.raises(InputError) as caught:
        Shortcut(**settings)
    assert str(caught.value) == sentence


def test_the_pixels_of_the_shortcut_are_those_that_differ_from_grey():
    data, *_ = laid_out(conflict_ratio=0.2)
    chosen = torch.tensor([5, 0, 119])
    pixels = data.shortcut_pixels(chosen)
    expected = torch.zeros(3, 28, 28, dtype=torch.bool)
    expected[torch.from_numpy(data.carries)[chosen], :4, :4] = True
    assert torch.equal(pixels, expected)
    assert data.carries[[5, 0, 119]].tolist() == [True, True, False]

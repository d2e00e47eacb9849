import numpy as np
import pytest
import torch

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.models.checks import (
    expected_accuracy,
    narrow_range,
    near_chance,
    other_order,
    suspicions,
    unseen_share,
)
from masktune.types import View


def predictions(predicted, labels, classes):
    logits = np.eye(len(classes), dtype=np.float32)[predicted]
    ids = np.array([f"{place}.png" for place in range(len(labels))])
    return Predictions(logits, np.asarray(labels, dtype=np.int64), ids, classes=classes)


def table(counts, classes):
    """From how often each class (column) was predicted for each true one (row)."""
    labels, predicted = (
        np.repeat(axis, np.ravel(counts)) for axis in np.indices(np.shape(counts)).reshape(2, -1)
    )
    return predictions(predicted, labels, classes)


def mostly(order, share, n=300, seed=0):
    """Says `order[label]` for a share of the images and any class for the others."""
    drawn = np.random.default_rng(seed)
    k = len(order)
    labels = drawn.integers(0, k, n)
    said = np.where(drawn.random(n) < share, np.asarray(order)[labels], drawn.integers(0, k, n))
    return predictions(said, labels, tuple("abcdefghij"[:k]))


# Of 100 fair coins 58 or fewer have a tail of 0.0666 and more, 59 of 0.0443.
@pytest.mark.parametrize(("right", "told"), [(50, True), (57, True), (62, False), (90, False)])
def test_two_even_classes(right, told):
    half = right // 2
    made = table([[half, 50 - half], [50 - (right - half), right - half]], ("cat", "dog"))
    sentence = near_chance(made)
    assert (sentence is not None) == told
    if told:
        assert sentence == (
            f"the accuracy, {right / 100:.3f} on 100 images, is no better than always saying the commonest "
            "class (0.500); check --mean, --std, --range, --input-size and --channels against the training "
            "code"
        )


def test_always_saying_the_commonest_class_is_no_sight_however_high_the_accuracy():
    sentence = near_chance(table([[900, 0], [100, 0]], ("healthy", "ill")))
    assert sentence.startswith(
        "the accuracy, 0.900 on 1000 images, is no better than always saying the commonest"
    )


def test_nor_is_saying_either_class_at_random_with_the_right_shares():
    assert near_chance(table([[810, 90], [90, 10]], ("healthy", "ill"))) is not None


def test_a_good_finder_of_rare_positives_is_not_called_blind_though_below_the_commonest_share():
    # 4 % positives; 30 of 40 found with 60 false alarms: accuracy 0.93, the commonest class's share is 0.96.
    assert near_chance(table([[900, 60], [10, 30]], ("healthy", "ill"))) is None


def test_the_test_for_sight_has_the_spread_of_shuffled_labels():
    # Counted, not computed: of 2000 shuffles about one in twenty is taken for sight.
    drawn = np.random.default_rng(0)
    said, labels = np.repeat([0, 1, 2], [40, 100, 60]), np.repeat([0, 1, 2], [20, 120, 60])
    from masktune.models.checks import _sees

    seen = [_sees(predictions(said, drawn.permutation(labels), ("a", "b", "c"))) for _ in range(2000)]
    assert 0.03 < np.mean(seen) < 0.07


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1], [3, 2, 1, 0, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]])
def test_another_order_is_told_and_typing_it_mends_it(order):
    made = mostly(order, 0.9)
    sentence = other_order(made)
    assert sentence.startswith("the accuracy jumps from 0.")
    typed = sentence.rpartition("--classes ")[2].split(",")
    # Logit `order[label]` fires for class `label`, so that is the name it has to have.
    names = [None] * len(order)
    for label, logit in enumerate(order):
        names[logit] = made.classes[label]
    assert typed == names


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [2, 3, 10])
def test_chance_is_no_other_order(k, seed):
    assert other_order(mostly(range(k), 0, n=200, seed=seed)) is None
    assert other_order(mostly(range(k), 0.3, n=200, seed=seed)) is None
    assert other_order(mostly(range(k), 0.95, n=200, seed=seed)) is None


def test_an_order_that_only_says_the_commonest_class_is_no_order():
    assert other_order(table([[0, 190], [0, 10]], ("a", "b"))) is None


def test_images_of_one_subject_stay_in_one_half():
    # Ten subjects of one class each: whichever way they fall, no half knows the other's.
    from masktune.models.checks import _halves

    made = mostly([0, 1], 1.0, n=200)
    subjects = np.array([f"patient {place % 10}" for place in range(200)])
    seeking, judging = _halves(
        Predictions(made.logits, made.labels, made.ids, classes=made.classes, subjects=subjects)
    )
    assert len(seeking) + len(judging) == 200
    assert not {*subjects[seeking]} & {*subjects[judging]}


def test_twelve_bits_in_sixteen():
    batch = torch.linspace(0, 4095 / 65535, 3 * 16).reshape(3, 1, 4, 4)
    sentence = narrow_range([batch, batch / 2])
    assert sentence.startswith(
        "the images use 6.2% of the range of values (0.0000 to 0.0625 of 0 to 1): nearly one"
    )
    assert "--range LO HI" in sentence


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [torch.zeros(0, 3, 2, 2)],
        [torch.full((1, 1, 2, 2), 0.01), torch.full((1, 1, 2, 2), 0.5)],  # One dark picture is no sign.
        [torch.tensor([0, 30], dtype=torch.uint8).view(2, 1, 1, 1)],  # 30 of 255 are 12 %.
    ],
)
def test_enough_of_the_range_is_used(batches):
    assert narrow_range(batches) is None


def test_bytes_that_use_little_of_the_range():
    batch = torch.tensor([100, 120], dtype=torch.uint8).view(2, 1, 1, 1)
    assert narrow_range([batch]).startswith("the images use 7.8% of the range of values (0.3922 to 0.4706 of")


def test_the_share_that_a_crop_never_sees():
    # A square out of 300x400 leaves a quarter, out of 300x300 nothing.
    views = [View((300, 400), (0, 50, 300, 300), (224, 224)), View((300, 300), (0, 0, 300, 300), (224, 224))]
    assert unseen_share(views) == (
        "the net never sees 12.5% of the pictures' area (up to 25.0%): the crop cuts it away; --resize "
        "squash or pad shows all of it"
    )
    assert unseen_share(views[1:]) is None
    assert unseen_share([]) is None


# Wilson for 80 of 100: 0.7112 to 0.8666 (Newcombe 1998, and statsmodels).
@pytest.mark.parametrize("expected", [0.67, 0.8, 0.89])
def test_the_expected_accuracy_is_met(expected):
    expected_accuracy(table([[40, 10], [10, 40]], ("a", "b")), expected)


# P(80 or more of 100 right) is 3e-4 at 0.64, P(80 or fewer) 2e-4 at 0.92.
@pytest.mark.parametrize("expected", [0.64, 0.92])
def test_another_accuracy_than_expected(expected):
    with pytest.raises(InputError) as caught:
        expected_accuracy(table([[40, 10], [10, 40]], ("a", "b")), expected)
    assert str(caught.value) == (
        f"expected an accuracy of {expected}, got 0.8000 on 100 images (95 %: 0.7112 to 0.8666); check the "
        "weights, the order of --classes, and --mean, --std, --range, --resize against the training code"
    )


def test_what_cannot_be_expected():
    made = table([[1, 0], [0, 1]], ("a", "b"))
    with pytest.raises(InputError, match=r"^expected an accuracy from 0 to 1 in --expect, got 91$"):
        expected_accuracy(made, 91.0)
    with pytest.raises(InputError, match="expected predictions on at least one image"):
        expected_accuracy(made.select(np.zeros(2, dtype=bool)), 0.5)


def test_all_of_them_together():
    views = [View((300, 400), (0, 50, 300, 300), (224, 224))]
    dark = [torch.zeros(1, 1, 2, 2)]
    found = suspicions(mostly([1, 0], 0.9), dark, views)
    assert [sentence.split()[1] for sentence in found] == ["accuracy", "images", "net"]
    assert found[0].startswith("the accuracy jumps")
    assert suspicions(mostly([0, 1], 0.0), dark)[0].startswith("the accuracy, 0.")
    assert suspicions(mostly([0, 1], 0.9)) == ()
    nothing = mostly([0, 1], 0.9).select(np.zeros(300, dtype=bool))
    assert suspicions(nothing) == ()
